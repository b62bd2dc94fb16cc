//! What every adapter of a port promises, as tests: one text for memory, PostgreSQL and whatever comes.
//!
//! An adapter's test says how to make a fresh store and runs everything with [`contract_tests!`]:
//!
//! ```text
//! struct Database { … }
//!
//! #[async_trait]
//! impl Store for Database { … }
//!
//! /// A database of its own for each test.
//! async fn fresh() -> Database { … }
//!
//! messenger_testkit::contract_tests!(fresh);
//! ```
//!
//! What needs days to pass stands in [`ageing_contract_tests!`], for adapters whose time can be moved; what a
//! homeserver promises in [`homeserver_contract_tests!`].
//!
//! [`contract_tests!`]: crate::contract_tests
//! [`ageing_contract_tests!`]: crate::ageing_contract_tests
//! [`homeserver_contract_tests!`]: crate::homeserver_contract_tests

pub mod accept;
pub mod ageing;
pub mod audience;
pub mod cursors;
pub mod due;
pub mod emptied;
pub mod ephemeral_bus;
pub mod external;
pub mod feed;
pub mod files;
pub mod held;
pub mod homeserver;
pub mod identity;
pub mod maintenance;
pub mod memberships;
pub mod messages;
pub mod notifications;
pub mod outbox;
pub mod pending_leaves;
pub mod place;
mod promises;
pub mod queues;
pub mod receipts;
pub mod reconciliation;
pub mod records;
pub mod redactions;
pub mod room_views;
pub mod rooms;
pub mod search;
pub mod users;

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use messenger_core::{
    Ports, Result,
    notification::{AcceptOutcome, NewNotification, Notification, QueueState},
    port::{Homeserver, RoomQueue},
};
use tokio::task::JoinSet;

use crate::{Memory, MemoryHomeserver, TestClock};

/// A time that ends within a test.
pub(crate) const SHORT: Duration = Duration::from_millis(250);
/// A time that does not end within a test.
pub(crate) const LONG: Duration = Duration::from_mins(10);

/// A store with nothing in it.
#[async_trait]
pub trait Store: Send + Sync {
    /// Its ports. The contract uses neither `homeserver` nor `clock`.
    fn ports(&self) -> Ports;

    /// Lets time pass for leases and delays: moves the store's clock, or sleeps where that cannot be done.
    async fn pass(&self, time: Duration);
}

#[async_trait]
impl Store for Memory {
    fn ports(&self) -> Ports {
        Self::ports(self, &MemoryHomeserver::default(), &TestClock::default())
    }

    async fn pass(&self, time: Duration) {
        self.advance(time);
    }
}

/// A homeserver on which nobody else works with what a test names.
pub trait Home: Send + Sync {
    /// Its port.
    fn homeserver(&self) -> &dyn Homeserver;

    /// Its `server_name`.
    fn server_name(&self) -> &str;

    /// What makes names of this test unlike those of any other: `[a-z0-9]+`.
    fn unique(&self) -> &str;
}

/// Waits for something that becomes true as time passes.
pub(crate) async fn in_time<T>(
    store: &dyn Store,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    for _ in 0..100 {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        store.pass(SHORT).await;
    }
    panic!("it did not become true in time")
}

/// Does the same many times at once, in tasks of their own.
pub(crate) async fn together<T, F>(times: usize, act: impl Fn(usize) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let tasks: JoinSet<_> = (0..times).map(act).collect();
    tasks.join_all().await.into_iter().collect()
}

/// Stores what is new.
pub(crate) async fn accept(ports: &Ports, entry: NewNotification) -> Result<(Notification, QueueState)> {
    match ports.notifications.accept(entry).await? {
        AcceptOutcome::New { notification, place } => Ok((*notification, place)),
        AcceptOutcome::Replayed { .. } => panic!("it is not new"),
    }
}

/// Claims the one room queue that is due, for long.
pub(crate) async fn claim(ports: &Ports) -> Result<RoomQueue> {
    Ok(ports.outbox.claim(LONG).await?.expect("a lane is due"))
}

/// What is pending in a room queue.
pub(crate) async fn pending(ports: &Ports, queue: &RoomQueue) -> Result<Vec<Notification>> {
    ports.outbox.pending(queue, LONG, 100).await
}
