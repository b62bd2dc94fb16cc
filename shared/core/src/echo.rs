//! Messages that we have just sent, on their way back into our log (the "echo" of Matrix clients).
//!
//! The homeserver has them, so whoever sent them is answered at once. What follows from them here (the event on the
//! streams, unread counts, the last message of a room) follows in the background: one task for each room, which reads
//! once for all that wait meanwhile.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future;
use tokio::{sync::watch, time::timeout};

use crate::{Hub, id::RoomId, inbound::RoomEvent};

/// How long somebody who looks at a room waits for what was just said in it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The rooms whose echoes are being taken in by this process.
#[derive(Default)]
pub(crate) struct Echoes(Mutex<HashMap<RoomId, Waiting>>);

/// What waits in one room. Everybody who holds a receiver learns of the end when the sender is dropped.
#[derive(Default)]
struct Waiting {
    events: Vec<RoomEvent>,
    end: watch::Sender<()>,
}

/// The task of a room. If it ends before its work, by a panic, another can begin.
struct Turn {
    hub: Hub,
    room: RoomId,
    is_done: bool,
}

impl Echoes {
    /// Adds an event. `true`: nobody is at work in its room yet.
    fn add(&self, event: RoomEvent) -> bool {
        let mut rooms = self.rooms();
        let is_first = !rooms.contains_key(&event.room_id);
        rooms.entry(event.room_id.clone()).or_default().events.push(event);
        is_first
    }

    /// What waits in a room. If it is nothing, the work in it has ended.
    fn take(&self, room: &RoomId) -> Vec<RoomEvent> {
        let mut rooms = self.rooms();
        let events = rooms.get_mut(room).map(|waiting| mem::take(&mut waiting.events)).unwrap_or_default();
        if events.is_empty() {
            rooms.remove(room);
        }
        events
    }

    /// The ends of the work in these rooms, as far as there is any.
    fn ends<'a>(&self, of: impl Iterator<Item = &'a RoomId>) -> Vec<watch::Receiver<()>> {
        let rooms = self.rooms();
        if rooms.is_empty() {
            return Vec::new();
        }
        of.filter_map(|room| rooms.get(room)).map(|waiting| waiting.end.subscribe()).collect()
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<RoomId, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    /// Takes an event in that we have just sent, soon.
    pub(crate) fn expect_echo(&self, event: RoomEvent) {
        let room = event.room_id.clone();
        if !self.echoes.add(event) {
            return;
        }
        let mut turn = Turn { hub: self.clone(), room, is_done: false };
        self.background.spawn(async move {
            while !turn.is_done {
                let events = turn.hub.echoes.take(&turn.room);
                turn.is_done = events.is_empty();
                turn.hub.take_in_own(events).await;
            }
        });
    }

    /// Waits until what this process has sent into these rooms is taken in, but not for long. `false`: there was nothing
    /// to wait for.
    pub(crate) async fn echoed<'a>(&self, rooms: impl Iterator<Item = &'a RoomId>) -> bool {
        let mut ends = self.echoes.ends(rooms);
        let has_waited = !ends.is_empty();
        // Nothing is ever sent to them: they end when the sender is gone.
        let all = future::join_all(ends.iter_mut().map(watch::Receiver::changed));
        // Who does not want to wait longer sees what is there.
        let _ = timeout(PATIENCE, all).await;
        has_waited
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_done {
            self.hub.echoes.rooms().remove(&self.room);
        }
    }
}
