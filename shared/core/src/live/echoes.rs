//! Messages that this process has sent and the homeserver has not pushed back yet (Matrix, "Local echo").
//!
//! The sender is answered as soon as the homeserver has the message. Its live event, unread counts and the last message of
//! its room follow when the message is ingested; readers of the room wait for that here, for a short time.

use std::{
    collections::{HashMap, HashSet},
    iter,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use crate::{
    domain::{
        id::{EventId, RoomId},
        room_event::RoomEvent,
    },
    live::cache::Cache,
};

/// How long it is remembered what came back.
const RECEIVED_FOR: Duration = Duration::from_secs(10);

/// How long somebody who looks at a room waits for what was just said in it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What this process has sent and has not seen come back, room by room, and what came back before it was waited for:
/// push is often quicker than the answer.
pub struct Echoes {
    waiting: Mutex<HashMap<RoomId, Vec<PendingEcho>>>,
    /// Something is waited for no longer.
    drained: watch::Sender<()>,
    /// How many wait until something has come back.
    waiters: watch::Sender<usize>,
    received: Cache<EventId, RoomEvent>,
}

struct PendingEcho {
    event: RoomEvent,
    /// Push has not brought it: it is being read from the room.
    is_overdue: bool,
}

impl Echoes {
    pub(crate) fn new() -> Self {
        let received = Cache::with_ttl(RECEIVED_FOR);
        let (drained, waiters) = (watch::Sender::default(), watch::Sender::default());
        Self { waiting: Mutex::default(), drained, waiters, received }
    }

    /// A message that was taken in a moment ago, as the homeserver has it.
    pub(crate) fn received(&self, event: &EventId) -> Option<RoomEvent> {
        self.received.get(event)
    }

    /// Drops what is remembered of a redacted message.
    pub(crate) fn forget(&self, event: &EventId) {
        self.received.remove(event);
    }

    /// `false`: it has come back already.
    pub(crate) fn expect(&self, event: &RoomEvent) -> bool {
        let (room, waiting) = (&event.room_id, PendingEcho { event: event.clone(), is_overdue: false });
        self.waiting().entry(room.clone()).or_default().push(waiting);
        // Whoever takes it in says so first and looks afterwards whether it is waited for: one of both sees the other.
        let is_received = self.received(&event.event_id).is_some();
        if is_received {
            self.wait_no_more(iter::once((room, &event.event_id)));
        }
        !is_received
    }

    /// These messages are taken in.
    pub(crate) fn arrived(&self, messages: &[RoomEvent]) {
        for message in messages {
            self.received.put(message.event_id.clone(), message.clone());
        }
        self.wait_no_more(messages.iter().map(|message| (&message.room_id, &message.event_id)));
    }

    pub(crate) fn wait_no_more<'a>(&self, events: impl Iterator<Item = (&'a RoomId, &'a EventId)>) {
        let mut rooms = self.waiting();
        for (room, id) in events {
            let Some(waiting) = rooms.get_mut(room) else { continue };
            waiting.retain(|waiting| waiting.event.event_id != *id);
            if waiting.is_empty() {
                rooms.remove(room);
            }
        }
        drop(rooms);
        self.drained.send_replace(());
    }

    /// Everything in the room of this event that nobody reads yet; nothing if the event itself is not among it.
    pub(crate) fn overdue(&self, room: &RoomId, event: &EventId) -> Vec<RoomEvent> {
        let mut rooms = self.waiting();
        let mut waiting: Vec<_> = rooms.get_mut(room).into_iter().flatten().collect();
        waiting.retain(|waiting| !waiting.is_overdue);
        if !waiting.iter().any(|waiting| waiting.event.event_id == *event) {
            return Vec::new();
        }
        for waiting in &mut waiting {
            waiting.is_overdue = true;
        }
        waiting.into_iter().map(|waiting| waiting.event.clone()).collect()
    }

    /// What is waited for in these rooms.
    fn expected<'a>(&self, rooms: impl Iterator<Item = &'a RoomId>) -> HashSet<EventId> {
        let waiting = self.waiting();
        if waiting.is_empty() {
            return HashSet::new();
        }
        rooms.filter_map(|room| waiting.get(room)).flatten().map(|one| one.event.event_id.clone()).collect()
    }

    /// Waits until none of these is waited for.
    async fn came(&self, expected: HashSet<EventId>) {
        let _waiter = Waiter::begin(&self.waiters);
        let mut drained = self.drained.subscribe();
        // It ends otherwise only with the sender, which is ours.
        while self.is_waited_for(&expected) && drained.changed().await.is_ok() {}
    }

    /// Waits until a caller in this process waits for an echo.
    pub async fn are_awaited(&self) {
        // The channel ends only with the sender, which is ours.
        let _ = self.waiters.subscribe().wait_for(|count| *count > 0).await;
    }

    /// Waits until the messages that this process has sent into these rooms until now are ingested, for a second at the
    /// most. Returns `false` if there was nothing to wait for.
    pub(crate) async fn wait_in<'a>(&self, rooms: impl Iterator<Item = &'a RoomId>) -> bool {
        let expected = self.expected(rooms);
        if expected.is_empty() {
            return false;
        }
        let _ = timeout(PATIENCE, self.came(expected)).await;
        true
    }

    fn is_waited_for(&self, expected: &HashSet<EventId>) -> bool {
        self.waiting().values().flatten().any(|one| expected.contains(&one.event.event_id))
    }

    /// Returns whether an event has not come back yet and no caller waits until something does.
    pub(crate) fn is_unhurried(&self, room: &RoomId, event: &EventId) -> bool {
        let is_waiting = |one: &PendingEcho| one.event.event_id == *event;
        *self.waiters.borrow() == 0 && self.waiting().get(room).is_some_and(|all| all.iter().any(is_waiting))
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<RoomId, Vec<PendingEcho>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody waits until something has come back.
struct Waiter<'a>(&'a watch::Sender<usize>);

impl<'a> Waiter<'a> {
    fn begin(waiters: &'a watch::Sender<usize>) -> Self {
        waiters.send_modify(|count| *count += 1);
        Self(waiters)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
