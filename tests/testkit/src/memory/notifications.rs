//! Notifications in memory.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Error, Result,
    event::{Kind, NewEvent},
    id::{NotificationId, TenantId},
    notification::{
        AcceptOutcome, DeliveryHistory, FailedAttempt, HELD_FOR, Idempotency, LogQuery, NewNotification,
        Notification, QueueState, Status, Target, reason,
    },
    port::Notifications,
};

use super::{Memory, State};

#[derive(Default)]
pub(super) struct Table {
    pub(super) rows: BTreeMap<NotificationId, Stored>,
    /// Idempotency keys, by token, tenant and key.
    keys: HashMap<(String, TenantId, String), Known>,
}

/// A notification without the fields that depend on the present time.
pub(super) struct Stored {
    pub(super) row: Notification,
    pub(super) queue: String,
    /// Whether it is the input of an alarm, and so no entry of the room queue.
    pub(super) is_input: bool,
    /// The time until which its caller may wait; `None` if no caller waits.
    pub(super) answer_due: Option<Timestamp>,
    pub(super) announced_at: Option<Timestamp>,
    pub(super) sent_at: Option<Timestamp>,
    failures: Vec<FailedAttempt>,
}

struct Known {
    id: NotificationId,
    fingerprint: String,
    since: Timestamp,
}

impl Table {
    /// Forgets older idempotency keys.
    pub(super) fn forget(&mut self, before: Timestamp) {
        self.keys.retain(|_, known| known.since >= before);
    }

    /// Returns the undelivered notifications of a room queue, oldest first.
    pub(super) fn pending<'a>(&'a self, queue: &'a str, now: Timestamp) -> impl Iterator<Item = &'a Stored> {
        self.rows.values().filter(move |stored| {
            let row = &stored.row;
            stored.queue == queue
                && !stored.is_input
                && row.status == Status::Pending
                && row.expires_at.is_none_or(|expires_at| expires_at > now)
        })
    }
}

impl Stored {
    /// Returns the notification as it is at this time.
    pub(super) fn at(&self, now: Timestamp) -> Notification {
        Notification { in_flight: self.in_flight(now), ..self.row.clone() }
    }

    /// Records a failed attempt. Its reason and next attempt are those of the row.
    pub(super) fn fail(&mut self, attempt: i32, failed_at: Timestamp, detail: &str) {
        self.failures.push(FailedAttempt {
            attempt,
            failed_at,
            reason: self.row.reason.clone().unwrap_or_default(),
            detail: detail.to_owned(),
            next_attempt_at: self.row.next_attempt_at,
        });
    }

    pub(super) fn in_flight(&self, now: Timestamp) -> Option<Duration> {
        let left = self.answer_due?.duration_since(now);
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }
}

#[async_trait]
impl Notifications for Memory {
    async fn accept(&self, entry: NewNotification) -> Result<AcceptOutcome> {
        self.act("storing a notification", |state| state.accept(entry)).await
    }

    async fn accept_all(&self, entries: Vec<NewNotification>) -> Vec<Result<AcceptOutcome>> {
        let count = entries.len();
        let stored = self.act("storing notifications", |state| {
            entries.into_iter().map(|entry| Ok(state.accept(entry))).collect()
        });
        match stored.await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let failed = || Error::internal("storing notifications", error.to_string());
                (0..count).map(|_| Err(failed())).collect()
            }
        }
    }

    async fn find(&self, tenant: TenantId, id: NotificationId) -> Result<Option<Notification>> {
        self.act("reading a notification", |state| {
            let stored = state.notifications.rows.get(&id).filter(|stored| stored.row.tenant == tenant);
            stored.map(|stored| stored.at(state.now))
        })
        .await
    }

    async fn history(&self, tenant: TenantId, id: NotificationId) -> Result<Option<DeliveryHistory>> {
        self.act("reading a notification", |state| {
            let stored = state.notifications.rows.get(&id).filter(|stored| stored.row.tenant == tenant);
            stored.map(|stored| DeliveryHistory {
                notification: stored.at(state.now),
                announced_at: stored.announced_at,
                sent_at: stored.sent_at,
                failures: stored.failures.clone(),
            })
        })
        .await
    }

    async fn log(&self, tenant: TenantId, query: &LogQuery) -> Result<Vec<Notification>> {
        let count = |number| usize::try_from(number).unwrap_or_default();
        self.act("reading notifications", |state| {
            let rows = state.notifications.rows.values().rev();
            rows.filter(|stored| stored.row.tenant == tenant)
                .filter(|stored| {
                    query.source_app.as_ref().is_none_or(|app| *app == stored.row.draft.source_app)
                })
                .skip(count(query.offset))
                .take(count(query.limit))
                .map(|stored| stored.at(state.now))
                .collect()
        })
        .await
    }

    async fn installation(&self) -> Result<String> {
        self.act("reading the installation's id", |_| self.shared.installation.clone()).await
    }
}

