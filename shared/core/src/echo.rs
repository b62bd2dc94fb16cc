//! Messages that we have just sent, on their way back into our log (the "echo" of Matrix clients).
//!
//! The homeserver has them, so whoever sent them is answered at once. What follows from them here (the event on the
//! streams, unread counts, the last message of a room) follows when the homeserver pushes them, some milliseconds later.
//! What push does not bring soon is read from the room: once for all that wait there.

use std::{
    collections::{HashMap, HashSet},
    iter,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    Messenger, Result,
    id::{EventId, RoomId},
    inbound::RoomEvent,
    messenger::Cache,
};

/// Time that push may take while nothing is pushed to this process.
const PUSH: Duration = Duration::from_millis(100);
/// Time that push may take while it works: under load a message waits for the transactions before its own. Reading it
/// from the room would give the homeserver even more to do. A reader of the room is not kept waiting for this.
const PUSH_UNDER_LOAD: Duration = Duration::from_millis(500);
/// How long it is remembered what came back.
const HEARD_FOR: Duration = Duration::from_secs(10);
/// How long somebody who looks at a room waits for what was just said in it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What this process has sent and has not seen come back, room by room, and what came back before it was waited for:
/// push is often quicker than the answer.
pub(crate) struct Echoes {
    waiting: Mutex<HashMap<RoomId, Vec<PendingEcho>>>,
    /// Something is waited for no longer.
    drained: watch::Sender<()>,
    /// How many wait until something has come back.
    waiters: watch::Sender<usize>,
    heard: Cache<EventId, RoomEvent>,
}

struct PendingEcho {
    event: RoomEvent,
    /// Push has not brought it: it is being read from the room.
    is_overdue: bool,
}

/// The reading of what push did not bring. However it ends, nobody waits for it any longer.
struct Reading {
    messenger: Messenger,
    room: RoomId,
    ids: Vec<EventId>,
}

impl Echoes {
    pub(crate) fn new() -> Self {
        let heard = Cache::with_ttl(HEARD_FOR);
        let (drained, waiters) = (watch::Sender::default(), watch::Sender::default());
        Self { waiting: Mutex::default(), drained, waiters, heard }
    }

    /// A message that was taken in a moment ago, as the homeserver has it.
    pub(crate) fn heard(&self, event: &EventId) -> Option<RoomEvent> {
        self.heard.get(event)
    }

    /// Drops what is remembered of a redacted message.
    pub(crate) fn forget(&self, event: &EventId) {
        self.heard.remove(event);
    }

    /// `false`: it has come back already.
    fn wait_for(&self, event: &RoomEvent) -> bool {
        let (room, waiting) = (&event.room_id, PendingEcho { event: event.clone(), is_overdue: false });
        self.waiting().entry(room.clone()).or_default().push(waiting);
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
    fn overdue(&self, room: &RoomId, event: &EventId) -> Vec<RoomEvent> {
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

    fn is_waited_for(&self, expected: &HashSet<EventId>) -> bool {
        self.waiting().values().flatten().any(|one| expected.contains(&one.event.event_id))
    }

    /// Returns whether an event has not come back yet and no caller waits until something does.
    fn is_unhurried(&self, room: &RoomId, event: &EventId) -> bool {
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

impl Messenger {
    /// Waits until somebody in this process waits for what was just said to come back.
    pub async fn echo_is_awaited(&self) {
        // It ends otherwise only with the sender, which is ours.
        let _ = self.echoes.waiters.subscribe().wait_for(|count| *count > 0).await;
    }

    /// Sees to it that an event that we have just sent is taken in soon.
    pub(crate) fn expect_echo(&self, event: RoomEvent) {
        if !self.echoes.wait_for(&event) {
            return;
        }
        let (messenger, RoomEvent { room_id: room, event_id: id, .. }) = (self.clone(), event);
        self.background.spawn(async move {
            let sent = Instant::now();
            sleep(PUSH).await;
            while sent.elapsed() < PUSH_UNDER_LOAD
                && messenger.pushes.came_within(2 * PUSH)
                && messenger.echoes.is_unhurried(&room, &id)
            {
                sleep(PUSH).await;
            }
            let events = messenger.echoes.overdue(&room, &id);
            if events.is_empty() {
                return;
            }
            let ids = events.iter().map(|event| event.event_id.clone()).collect();
            let reading = Reading { messenger, room, ids };
            // The homeserver has them in any case, so nothing that fails here is lost: push or reconciliation brings it.
            if let Err(error) = reading.messenger.read_back(&reading.room, events).await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(room = %reading.room, error, "taking in messages of ours is left to reconciliation");
            }
        });
    }

    /// Waits until what this process has sent into these rooms until now is taken in, but not for long. `false`: there
    /// was nothing to wait for.
    pub(crate) async fn echoed<'a>(&self, rooms: impl Iterator<Item = &'a RoomId>) -> bool {
        let expected = self.echoes.expected(rooms);
        if expected.is_empty() {
            return false;
        }
        // Who does not want to wait longer sees what is there.
        let _ = timeout(PATIENCE, self.echoes.came(expected)).await;
        true
    }

    /// Takes events of a room in, unless another process has heard of them by push.
    async fn read_back(&self, room: &RoomId, events: Vec<RoomEvent>) -> Result<()> {
        let mut missing = Vec::with_capacity(events.len());
        for event in events {
            if !self.messages.is_ingested(&event.event_id).await? {
                missing.push(event);
            }
        }
        if missing.is_empty() { Ok(()) } else { self.ingest_own(room, missing).await }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.messenger.echoes.wait_no_more(self.ids.iter().map(|id| (&self.room, id)));
    }
}
