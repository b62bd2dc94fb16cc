//! Group commit: notifications that arrive while a commit is on its way share the next one.
//!
//! The batch runs in a task of its own, so a caller who goes away takes nothing with them.

mod batch;

use std::{collections::HashSet, mem, sync::Arc};

use messenger_core::{
    Result,
    error::Failure,
    notification::{AcceptOutcome, NewNotification},
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    error::{fault, share},
    local_appends::LocalAppends,
    notifications,
    pool::Database,
};
use batch::{Outcome, Stored};

/// Most notifications in one commit.
const BATCH: usize = 256;
/// Most notifications that wait for a commit; more wait for a place.
const WAITING: usize = 4096;
const DOING: &str = "storing a notification";

/// The way into the next batch.
pub(crate) struct Acceptor(mpsc::Sender<PendingAccept>);

struct PendingAccept {
    entry: NewNotification,
    answer: oneshot::Sender<Result<AcceptOutcome>>,
}

impl Acceptor {
    pub(crate) fn start(database: Database, local_appends: Arc<LocalAppends>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(run(database, local_appends, receiver));
        Self(sender)
    }

    /// Stores an entry with others that come at the same time.
    pub(crate) async fn accept(&self, entry: NewNotification) -> Result<AcceptOutcome> {
        let gone = || fault(Failure::Broken, DOING, "the group commit has ended");
        let (answer, answered) = oneshot::channel();
        self.0.send(PendingAccept { entry, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Commits batch after batch until the store is gone.
async fn run(
    database: Database,
    local_appends: Arc<LocalAppends>,
    mut receiver: mpsc::Receiver<PendingAccept>,
) {
    let mut waiting = Vec::new();
    loop {
        if waiting.is_empty() && receiver.recv_many(&mut waiting, BATCH).await == 0 {
            return;
        }
        // What has arrived during the last commit joins the entries that were left over from it.
        while waiting.len() < BATCH
            && let Ok(one) = receiver.try_recv()
        {
            waiting.push(one);
        }
        let (batch, later) = split(mem::take(&mut waiting));
        waiting = later;
        commit(&database, &local_appends, batch).await;
    }
}

/// A batch in which each idempotency key occurs once, and what has to wait for it.
fn split(waiting: Vec<PendingAccept>) -> (Vec<PendingAccept>, Vec<PendingAccept>) {
    let mut keys = HashSet::new();
    waiting.into_iter().partition(|one| {
        let entry = &one.entry;
        entry.options.idempotency.as_ref().is_none_or(|idempotency| {
            keys.insert((entry.satellite.tenant, entry.satellite.token.clone(), idempotency.key.clone()))
        })
    })
}

async fn commit(database: &Database, local_appends: &LocalAppends, batch: Vec<PendingAccept>) {
    let entries: Vec<_> = batch.iter().map(|waiting| &waiting.entry).collect();
    match batch::store(database, &entries).await {
        Ok(stored) => {
            local_appends.append(stored.events(&entries));
            for (n, waiting) in batch.into_iter().enumerate() {
                let accepted = accepted(database, &stored, n, waiting.entry).await;
                // A caller who went away needs no answer; what they sent is stored.
                let _ = waiting.answer.send(accepted);
            }
        }
        // One entry that PostgreSQL refuses must not take the others with it.
        Err(error) if error.failure() == Some(Failure::Rejected) && batch.len() > 1 => {
            for waiting in batch {
                Box::pin(commit(database, local_appends, vec![waiting])).await;
            }
        }
        Err(error) => {
            let again = share(error, DOING);
            for waiting in batch {
                let _ = waiting.answer.send(Err(again()));
            }
        }
    }
}

async fn accepted(
    database: &Database,
    stored: &Stored,
    n: usize,
    entry: NewNotification,
) -> Result<AcceptOutcome> {
    let tenant = entry.satellite.tenant;
    match stored.outcome(n, entry) {
        Outcome::New(notification, place) => Ok(AcceptOutcome::New { notification, place }),
        Outcome::Known(id, fingerprint) => {
            let known = notifications::find(database, tenant, id).await?;
            let known = known
                .ok_or_else(|| fault(Failure::Broken, DOING, "an idempotency key without notification"))?;
            Ok(AcceptOutcome::Replayed { notification: Box::new(known), fingerprint })
        }
    }
}
