//! Maintenance in memory.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{Result, notification::Status, port::Maintenance};

use super::{Memory, State, hear, outbox::Due};
use crate::clock::START;

/// How long events of the homeserver are known at the least; and those since so long before the reconciled position moved.
const EVENTS_KEPT: Duration = Duration::from_hours(30 * 24);
const EVENTS_KEPT_BEFORE: Duration = Duration::from_hours(24);
/// How long idempotency keys are known.
const KEYS_KEPT: Duration = Duration::from_hours(7 * 24);

#[async_trait]
impl Maintenance for Memory {
    async fn work(&self, patience: Duration) {
        hear(&self.shared.stirred, patience).await;
    }

    async fn is_backing_off(&self) -> Result<bool> {
        self.act("looking for what rests", |state| {
            let now = state.now;
            state.queues.values().any(|queue| queue.due.rests_at(now))
                || state.users.values().any(|user| user.failures > 0 && user.due.is_some_and(|due| due > now))
                || state.pending_leaves.values().any(|one| one.failures > 0 && one.at > now)
                || state.external.values().any(|one| one.rests_at(now))
        })
        .await
    }

    async fn retry_now(&self) -> Result<()> {
        self.act("waking what rests", State::retry_now).await
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
    fn retry_now(&mut self) {
        let now = self.now;
        for queue in self.queues.values_mut().filter(|queue| queue.due.rests_at(now)) {
            queue.due = Due::At(now);
            self.work = true;
        }
        for user in self.users.values_mut().filter(|user| user.failures > 0) {
            user.due = user.due.map(|due| due.min(now));
            self.work = true;
        }
        for pending_leave in self.pending_leaves.values_mut().filter(|one| one.failures > 0) {
            pending_leave.at = pending_leave.at.min(now);
            self.work = true;
        }
        for access in self.external.values_mut().filter(|one| one.rests_at(now)) {
            access.revoke_due = Some(now);
            self.work = true;
        }
    }

    fn expire(&mut self) -> u64 {
        let now = self.now;
        let late = self.notifications.rows.values_mut().filter(|stored| {
            stored.row.status == Status::Pending && stored.row.expires_at.is_some_and(|at| at <= now)
        });
        late.map(|stored| stored.row.status = Status::Expired).count() as u64
    }
}
