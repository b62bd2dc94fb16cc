//! Stores when users called last, in the background.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use crate::{
    domain::id::HubUserId,
    live::cache::Cache,
    port::{AdminPorts, AdminUsers},
};

/// The time for which a user is not stored again by this process.
const INTERVAL: Duration = Duration::from_mins(5);
/// The most users of whom a process remembers that they called.
const REMEMBERED: u64 = 200_000;
/// The most users that wait to be stored. Beyond it, a later call of the user is stored.
const QUEUE: usize = 10_000;
/// The most users that one statement stores.
const BATCH: usize = 500;

/// The engine that stores when users called.
pub struct LastSeen {
    recent: Cache<HubUserId, ()>,
    queue: mpsc::Sender<HubUserId>,
}

impl LastSeen {
    /// Starts the task that stores. It ends with the engine.
    pub(crate) fn new(ports: &AdminPorts) -> Self {
        let (queue, users) = mpsc::channel(QUEUE);
        let recent = Cache::with_ttl_and_capacity(INTERVAL, REMEMBERED);
        tokio::spawn(store(ports.users.clone(), users, recent.clone()));
        Self { recent, queue }
    }

    /// Notes that a user calls now. Does not wait.
    pub fn note(&self, user: &HubUserId) {
        let is_due = self.recent.get(user).is_none() && self.recent.put_if_absent(user.clone(), ());
        if is_due && self.queue.try_send(user.clone()).is_err() {
            self.recent.remove(user);
        }
    }
}

/// Stores the users of a queue in batches, one after the other. A user who could not be stored is stored at
/// the next call.
async fn store(
    port: Arc<dyn AdminUsers>,
    mut queue: mpsc::Receiver<HubUserId>,
    recent: Cache<HubUserId, ()>,
) {
    let mut users = Vec::new();
    while queue.recv_many(&mut users, BATCH).await > 0 {
        let stored = port.seen(&users).await.unwrap_or_else(|error| {
            tracing::debug!(error = &error as &dyn std::error::Error, "storing when users called failed");
            Vec::new()
        });
        for user in users.drain(..).filter(|user| !stored.contains(user)) {
            recent.remove(&user);
        }
    }
}
