//! Group commit: entries that arrive during a commit share the next one.
//!
//! The commits run in a task of their own, so a caller that disconnects cancels none.

use std::{collections::HashSet, hash::Hash, mem};

use messenger_core::{Error, Result, error::Failure};
use tokio::sync::{mpsc, oneshot};

use crate::error::{fault, share};

/// Maximum number of entries in one commit.
const BATCH_MAX: usize = 256;
/// Maximum number of queued entries; further callers wait until there is room.
const QUEUE_MAX: usize = 4096;

/// The statement that stores a batch of entries.
pub(crate) trait Commit: Send + Sync + 'static {
    /// An entry of a batch.
    type Item: Send + Sync + 'static;
    /// The result of a batch.
    type Stored: Send + Sync;
    /// The result of an entry.
    type Outcome: Send + 'static;
    /// A value that occurs in one entry of a batch only.
    type Key: Eq + Hash + Send;

    /// The operation, for errors.
    const CONTEXT: &'static str;

    /// Returns the keys of an entry. It waits for the next batch if an earlier entry has one of them.
    fn keys(entry: &Self::Item) -> Vec<Self::Key>;

    /// Stores a batch: all or nothing.
    fn store(&self, entries: &[&Self::Item]) -> impl Future<Output = Result<Self::Stored>> + Send;

    /// Returns the result of the entry with this index.
    fn outcome(
        &self,
        stored: &Self::Stored,
        n: usize,
        entry: Self::Item,
    ) -> impl Future<Output = Result<Self::Outcome>> + Send;
}

/// The sending end of a group commit.
pub(crate) struct GroupCommit<C: Commit>(mpsc::Sender<Waiting<C>>);

struct Waiting<C: Commit> {
    entry: C::Item,
    outcome: oneshot::Sender<Result<C::Outcome>>,
}

impl<C: Commit> GroupCommit<C> {
    /// Starts the task of the commits.
    pub(crate) fn start(commit: C) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run(commit, receiver));
        Self(sender)
    }

    /// Stores an entry together with those that arrive at the same time.
    pub(crate) async fn store(&self, entry: C::Item) -> Result<C::Outcome> {
        let (outcome, received) = oneshot::channel();
        self.0.send(Waiting { entry, outcome }).await.map_err(|_| Self::ended())?;
        received.await.map_err(|_| Self::ended())?
    }

    /// Stores entries in this order, together with those that arrive at the same time.
    pub(crate) async fn store_all(&self, entries: Vec<C::Item>) -> Vec<Result<C::Outcome>> {
        let mut sent = Vec::with_capacity(entries.len());
        for entry in entries {
            let (outcome, receiver) = oneshot::channel();
            let result = self.0.send(Waiting { entry, outcome }).await;
            sent.push(result.map(|()| receiver).map_err(|_| Self::ended()));
        }
        let mut outcomes = Vec::with_capacity(sent.len());
        for receiver in sent {
            outcomes.push(match receiver {
                Ok(receiver) => receiver.await.unwrap_or_else(|_| Err(Self::ended())),
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    fn ended() -> Error {
        fault(Failure::Broken, C::CONTEXT, "the group commit has ended")
    }
}

/// Commits batches until the store is dropped.
async fn run<C: Commit>(commit: C, mut receiver: mpsc::Receiver<Waiting<C>>) {
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
        commit_batch(&commit, batch).await;
    }
}

/// Splits off the entries of which a key occurs earlier: they wait for the next batch.
fn split<C: Commit>(waiting: Vec<Waiting<C>>) -> (Vec<Waiting<C>>, Vec<Waiting<C>>) {
    let mut known = HashSet::new();
    waiting.into_iter().partition(|one| {
        let keys = C::keys(&one.entry);
        let is_new = keys.iter().all(|key| !known.contains(key));
        known.extend(keys);
        is_new
    })
}

/// Commits a batch, and answers the callers.
async fn commit_batch<C: Commit>(commit: &C, batch: Vec<Waiting<C>>) {
    let entries: Vec<_> = batch.iter().map(|waiting| &waiting.entry).collect();
    match commit.store(&entries).await {
        Ok(stored) => {
            for (n, waiting) in batch.into_iter().enumerate() {
                let outcome = commit.outcome(&stored, n, waiting.entry).await;
                // The entry is stored even if the caller has disconnected.
                let _ = waiting.outcome.send(outcome);
            }
        }
        // An entry that PostgreSQL rejects must not fail the others.
        Err(error) if error.failure() == Some(Failure::Rejected) && batch.len() > 1 => {
            for waiting in batch {
                Box::pin(commit_batch(commit, vec![waiting])).await;
            }
        }
        Err(error) => {
            let error = share(error, C::CONTEXT);
            for waiting in batch {
                let _ = waiting.outcome.send(Err(error()));
            }
        }
    }
}
