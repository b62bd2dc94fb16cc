//! The ports of a copy of the event log in another store: the database decides, the copy serves readers.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Clock, Cursors, EphemeralBus, Feed, Memberships, Users};
use crate::domain::{
    error::Result,
    event::Event,
    id::{EventId, HubUserId, Position, RoomId, TenantId},
    lease::Lease,
    user::Role,
};

/// A copy of the event log, as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCopy {
    /// Its id: the prefix of all that belongs to it in the other store.
    pub id: String,
    /// The last position that a relay announced: the copy has no head beyond it.
    pub announced: Position,
}

/// The last position that a copy has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// The id of the copy.
    pub copy: String,
    /// The position.
    pub position: Position,
}

/// An event with the time at which it was appended.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// The event.
    pub event: Event,
    /// The time.
    pub appended_at: Timestamp,
}

/// The events that the copy does not have yet, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayLag {
    /// Their number.
    pub events: u64,
    /// The time since the first of them was appended.
    pub age: Duration,
}

/// The copy of a database, and the lease of the relay that writes it. One relay holds it, to save the cost of
/// others; a relay that lost it unnoticed writes what the next one writes as well.
#[async_trait]
pub trait FeedCopies: Send + Sync {
    /// Takes the lease, or renews it. A copy gets another id if its events were to be kept for a shorter time
    /// than `retention`: they vanish too early.
    async fn claim(&self, relay: &str, lease: Duration, retention: Duration) -> Result<Lease<FeedCopy>>;

    /// Gives the copy another id, because the copy of the present one is of another log.
    async fn replace(&self, relay: &str) -> Result<Lease<FeedCopy>>;

    /// Announces that the head of the copy moves up to this position, and renews the lease.
    async fn announce(
        &self,
        relay: &str,
        copy: &str,
        position: Position,
        lease: Duration,
    ) -> Result<Lease<()>>;

    /// Stores that the copy has all events up to this position, and signals it to the readers.
    async fn relayed(&self, relay: &str, copy: &str, position: Position) -> Result<Lease<()>>;

    /// Ends the lease.
    async fn release(&self, relay: &str) -> Result<()>;

    /// Returns the id of the copy; `None` before a relay first ran.
    async fn copy(&self) -> Result<Option<String>>;

    /// Returns the part of the log that the copy does not have yet.
    async fn lag(&self) -> Result<RelayLag>;
}

/// The event log as a relay reads it, and the signals of relays.
#[async_trait]
pub trait FeedSource: Send + Sync {
    /// Returns at most `limit` events of all audiences after the cursor, oldest first.
    async fn recorded(&self, cursor: Position, limit: i64) -> Result<Vec<RecordedEvent>>;

    /// Returns the events with content of these messages or reactions up to a position.
    async fn recorded_about(&self, messages: &[EventId], until: Position) -> Result<Vec<RecordedEvent>>;

    /// Returns the last signal of a relay that this process received; `None` before the first one.
    fn last_relayed(&self) -> Option<Relayed>;

    /// Waits until a relay signals a position after this one, or until `patience` is over.
    async fn wait_relayed(&self, position: Position, patience: Duration);
}

/// A user as streams and polls need them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReader {
    /// The tenant.
    pub tenant: TenantId,
    /// The role.
    pub role: Role,
    /// The issue time of the newest token of the Hub; `None` if it has none.
    pub issued_at: Option<Timestamp>,
    /// The time until which tokens of this service are void; `None` if the user was never logged out.
    pub logged_out_at: Option<Timestamp>,
    /// The rooms, each with the last position of the event log before the user joined.
    pub rooms: Vec<(RoomId, Position)>,
}

/// A user whose rights have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderChange {
    /// The user.
    pub user: HubUserId,
    /// The number of the last change.
    pub number: i64,
    /// The user as stored now; `None` if the user is gone.
    pub reader: Option<StoredReader>,
}

/// Users whose rights have changed, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderChanges {
    /// The last position of the event log at that moment: the rights have all changes up to it.
    pub position: Position,
    /// The users.
    pub changes: Vec<ReaderChange>,
}

/// The users whose rights the copy does not have as they are. Each change of a tenant, role, logout or
/// membership makes its user due in the same transaction, and a copy with another id makes all users due.
#[async_trait]
pub trait ReaderCopies: Send + Sync {
    /// Returns at most `limit` users who are due, the longest due ones first.
    async fn changed(&self, limit: i64) -> Result<ReaderChanges>;

    /// Stores that the copy has these changes. A user who has changed since stays due.
    async fn copied(&self, changes: &[ReaderChange]) -> Result<()>;
}

/// The ports that a copy of the event log needs: those of its database, and the clock.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the port of its type")]
pub struct FeedCopyPorts {
    pub feed: Arc<dyn Feed>,
    pub source: Arc<dyn FeedSource>,
    pub copies: Arc<dyn FeedCopies>,
    pub readers: Arc<dyn ReaderCopies>,
    pub clock: Arc<dyn Clock>,
}

impl FeedCopyPorts {
    /// Takes the ports of the database from one adapter.
    pub fn new<S>(store: Arc<S>, clock: Arc<dyn Clock>) -> Self
    where
        S: Feed + FeedSource + FeedCopies + ReaderCopies + 'static,
    {
        Self { feed: store.clone(), source: store.clone(), copies: store.clone(), readers: store, clock }
    }
}

/// The figures of a relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayFigures {
    /// The number of writes so far that the other store refused because there were too many at once.
    pub throttled: u64,
}

/// The relay, which copies the event log into another store.
#[async_trait]
pub trait Relay: Send + Sync {
    /// Copies new events until the future is dropped, and calls `copied` after some were. `relay` names it among
    /// those of other processes.
    async fn run(&self, relay: &str, copied: &(dyn Fn() + Send + Sync));

    /// Ends the lease of a relay whose [`run`](Self::run) was dropped, so that another one goes on at once.
    async fn release(&self, relay: &str) -> Result<()>;

    /// Returns the figures of this process.
    fn figures(&self) -> RelayFigures;
}

/// A copy of the event log: the feed that reads it, and the relay that writes it.
#[derive(Clone)]
pub struct CopiedFeed {
    /// The feed.
    pub feed: Arc<dyn Feed>,
    /// The relay.
    pub relay: Arc<dyn Relay>,
}

/// The ports of a process that reads the copy and has no database.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the port of its type")]
pub struct CopiedReaders {
    pub feed: Arc<dyn Feed>,
    pub users: Arc<dyn Users>,
    pub memberships: Arc<dyn Memberships>,
    pub cursors: Arc<dyn Cursors>,
    pub ephemeral_bus: Arc<dyn EphemeralBus>,
}
