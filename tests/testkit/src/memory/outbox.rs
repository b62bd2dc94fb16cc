//! The outbox in memory.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    event::{Kind, NewEvent, Payload},
    id::{HubUserId, NotificationId, TenantId},
    notification::{Notification, Status},
    port::{Delivered, Outbox, QueueRelease, RoomQueue},
    room::{RoomKey, RoomKind},
};

use super::{Memory, State, notifications::Stored};

pub(super) type Table = BTreeMap<String, StoredQueue>;

pub(super) struct StoredQueue {
    version: i64,
    pub(super) due: Due,
    leased_until: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// It is empty, or it waits for its reader to sign in.
    Never,
    /// From this time.
    At(Timestamp),
    /// From this time, after a failure.
    Backoff(Timestamp),
}

#[async_trait]
impl Outbox for Memory {
    async fn claim(&self, lease: Duration) -> Result<Option<RoomQueue>> {
        self.act("claiming a room queue", |state| state.claim_queue(lease)).await
    }

    async fn pending(&self, queue: &RoomQueue, lease: Duration, limit: i64) -> Result<Vec<Notification>> {
        self.act("reading a room queue", |state| {
            let now = state.now;
            if let Some(stored) = state.queues.get_mut(&queue.name) {
                stored.leased_until = now + lease;
            }
            let limit = usize::try_from(limit).unwrap_or_default();
            state.notifications.pending(&queue.name, now).take(limit).map(|stored| stored.at(now)).collect()
        })
        .await
    }

    async fn announce(&self, notification: &Notification, payload: &Payload) -> Result<()> {
        self.act("announcing a notification", |state| {
            let Some(stored) = state.notifications.rows.get_mut(&notification.id) else { return };
            if stored.row.status != Status::Pending || stored.queue != notification.key().to_string() {
                return;
            }
            if !std::mem::replace(&mut stored.row.announced, true) {
                stored.announced_at = Some(state.now);
                stored.row.expires_at = None;
                stored.row.reason = None;
                let event = NewEvent {
                    audience: stored.row.draft.audience(stored.row.tenant),
                    kind: Kind::Notification,
                    room: stored.row.room.clone(),
                    payload: payload.clone(),
                    key: None,
                };
                state.log.append_about_notification(state.now, &stored.row, &event);
            }
        })
        .await
    }

    async fn sent(&self, delivered: &[Delivered]) -> Result<Vec<NotificationId>> {
        let payloads = delivered.iter().map(Delivered::payload).collect::<Result<Vec<_>>>()?;
        self.act("storing deliveries", |state| {
            for (delivered, payload) in delivered.iter().zip(payloads) {
                state.store_sent(delivered, payload);
            }
            Vec::new()
        })
        .await
    }

    async fn failed(&self, id: NotificationId, reason: &str, detail: &str) -> Result<()> {
        self.act("storing a rejection", |state| state.reject(id, reason, detail)).await
    }

    async fn postpone(
        &self,
        notification: &Notification,
        delay: Duration,
        reason: &str,
        detail: &str,
    ) -> Result<()> {
        self.act("postponing a notification", |state| {
            let now = state.now;
            let until = now + delay;
            let queue = state.update(notification.id, &[Status::Pending], |stored| {
                stored.row.attempts += 1;
                stored.row.reason = Some(reason.to_owned());
                stored.row.next_attempt_at = Some(until);
                stored.fail(stored.row.attempts, now, detail);
            });
            if let Some(queue) = queue.and_then(|name| state.queues.get_mut(&name)) {
                queue.due = Due::Backoff(until);
                queue.leased_until = state.now;
            }
        })
        .await
    }

    async fn release(&self, queue: &RoomQueue, release: QueueRelease) -> Result<()> {
        self.act("releasing a room queue", |state| {
            let now = state.now;
            let next_message = state.alarm_messages.next_due(&queue.name);
            let Some(stored) = state.queues.get_mut(&queue.name) else { return };
            stored.leased_until = now;
            stored.due = match release {
                _ if stored.version != queue.version => Due::At(now),
                QueueRelease::RetryAfter(time) => Due::At(now + time),
                QueueRelease::Drained => next_message.map_or(Due::Never, Due::At),
                QueueRelease::UntilSignIn => Due::Never,
            };
            state.has_work |= stored.due == Due::At(now);
        })
        .await
    }

    async fn retry_queue(&self, name: &str) -> Result<()> {
        self.act("retrying a room queue", |state| {
            let Some(stored) = state.queues.get_mut(name) else { return };
            stored.due = Due::At(state.now);
            // A worker that is releasing the room queue must notice it.
            stored.version += 1;
            state.has_work = true;
        })
        .await
    }
}

