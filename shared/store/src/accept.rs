//! Group commit: notifications that arrive during a commit share the next one.
//!
//! The commits run in a task of their own, so a caller that disconnects cancels none.

mod batch;

use std::{collections::HashSet, mem, sync::Arc};

use futures::future::join_all;
use messenger_core::{
    Error, Result,
    error::Failure,
    notification::{AcceptOutcome, NewNotification},
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    error::{fault, share},
    local_appends::LocalAppends,
    notifications::row,
    pool::Database,
};
use batch::{Outcome, Stored};

/// Maximum number of notifications in one commit.
const BATCH_MAX: usize = 256;
/// Maximum number of queued notifications; further callers wait until there is room.
const QUEUE_MAX: usize = 4096;
const STORING: &str = "storing a notification";

/// The sending end of the group commit.
pub(crate) struct Acceptor(mpsc::Sender<PendingAccept>);

struct PendingAccept {
    entry: NewNotification,
    outcome: oneshot::Sender<Result<AcceptOutcome>>,
}

impl Acceptor {
    pub(crate) fn start(database: Database, local_appends: Arc<LocalAppends>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run(database, local_appends, receiver));
        Self(sender)
    }

    /// Stores an entry together with those that arrive at the same time.
    pub(crate) async fn accept(&self, entry: NewNotification) -> Result<AcceptOutcome> {
        outcome(self.queue(entry).await).await
    }

    /// Stores entries in this order, together with those that arrive at the same time.
    pub(crate) async fn accept_all(&self, entries: Vec<NewNotification>) -> Vec<Result<AcceptOutcome>> {
        let mut queued = Vec::with_capacity(entries.len());
        for entry in entries {
            queued.push(self.queue(entry).await);
        }
        join_all(queued.into_iter().map(outcome)).await
    }

    async fn queue(&self, entry: NewNotification) -> Result<oneshot::Receiver<Result<AcceptOutcome>>> {
        let (outcome, received) = oneshot::channel();
        self.0.send(PendingAccept { entry, outcome }).await.map_err(|_| ended())?;
        Ok(received)
    }
}

async fn outcome(queued: Result<oneshot::Receiver<Result<AcceptOutcome>>>) -> Result<AcceptOutcome> {
    queued?.await.map_err(|_| ended())?
}

fn ended() -> Error {
    fault(Failure::Broken, STORING, "the group commit has ended")
}

/// Stores the test notification of an administrator with its entry in the audit log, in a commit of its own.
/// The broker reads its live event from the event log.
pub(crate) async fn alone(database: &Database, entry: NewNotification) -> Result<AcceptOutcome> {
    let stored = batch::store(database, &[&entry]).await?;
    accepted(database, &stored, 0, entry).await
}

/// Commits batches until the store is dropped.
async fn run(
    database: Database,
    local_appends: Arc<LocalAppends>,
    mut receiver: mpsc::Receiver<PendingAccept>,
) {
    let mut waiting = Vec::new();
    loop {
        if waiting.is_empty() && receiver.recv_many(&mut waiting, BATCH_MAX).await == 0 {
            return;
        }
        // Entries that arrived during the last commit join those that were left over from it.
        while waiting.len() < BATCH_MAX
            && let Ok(one) = receiver.try_recv()
        {
            waiting.push(one);
        }
        let (batch, later) = split(mem::take(&mut waiting));
        waiting = later;
        commit(&database, &local_appends, batch).await;
    }
}

/// Splits off the entries whose idempotency key occurs earlier: they wait for the next batch.
fn split(waiting: Vec<PendingAccept>) -> (Vec<PendingAccept>, Vec<PendingAccept>) {
    let mut keys = HashSet::new();
    waiting.into_iter().partition(|one| {
        let entry = &one.entry;
        entry.options.idempotency.as_ref().is_none_or(|idempotency| {
            keys.insert((entry.satellite.tenant, entry.satellite.token.clone(), idempotency.key.clone()))
        })
    })
}

/// Commits a batch, and answers the callers.
async fn commit(database: &Database, local_appends: &LocalAppends, batch: Vec<PendingAccept>) {
    let entries: Vec<_> = batch.iter().map(|waiting| &waiting.entry).collect();
    match batch::store(database, &entries).await {
        Ok(stored) => {
            local_appends.append(stored.events(&entries));
            for (n, waiting) in batch.into_iter().enumerate() {
                let accepted = accepted(database, &stored, n, waiting.entry).await;
                // The entry is stored even if the caller has disconnected.
                let _ = waiting.outcome.send(accepted);
            }
        }
        // An entry that PostgreSQL rejects must not fail the others.
        Err(error) if error.failure() == Some(Failure::Rejected) && batch.len() > 1 => {
            for waiting in batch {
                Box::pin(commit(database, local_appends, vec![waiting])).await;
            }
        }
        Err(error) => {
            let error = share(error, STORING);
            for waiting in batch {
                let _ = waiting.outcome.send(Err(error()));
            }
        }
    }
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
