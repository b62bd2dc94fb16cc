//! The stored sync token in memory.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{Result, lease::Lease, port::Reconciliation};

use super::Memory;
use crate::clock::START;

#[derive(Default)]
pub(super) struct Row {
    sync_token: Option<String>,
    worker: String,
    pub(super) until: Option<Timestamp>,
    pub(super) moved_at: Option<Timestamp>,
    pushed_at: Option<Timestamp>,
}

#[async_trait]
impl Reconciliation for Memory {
    async fn claim(&self, worker: &str, lease: Duration) -> Result<Lease<Option<String>>> {
        self.act("claiming the sync token", |state| {
            let (now, row) = (state.now, &mut state.reconciliation);
            if row.worker != worker && row.until.is_some_and(|until| until > now) {
                return Lease::Lost;
            }
            worker.clone_into(&mut row.worker);
            row.until = Some(now + lease);
            Lease::Held(row.sync_token.clone())
        })
        .await
    }

    async fn advance(&self, worker: &str, sync_token: &str, lease: Duration) -> Result<Lease<()>> {
        self.act("moving the sync token", |state| {
            let (now, row) = (state.now, &mut state.reconciliation);
            if row.worker != worker {
                return Lease::Lost;
            }
            row.until = Some(now + lease);
            row.sync_token = Some(sync_token.to_owned());
            row.moved_at = Some(now);
            Lease::Held(())
        })
        .await
    }

    async fn renew(&self, worker: &str, lease: Duration) -> Result<Lease<()>> {
        self.act("renewing reconciliation", |state| {
            let (now, row) = (state.now, &mut state.reconciliation);
            if row.worker != worker {
                return Lease::Lost;
            }
            row.until = Some(now + lease);
            Lease::Held(())
        })
        .await
    }

    async fn release(&self, worker: &str) -> Result<()> {
        self.act("releasing reconciliation", |state| {
            let (now, row) = (state.now, &mut state.reconciliation);
            if row.worker == worker {
                row.until = Some(now);
            }
        })
        .await
    }

    async fn sync_token(&self) -> Result<Option<String>> {
        self.act("reading the sync token", |state| state.reconciliation.sync_token.clone()).await
    }

    async fn moved_at(&self) -> Result<Timestamp> {
        self.act("reading when the sync token moved", |state| state.reconciliation.moved_at.unwrap_or(START))
            .await
    }

    async fn note_push(&self) -> Result<()> {
        self.act("storing the time of a push", |state| state.reconciliation.pushed_at = Some(state.now)).await
    }

    async fn since_push(&self) -> Result<Option<Duration>> {
        self.act("reading the time of the last push", |state| {
            let pushed_at = state.reconciliation.pushed_at?;
            Some(state.now.duration_since(pushed_at).unsigned_abs())
        })
        .await
    }
}
