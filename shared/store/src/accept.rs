//! Accepts notifications. Those that arrive during a commit share the next one ([`GroupCommit`]).

mod batch;

use std::sync::Arc;

use messenger_core::{
    Result,
    error::Failure,
    id::TenantId,
    notification::{AcceptOutcome, NewNotification},
};

use crate::{
    error::fault,
    group_commit::{Commit, GroupCommit},
    local_appends::LocalAppends,
    notifications::row,
    pool::Database,
};
use batch::{Outcome, Stored};

const STORING: &str = "storing a notification";

/// The group commit of notifications.
pub(crate) type Acceptor = GroupCommit<Accept>;

/// The statement `accept_notifications`.
pub(crate) struct Accept {
    pub(crate) database: Database,
    pub(crate) local_appends: Arc<LocalAppends>,
}

impl Commit for Accept {
    type Item = NewNotification;
    type Stored = Stored;
    type Outcome = AcceptOutcome;
    type Key = (TenantId, String, String);

    const CONTEXT: &'static str = STORING;

    fn keys(entry: &NewNotification) -> Vec<Self::Key> {
        let key = entry.options.idempotency.as_ref().map(|idempotency| {
            (entry.satellite.tenant, entry.satellite.token.clone(), idempotency.key.clone())
        });
        key.into_iter().collect()
    }

    async fn store(&self, entries: &[&NewNotification]) -> Result<Stored> {
        let stored = batch::store(&self.database, entries).await?;
        self.local_appends.append(stored.events(entries));
        Ok(stored)
    }

    async fn outcome(&self, stored: &Stored, n: usize, entry: NewNotification) -> Result<AcceptOutcome> {
        accepted(&self.database, stored, n, entry).await
    }
}

/// Stores the test notification of an administrator with its entry in the audit log, in a commit of its own.
/// The broker reads its live event from the event log.
pub(crate) async fn alone(database: &Database, entry: NewNotification) -> Result<AcceptOutcome> {
    let stored = batch::store(database, &[&entry]).await?;
    accepted(database, &stored, 0, entry).await
}

/// Returns the outcome of one entry of a committed batch.
async fn accepted(
    database: &Database,
    stored: &Stored,
    n: usize,
    entry: NewNotification,
) -> Result<AcceptOutcome> {
    let tenant = entry.satellite.tenant;
    match stored.outcome(n, entry) {
        Outcome::New(notification, queue_state) => Ok(AcceptOutcome::New { notification, queue_state }),
        Outcome::Known(id, fingerprint) => {
            let known = row::find(database, tenant, id).await?;
            let known = known.ok_or_else(|| {
                fault(Failure::Broken, STORING, "an idempotency key without its notification")
            })?;
            Ok(AcceptOutcome::Replayed { notification: Box::new(known), fingerprint })
        }
    }
}