impl State {
    fn accept(&mut self, entry: NewNotification) -> AcceptOutcome {
        let satellite = entry.satellite.clone();
        let idempotency = entry.options.idempotency.clone();
        let keyed = idempotency.map(|Idempotency { key, fingerprint }| {
            ((satellite.token.clone(), satellite.tenant, key), fingerprint)
        });
        if let Some(known) = keyed.as_ref().and_then(|(key, _)| self.notifications.keys.get(key)) {
            let notification = Box::new(self.notifications.rows[&known.id].at(self.now));
            return AcceptOutcome::Replayed { notification, fingerprint: known.fingerprint.clone() };
        }
        let (notification, queue_state) = self.store(entry);
        if let Some((key, fingerprint)) = keyed {
            let known = Known { id: notification.id, fingerprint, since: self.now };
            self.notifications.keys.insert(key, known);
        }
        AcceptOutcome::New { notification: Box::new(notification), queue_state }
    }

    fn store(&mut self, entry: NewNotification) -> (Notification, QueueState) {
        let tenant = entry.satellite.tenant;
        let queue = entry.draft.room_key(tenant).to_string();
        let held = match &entry.draft.target {
            Target::Dm(user) => self.user(tenant, user).is_none(),
            _ => false,
        };
        // The worker delivers the messages of alarms.
        let is_input = entry.alarm.is_some();
        let queue_state = match self.queue_state(&queue) {
            QueueState::Free if is_input => QueueState::Queued,
            state => state,
        };
        // The worker delivers a notification that is queued behind others, or that no caller waits for.
        let in_flight = !held && queue_state == QueueState::Free && !entry.options.wait.is_zero();
        let last = self.notifications.rows.last_key_value().map_or(0, |(id, _)| id.0);
        let row = Notification {
            id: NotificationId(last + 1),
            tenant,
            status: Status::Pending,
            reason: held.then(|| reason::RECIPIENT_NOT_PROVISIONED.to_owned()),
            room: entry.room,
            event: None,
            created_at: self.now,
            expires_at: (held && !is_input).then(|| self.now + HELD_FOR),
            attempts: 0,
            next_attempt_at: None,
            in_flight: None,
            announced: !held && !is_input,
            origin: entry.options.origin,
            draft: entry.draft,
        };
        if row.announced {
            let event = NewEvent {
                audience: row.draft.audience(tenant),
                kind: Kind::Notification,
                room: row.room.clone(),
                payload: entry.payload,
                key: None,
            };
            self.log.append_about_notification(self.now, &row, &event);
        }
        let answer_due = in_flight.then(|| self.now + entry.options.wait);
        match entry.alarm {
            Some(alarm) => self.receive_from_satellite(&row, alarm),
            None => self.enter_queue(&queue, held, answer_due),
        }
        let stored = Stored {
            row,
            queue,
            is_input,
            answer_due,
            announced_at: None,
            sent_at: None,
            failures: Vec::new(),
        };
        let notification = stored.at(self.now);
        self.notifications.rows.insert(notification.id, stored);
        (notification, queue_state)
    }

    fn queue_state(&self, queue: &str) -> QueueState {
        let now = self.now;
        let is_first = self.notifications.pending(queue, now).all(|earlier| earlier.in_flight(now).is_some());
        if is_first && !self.alarm_messages.is_unsent(queue) {
            QueueState::Free
        } else if self.is_backing_off(queue) {
            QueueState::BackingOff
        } else {
            QueueState::Queued
        }
    }
}
