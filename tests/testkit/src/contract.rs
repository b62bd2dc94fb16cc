//! Contract tests of the ports: one text for each port, run by every adapter.
//!
//! An adapter's test names a function that makes an empty store, and runs the tests with [`contract_tests!`]:
//!
//! ```text
//! struct Database { … }
//!
//! #[async_trait]
//! impl Store for Database { … }
//!
//! /// Creates a database for one test.
//! async fn new_store() -> Database { … }
//!
//! messenger_testkit::contract_tests!(new_store);
//! ```
//!
//! [`ageing_contract_tests!`] has the tests that need days to pass, for adapters whose clock can be moved.
//! [`feed_contract_tests!`] has those of the event log alone, [`alarm_contract_tests!`] those of alarms.
//! [`homeserver_contract_tests!`] has the tests of a homeserver.
//!
//! [`alarm_contract_tests!`]: crate::alarm_contract_tests
//! [`contract_tests!`]: crate::contract_tests
//! [`feed_contract_tests!`]: crate::feed_contract_tests
//! [`ageing_contract_tests!`]: crate::ageing_contract_tests
//! [`homeserver_contract_tests!`]: crate::homeserver_contract_tests

pub mod accept;
pub mod ageing;
pub mod alarm_histories;
pub mod alarm_messages;
pub mod alarms;
pub mod audience;
pub mod cursors;
pub mod ephemeral_bus;
pub mod external;
pub mod feed;
pub mod files;
pub mod held_messages;
pub mod homeserver;
pub mod identity;
pub mod inbox;
mod macros;
pub mod maintenance;
pub mod memberships;
pub mod message_search;
pub mod messages;
pub mod notifications;
pub mod outbox;
pub mod pending_leaves;
pub mod provisioning;
pub mod queue_state;
pub mod queues;
pub mod reactions;
pub mod receipts;
pub mod reconciliation;
pub mod records;
pub mod redacted_payloads;
pub mod redactions;
pub mod room_views;
pub mod rooms;
pub mod search;
pub mod users;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use messenger_core::{
    Ports, Result,
    alarm::{AlarmKey, Input},
    notification::{AcceptOutcome, NewNotification, Notification, QueueState},
    port::{Accounts, Alarms, Homeserver, MembershipCalls, RoomAdministration, RoomQueue, Timeline},
};
use tokio::task::JoinSet;

use crate::{Memory, MemoryHomeserver, TestClock};

/// A duration that ends within a test.
pub(crate) const SHORT: Duration = Duration::from_millis(250);
/// A duration that does not end within a test.
pub(crate) const LONG: Duration = Duration::from_mins(10);

/// An empty store.
#[async_trait]
pub trait Store: Send + Sync {
    /// Returns its ports. The contract uses neither `homeserver` nor `clock`.
    fn ports(&self) -> Ports;

    /// Lets time pass for leases and delays. Moves the store's clock, or sleeps if that is not possible.
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

/// An empty store of alarms.
#[async_trait]
pub trait AlarmStore: Store {
    /// Returns its port.
    fn alarms(&self) -> Arc<dyn Alarms>;

    /// Stores an input, as a notification or an ingested event does. The store assigns its id and time.
    async fn receive(&self, key: &AlarmKey, input: Input) -> Result<()>;
}

#[async_trait]
impl AlarmStore for Memory {
    fn alarms(&self) -> Arc<dyn Alarms> {
        Arc::new(self.clone())
    }

    async fn receive(&self, key: &AlarmKey, input: Input) -> Result<()> {
        self.receive_alarm_input(key, input).await
    }
}

/// The ports of a homeserver that the contract uses.
pub trait HomeserverPorts: Homeserver + Accounts + RoomAdministration + MembershipCalls + Timeline {}

impl<T: Homeserver + Accounts + RoomAdministration + MembershipCalls + Timeline> HomeserverPorts for T {}

/// A homeserver in which no other test uses the names of this one.
pub trait TestHomeserver: Send + Sync {
    /// Returns its ports.
    fn homeserver(&self) -> &dyn HomeserverPorts;

    /// Returns its `server_name`.
    fn server_name(&self) -> &str;

    /// Returns a part for names that no other test uses: `[a-z0-9]+`.
    fn unique(&self) -> &str;
}

/// Waits until `look` returns a value, while time passes.
pub(crate) async fn eventually<T>(
    store: &dyn Store,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    for _ in 0..100 {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        store.pass(SHORT).await;
    }
    panic!("the expected state did not come in time")
}

/// Runs the same call many times concurrently, in tasks of their own.
pub(crate) async fn concurrently<T, F>(times: usize, act: impl Fn(usize) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let tasks: JoinSet<_> = (0..times).map(act).collect();
    tasks.join_all().await.into_iter().collect()
}

/// Stores a new notification.
pub(crate) async fn accept(ports: &Ports, entry: NewNotification) -> Result<(Notification, QueueState)> {
    match ports.notifications.accept(entry).await? {
        AcceptOutcome::New { notification, queue_state } => Ok((*notification, queue_state)),
        AcceptOutcome::Replayed { .. } => panic!("the notification is not new"),
    }
}

/// Claims the one room queue that is due, for long.
pub(crate) async fn claim(ports: &Ports) -> Result<RoomQueue> {
    Ok(ports.outbox.claim(LONG).await?.expect("a room queue is due"))
}

/// Returns the pending notifications of a room queue.
pub(crate) async fn pending(ports: &Ports, queue: &RoomQueue) -> Result<Vec<Notification>> {
    ports.outbox.pending(queue, LONG, 100).await
}
