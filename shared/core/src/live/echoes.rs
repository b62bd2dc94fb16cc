//! Tracks events that this process has sent and that are not ingested yet (Matrix, "Local echo"): messages,
//! edits, redactions and reactions.
//!
//! The sender is answered as soon as the homeserver has the message. The live event, unread counts and the
//! last message of the room follow when the message is ingested; readers of the room wait for that here, for
//! a short time.

use std::{
    collections::{HashMap, HashSet},
    iter,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use crate::{
    domain::{
        id::{EventId, RoomId},
        room_event::RoomEvent,
    },
    live::{cache::Cache, lock::lock},
};

/// The time for which an ingested message is remembered.
const RECEIVED_FOR: Duration = Duration::from_secs(10);

/// The longest time that a reader of a room waits for messages that were just sent into it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The pending local echoes of this process by room, and recently ingested messages.
///
/// Push is often faster than the homeserver's response, so a message may be ingested before it is expected.
pub struct Echoes {
    waiting: Mutex<HashMap<RoomId, Vec<PendingEcho>>>,
    /// The signal that a message is no longer expected.
    drained: watch::Sender<()>,
    /// The number of callers that wait for an echo.
    waiters: watch::Sender<usize>,
    /// The messages that were ingested recently.
    received: Cache<EventId, RoomEvent>,
}

/// A message that is not ingested yet.
struct PendingEcho {
    event: RoomEvent,
    /// `true` if it is being read from the room because push has not brought it.
    is_overdue: bool,
}

impl Echoes {
    pub(crate) fn new() -> Self {
        let received = Cache::with_ttl(RECEIVED_FOR);
        let (drained, waiters) = (watch::Sender::default(), watch::Sender::default());
        Self { waiting: Mutex::default(), drained, waiters, received }
    }

    /// Returns a message that was ingested recently, as the homeserver has it.
    pub(crate) fn received(&self, event: &EventId) -> Option<RoomEvent> {
        self.received.get(event)
    }

    /// Drops the copy of a redacted message.
    pub(crate) fn forget(&self, event: &EventId) {
        self.received.remove(event);
    }

    /// Expects the echo of a message. Returns `false` if the message was ingested already.
    pub(crate) fn expect(&self, event: &RoomEvent) -> bool {
        let (room, waiting) = (&event.room_id, PendingEcho { event: event.clone(), is_overdue: false });
        self.waiting().entry(room.clone()).or_default().push(waiting);
        // `arrived` stores the message before it looks for waiters, so either it or this call sees the other.
        let is_received = self.received(&event.event_id).is_some();
        if is_received {
            self.wait_no_more(iter::once((room, &event.event_id)));
        }
        !is_received
    }

    /// Records that these messages were ingested.
    pub(crate) fn arrived(&self, messages: &[RoomEvent]) {
        for message in messages {
            self.received.put(message.event_id.clone(), message.clone());
        }
        self.wait_no_more(messages.iter().map(|message| (&message.room_id, &message.event_id)));
    }

    /// Stops expecting these messages.
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

    /// Marks all pending messages of a room as overdue and returns those that were not, or none if the event
    /// is not among them.
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

    /// Returns the messages that are expected in these rooms.
    fn expected<'a>(&self, rooms: impl Iterator<Item = &'a RoomId>) -> HashSet<EventId> {
        let waiting = self.waiting();
        if waiting.is_empty() {
            return HashSet::new();
        }
        rooms.filter_map(|room| waiting.get(room)).flatten().map(|one| one.event.event_id.clone()).collect()
    }

    /// Waits until none of these messages is expected.
    async fn until_drained(&self, expected: HashSet<EventId>) {
        let _waiter = Waiter::begin(&self.waiters);
        let mut drained = self.drained.subscribe();
        // The channel ends only with its sender, which `self` owns.
        while self.is_any_expected(&expected) && drained.changed().await.is_ok() {}
    }

    /// Waits until a caller in this process waits for an echo.
    pub async fn are_awaited(&self) {
        // The channel ends only with its sender, which `self` owns.
        let _ = self.waiters.subscribe().wait_for(|count| *count > 0).await;
    }

    /// Waits until the messages that this process has sent into these rooms are ingested, for one second at
    /// most. Returns `false` if none was expected.
    pub(crate) async fn wait_in<'a>(&self, rooms: impl Iterator<Item = &'a RoomId>) -> bool {
        let expected = self.expected(rooms);
        if expected.is_empty() {
            return false;
        }
        let _ = timeout(PATIENCE, self.until_drained(expected)).await;
        true
    }

    /// Returns whether one of these messages is still expected.
    fn is_any_expected(&self, expected: &HashSet<EventId>) -> bool {
        self.waiting().values().flatten().any(|one| expected.contains(&one.event.event_id))
    }

    /// Returns whether an event is still expected and no caller waits for an echo.
    pub(crate) fn is_unhurried(&self, room: &RoomId, event: &EventId) -> bool {
        let is_waiting = |one: &PendingEcho| one.event.event_id == *event;
        *self.waiters.borrow() == 0 && self.waiting().get(room).is_some_and(|all| all.iter().any(is_waiting))
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<RoomId, Vec<PendingEcho>>> {
        lock(&self.waiting)
    }
}

/// A caller that waits for an echo.
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
