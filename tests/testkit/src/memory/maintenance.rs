//! Maintenance in memory.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    notification::Status,
    port::{Backlog, Feed as _, Maintenance},
};

use super::{Memory, State, outbox::Due, wait_for};
use crate::clock::START;

/// The shortest time for which Matrix event ids are remembered.
const EVENTS_KEPT: Duration = Duration::from_hours(30 * 24);
/// Event ids that arrived within this time before the sync token last moved are remembered as well.
const EVENTS_KEPT_BEFORE: Duration = Duration::from_hours(24);
/// The time for which idempotency keys are remembered.
const KEYS_KEPT: Duration = Duration::from_hours(7 * 24);

#[async_trait]
impl Maintenance for Memory {
    async fn check(&self) -> Result<()> {
        self.span().await.map(drop)
    }

    async fn wait_for_work(&self, timeout: Duration) {
        wait_for(&self.shared.work_added, timeout).await;
    }

    async fn backlog(&self) -> Result<Backlog> {
        self.act("reading the backlog", |state| state.backlog()).await
    }

    async fn is_backing_off(&self) -> Result<bool> {
        self.act("looking for backoffs", |state| {
            let now = state.now;
            state.queues.values().any(|queue| queue.due.is_backing_off_at(now))
                || state.users.values().any(|user| user.failures > 0 && user.due.is_some_and(|due| due > now))
                || state.pending_leaves.values().any(|one| one.failures > 0 && one.at > now)
                || state.external.values().any(|one| one.is_backing_off_at(now))
        })
        .await
    }

    async fn retry_now(&self) -> Result<()> {
        self.act("ending backoffs", State::retry_now).await
    }

    async fn expire(&self) -> Result<u64> {
        self.act("expiring notifications", State::expire).await
    }

    async fn rotate(&self, retention: Duration) -> Result<()> {
        self.act("rotating the event log", |state| {
            state.log.trim(state.now - retention);
            state.notifications.forget(state.now - KEYS_KEPT);
            let moved = state.reconciliation.moved_at.unwrap_or(START);
            let before = (state.now - EVENTS_KEPT).min(moved - EVENTS_KEPT_BEFORE);
            state.log.forget(before);
            state.conversation.redacted.forget(before);
        })
        .await
    }
}

impl State {
    fn backlog(&self) -> Backlog {
        let now = self.now;
        let age = |at: Timestamp| now.duration_since(at).unsigned_abs();
        let pending = self.notifications.rows.values().filter(|stored| {
            stored.row.status == Status::Pending
                && !stored.is_input
                && stored.row.expires_at.is_none_or(|at| at > now)
        });
        let pending = pending.map(|stored| (&*stored.queue, stored.row.created_at, stored.row.announced));
        let messages = self.alarm_messages.due(now).map(|(queue, since, tenant, recipient)| {
            (queue, since, recipient.is_none_or(|user| self.user(tenant, user).is_some()))
        });
        let (queued, held): (Vec<_>, Vec<_>) =
            pending.chain(messages).partition(|(.., is_deliverable)| *is_deliverable);
        Backlog {
            queued: queued.len() as u64,
            held: held.len() as u64,
            queues: queued.iter().map(|(queue, ..)| queue).collect::<BTreeSet<_>>().len() as u64,
            oldest_pending: queued.iter().map(|(_, since, _)| *since).min().map(age),
            oldest_due: self.first_due_queue().map(age),
            since_sync: age(self.reconciliation.moved_at.unwrap_or(START)),
            is_sync_leased: self.reconciliation.until.is_some_and(|until| until > now),
        }
    }

    fn retry_now(&mut self) {
        let now = self.now;
        for queue in self.queues.values_mut().filter(|queue| queue.due.is_backing_off_at(now)) {
            queue.due = Due::At(now);
            self.has_work = true;
        }
        for user in self.users.values_mut().filter(|user| user.failures > 0) {
            user.due = user.due.map(|due| due.min(now));
            self.has_work = true;
        }
        for pending_leave in self.pending_leaves.values_mut().filter(|one| one.failures > 0) {
            pending_leave.at = pending_leave.at.min(now);
            self.has_work = true;
        }
        for access in self.external.values_mut().filter(|one| one.is_backing_off_at(now)) {
            access.revoke_due = Some(now);
            self.has_work = true;
        }
    }

    fn expire(&mut self) -> u64 {
        let now = self.now;
        let expired = self.notifications.rows.values_mut().filter(|stored| {
            stored.row.status == Status::Pending && stored.row.expires_at.is_some_and(|at| at <= now)
        });
        expired.map(|stored| stored.row.status = Status::Expired).count() as u64
    }
}
