//! Messages that we have just sent, on their way back into our log (the "echo" of Matrix clients).
//!
//! The homeserver has them, so whoever sent them is answered at once. What follows from them here (the event on the
//! streams, unread counts, the last message of a room) follows when the homeserver pushes them, some milliseconds later.
//! What push does not bring soon is read from the room: once for all that wait there.

use std::{
    collections::HashMap,
    iter, mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    Hub, Result,
    hub::Remembered,
    id::{EventId, RoomId},
    inbound::RoomEvent,
};

/// How long push may take.
const PUSH: Duration = Duration::from_millis(100);
/// How long it is remembered what came back.
const HEARD_FOR: Duration = Duration::from_secs(10);
/// How long somebody who looks at a room waits for what was just said in it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What this process has sent and has not seen come back, room by room, and what came back before it was waited for:
/// push is often quicker than the answer.
pub(crate) struct Echoes {
    waiting: Mutex<HashMap<RoomId, Waiting>>,
    heard: Remembered<EventId, RoomEvent>,
}

/// What waits in one room. Whoever holds a receiver learns of the end when the sender is dropped.
#[derive(Default)]
struct Waiting {
    /// What push may still bring.
    events: Vec<RoomEvent>,
    /// What is being read from the room.
    read: Vec<EventId>,
    end: watch::Sender<()>,
}

/// The reading of what push did not bring. However it ends, nobody waits for it any longer.
struct Reading {
    hub: Hub,
    room: RoomId,
    ids: Vec<EventId>,
}

impl Echoes {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::default(), heard: Remembered::for_a_while(HEARD_FOR) }
    }

    /// A message that was taken in a moment ago, as the homeserver has it.
    pub(crate) fn heard(&self, event: &EventId) -> Option<RoomEvent> {
        self.heard.get(event)
    }

    /// `false`: it has come back already.
    fn wait_for(&self, event: &RoomEvent) -> bool {
        let room = &event.room_id;
        self.rooms().entry(room.clone()).or_default().events.push(event.clone());
        // Whoever takes it in says so first and looks afterwards whether it is waited for: one of both sees the other.
        let is_heard = self.heard(&event.event_id).is_some();
        if is_heard {
            self.wait_no_more(iter::once((room, &event.event_id)));
        }
        !is_heard
    }

    /// These messages are taken in.
    pub(crate) fn arrived(&self, messages: &[RoomEvent]) {
        for message in messages {
            self.heard.put(message.event_id.clone(), message.clone());
        }
        self.wait_no_more(messages.iter().map(|message| (&message.room_id, &message.event_id)));
    }

    fn wait_no_more<'a>(&self, events: impl Iterator<Item = (&'a RoomId, &'a EventId)>) {
        let mut rooms = self.rooms();
        for (room, id) in events {
            let Some(waiting) = rooms.get_mut(room) else { continue };
            waiting.events.retain(|event| event.event_id != *id);
            waiting.read.retain(|event| event != id);
            if waiting.events.is_empty() && waiting.read.is_empty() {
                rooms.remove(room);
            }
        }
    }

    /// Everything that waits in the room of this event, to be read; nothing if the event itself does not wait any more.
    fn overdue(&self, room: &RoomId, event: &EventId) -> Vec<RoomEvent> {
        let mut rooms = self.rooms();
        let Some(waiting) = rooms.get_mut(room) else { return Vec::new() };
        if !waiting.events.iter().any(|one| one.event_id == *event) {
            return Vec::new();
        }
        let events = mem::take(&mut waiting.events);
        waiting.read.extend(events.iter().map(|event| event.event_id.clone()));
        events
    }

    /// The ends of the waiting in these rooms, as far as there is any.
    fn ends<'a>(&self, of: impl Iterator<Item = &'a RoomId>) -> Vec<watch::Receiver<()>> {
        let rooms = self.rooms();
        if rooms.is_empty() {
            return Vec::new();
        }
        of.filter_map(|room| rooms.get(room)).map(|waiting| waiting.end.subscribe()).collect()
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<RoomId, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    /// Sees to it that an event that we have just sent is taken in soon.
    pub(crate) fn expect_echo(&self, event: RoomEvent) {
        if !self.echoes.wait_for(&event) {
            return;
        }
        let (hub, RoomEvent { room_id: room, event_id: id, .. }) = (self.clone(), event);
        self.background.spawn(async move {
            sleep(PUSH).await;
            let events = hub.echoes.overdue(&room, &id);
            if events.is_empty() {
                return;
            }
            let ids = events.iter().map(|event| event.event_id.clone()).collect();
            let reading = Reading { hub, room, ids };
            // The homeserver has them in any case, so nothing that fails here is lost: push or reconciliation brings it.
            if let Err(error) = reading.hub.read_back(&reading.room, events).await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(room = %reading.room, error, "taking in messages of ours is left to reconciliation");
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

    /// Takes events of a room in, unless another process has heard of them by push.
    async fn read_back(&self, room: &RoomId, events: Vec<RoomEvent>) -> Result<()> {
        let mut missing = Vec::with_capacity(events.len());
        for event in events {
            if !self.messages.is_taken_in(&event.event_id).await? {
                missing.push(event);
            }
        }
        if missing.is_empty() { Ok(()) } else { self.take_in_own(room, missing).await }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.hub.echoes.wait_no_more(self.ids.iter().map(|id| (&self.room, id)));
    }
}