impl State {
    /// Adds a new notification to a room queue.
    pub(super) fn enter_queue(&mut self, name: &str, held: bool, answer_due: Option<Timestamp>) {
        let now = self.now;
        let queue = self.queues.entry(name.to_owned()).or_insert(StoredQueue {
            version: 0,
            due: Due::Never,
            leased_until: now,
        });
        queue.version += 1;
        if held {
            return;
        }
        let wanted = answer_due.unwrap_or(now);
        queue.due = match queue.due {
            Due::Never => Due::At(wanted),
            Due::At(due) => Due::At(due.min(wanted)),
            backoff @ Due::Backoff(_) => backoff,
        };
        self.has_work |= answer_due.is_none();
    }

    /// Makes the held direct messages of this user due.
    pub(super) fn release_held(&mut self, tenant: TenantId, user: &HubUserId) {
        let key = RoomKey { tenant, kind: RoomKind::BotDm { user: user.clone() } };
        let now = self.now;
        if let Some(queue) = self.queues.get_mut(&key.to_string()) {
            // A worker that is releasing the room queue must notice it.
            queue.version += 1;
            queue.due = Due::At(now);
            self.has_work = true;
        }
    }

    /// Makes a room queue wait after a failure, and ends its lease.
    pub(super) fn back_off_queue(&mut self, name: &str, delay: Duration) {
        let now = self.now;
        if let Some(queue) = self.queues.get_mut(name) {
            queue.due = Due::Backoff(now + delay);
            queue.leased_until = now;
        }
    }

    /// Marks a pending notification as rejected.
    pub(super) fn reject(&mut self, id: NotificationId, reason: &str, detail: &str) {
        let now = self.now;
        self.update(id, &[Status::Pending], |stored| {
            stored.row.status = Status::Failed;
            stored.row.reason = Some(reason.to_owned());
            stored.fail(stored.row.attempts + 1, now, detail);
        });
    }

    /// Marks a pending notification as ignored by its alarm.
    pub(super) fn ignore(&mut self, id: NotificationId, reason: &str) {
        self.update(id, &[Status::Pending], |stored| {
            stored.row.status = Status::Ignored;
            stored.row.reason = Some(reason.to_owned());
        });
    }

    /// Returns whether a room queue waits after a failure.
    pub(super) fn is_backing_off(&self, queue: &str) -> bool {
        self.queues.get(queue).is_some_and(|queue| queue.due.is_backing_off_at(self.now))
    }

    /// Returns the time since which the first queue is due that can be claimed.
    pub(super) fn first_due_queue(&self) -> Option<Timestamp> {
        self.queues.values().filter_map(|queue| queue.due_at(self.now)).min()
    }

    fn claim_queue(&mut self, lease: Duration) -> Option<RoomQueue> {
        let now = self.now;
        let due = self.queues.iter_mut().filter(|(_, queue)| queue.due_at(now).is_some());
        let (name, queue) = due.min_by_key(|(_, queue)| queue.due_at(now))?;
        queue.leased_until = now + lease;
        Some(RoomQueue { name: name.clone(), version: queue.version, has_alarms: true })
    }

    /// Marks a notification as sent, and publishes it. A late delivery counts even if the notification has
    /// expired or was cancelled.
    pub(super) fn store_sent(&mut self, delivered: &Delivered, payload: Payload) {
        let (now, id) = (self.now, delivered.id);
        let changed = self.update(id, &[Status::Pending, Status::Expired, Status::Cancelled], |stored| {
            stored.sent_at = Some(now);
            stored.row.status = Status::Sent;
            stored.row.reason = None;
            stored.row.room = Some(delivered.room.clone());
            stored.row.event = Some(delivered.event.clone());
        });
        let Some(stored) = self.notifications.rows.get(&id) else { return };
        if changed.is_some() && stored.row.announced {
            let event = NewEvent {
                audience: stored.row.draft.audience(stored.row.tenant),
                kind: Kind::NotificationSent,
                room: Some(delivered.room.clone()),
                payload,
                key: None,
            };
            self.log.append_about_notification(now, &stored.row, &event);
        }
    }

    /// Changes a notification that is in one of these states. Its caller no longer waits. Returns the name of
    /// its room queue.
    fn update(
        &mut self,
        id: NotificationId,
        from: &[Status],
        change: impl FnOnce(&mut Stored),
    ) -> Option<String> {
        let stored = self.notifications.rows.get_mut(&id)?;
        if !from.contains(&stored.row.status) {
            return None;
        }
        stored.answer_due = None;
        stored.row.next_attempt_at = None;
        change(stored);
        Some(stored.queue.clone())
    }
}

impl StoredQueue {
    /// Returns the time since which a queue is due that can be claimed; `None` for any other queue.
    fn due_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.due {
            Due::At(due) | Due::Backoff(due) => {
                Some(due).filter(|due| *due <= now && self.leased_until <= now)
            }
            Due::Never => None,
        }
    }
}

impl Due {
    /// Returns whether a backoff has not ended yet.
    pub(super) fn is_backing_off_at(self, now: Timestamp) -> bool {
        matches!(self, Self::Backoff(until) if until > now)
    }
}
