//! The ports: traits through which the use cases reach the database, the homeserver and the clock.
//!
//! A port is small and named after its resource or role. Each method of a store is atomic: it takes effect as
//! a whole or not at all ([`Maintenance`] excepted). The contract of each port stands once in
//! `messenger-testkit`, and every adapter runs it.
//!
//! A store measures time by its own clock, which all processes share. Leases and delays are therefore
//! durations.

mod chat;
mod ephemeral_bus;
mod external;
mod records;
mod rooms;
mod state;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    error::Result,
    event::{Audience, Event, NewEvent, Payload},
    id::{EventId, HubUserId, MatrixUserId, NotificationId, Position, RoomId, TenantId},
    lease::Lease,
    notification::{AcceptOutcome, LogQuery, NewNotification, Notification},
    room::{Claim, Marks, NewRoom, Profile, RoomKey},
    user::{Account, Identity, Role, User, UserQuery, UserSummary},
};

pub use chat::{
    Change, Changes, Edit, Files, IngestedEvent, Messages, Reconciliation, RedactedEdit, RoomChanges,
    RoomMember, RoomSummary, Timeline, TimelinePage,
};
pub use ephemeral_bus::EphemeralBus;
pub use external::{ExternalAccess, ExternalAccounts, Vault};
pub use records::RoomRecords;
pub use rooms::{MembershipCalls, PendingLeave, PendingLeaves, Read, ReadUpTo, RoomAccess, RoomViews};
pub use state::RoomState;

/// The clock that is compared with tokens and with timestamps of other systems.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// The users, and the queue of users whose Matrix account is to be provisioned (is *due*).
#[async_trait]
pub trait Users: Send + Sync {
    /// Stores the identity of a token, and returns the stored user.
    ///
    /// A stored identity that [outranks](Identity::outranks) the token stays unchanged. The returned user may
    /// then belong to another tenant than the token. In one transaction:
    ///
    /// * A new user, a changed name and a changed tenant make the account due.
    /// * A new user and a changed tenant release the direct messages that are held for the user.
    /// * A changed tenant or role appends a live event for the user.
    ///
    /// `localpart` is stored for a new user. It replaces the stored localpart only until this service is
    /// known to have created the account.
    async fn sign_in(&self, identity: &Identity, localpart: &str) -> Result<User>;

    /// Returns a user of this tenant; `None` if the tenant has no such user.
    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<User>>;

    /// Returns a user of any tenant; `None` if the user has never signed in.
    async fn in_any_tenant(&self, user: &HubUserId) -> Result<Option<User>>;

    /// Returns users of a tenant: first those whose name begins with the text, by name; then those whose id
    /// begins with it, by id; then those whose name or id contains it elsewhere, by name.
    async fn search(&self, tenant: TenantId, query: &UserQuery) -> Result<Vec<UserSummary>>;

    /// Claims at most `limit` users whose account is due. No other claim returns them until the lease ends.
    ///
    /// The order is fair between tenants and within a tenant: the newest and the oldest due account of each
    /// tenant come first, then the second newest and the second oldest, and so on.
    async fn claim_due(&self, lease: Duration, limit: i64) -> Result<Vec<User>>;

    /// Marks the account as provisioned for `user`, as returned by [`claim_due`](Self::claim_due), and ends
    /// the lease. If the stored tenant or name has changed since, the account stays due.
    async fn provisioned(&self, user: &User) -> Result<()>;

    /// Ends the lease after a failure. The account is due again after a delay that grows with each failure.
    async fn postpone(&self, user: &HubUserId) -> Result<()>;

    /// Stores the state of the account with the localpart of `user`, and returns the state that is stored
    /// then.
    ///
    /// [`Account::Ours`] is never overwritten. [`Account::Foreign`] makes the account due again after
    /// `look_again`. The account is lost if the user has another localpart by now.
    async fn record_account(
        &self,
        user: &User,
        account: Account,
        look_again: Duration,
    ) -> Result<Lease<Account>>;

    /// Registers a watcher of changes that any process makes to users. It is dropped with its last `Arc`.
    fn watch(&self, watcher: Arc<dyn UserWatcher>);
}

/// A receiver of changes of users. A single change may be lost.
pub trait UserWatcher: Send + Sync {
    /// Reports that the stored user has changed.
    fn changed(&self, user: &HubUserId, localpart: &str);

    /// Reports whether changes are signalled from now on. Changes before a `true` may have been missed.
    fn listening(&self, is_listening: bool);
}

/// The rights of a user that decide which events a stream or poll returns, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The user's role.
    pub role: Role,
    /// The rooms of the user, each with the last position of the event log before the user joined.
    pub rooms: Vec<(RoomId, Position)>,
}

/// The mapping from room keys to Matrix rooms.
#[async_trait]
pub trait Rooms: Send + Sync {
    /// Returns the room of a key with its marks; `None` if the room is not registered.
    async fn find(&self, key: &RoomKey) -> Result<Option<(RoomId, Marks)>>;

    /// Claims the right to create the room of a key, until the lease ends.
    async fn claim(&self, key: &RoomKey, lease: Duration) -> Result<Claim>;

    /// Releases the claim after room creation failed.
    async fn unclaim(&self, key: &RoomKey) -> Result<()>;

    /// Stores the room of a key with its profile and first members, and returns the registered room.
    ///
    /// Members are added as by [`Memberships::add`], in the same transaction. If the key already has a room,
    /// that room is returned and nothing is stored.
    async fn register(&self, key: &RoomKey, room: &RoomId, profile: &Profile) -> Result<RoomId>;

    /// Returns the tenant of a room; `None` if the room is not registered.
    async fn tenant_of(&self, room: &RoomId) -> Result<Option<TenantId>>;

    /// Returns those of the rooms that are registered, in any tenant.
    async fn known(&self, rooms: &[RoomId]) -> Result<Vec<RoomId>>;
}

/// The memberships of users in rooms. A change and its live event are stored in one transaction, so streams
/// see membership changes in the order of the event log.
#[async_trait]
pub trait Memberships: Send + Sync {
    /// Adds the user to the room. Repeating it changes nothing.
    ///
    /// A user who has moved to another tenant is not added. Their leave on the homeserver becomes pending.
    async fn add(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()>;

    /// Removes the user from the room. Repeating it changes nothing.
    async fn remove(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()>;

    /// Returns the role and the rooms of a user; `None` if the tenant has no such user.
    async fn listener(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<Listener>>;

    /// Returns the rooms of a user; none if the tenant has no such user.
    async fn of(&self, tenant: TenantId, user: &HubUserId) -> Result<Vec<RoomId>> {
        let rooms = self.listener(tenant, user).await?.map(|listener| listener.rooms).unwrap_or_default();
        Ok(rooms.into_iter().map(|(room, _)| room).collect())
    }
}

/// The notifications, as satellites see them.
#[async_trait]
pub trait Notifications: Send + Sync {
    /// Stores the notification, its live event and its entry in the room queue, in one durable transaction.
    ///
    /// A known idempotency key stores nothing and returns the first notification. A direct message to a user
    /// who is unknown in the tenant is stored without live event, and held until that user signs in.
    async fn accept(&self, entry: NewNotification) -> Result<AcceptOutcome>;

    /// Returns a notification of a tenant; `None` if the tenant has no such notification.
    async fn find(&self, tenant: TenantId, id: NotificationId) -> Result<Option<Notification>>;

    /// Returns the notifications of a tenant, newest first.
    async fn log(&self, tenant: TenantId, query: &LogQuery) -> Result<Vec<Notification>>;

    /// Returns the unique id of this database. It is part of each Matrix transaction id, so that two
    /// databases never use the same transaction id on one homeserver.
    async fn installation(&self) -> Result<String>;
}

/// A leased room queue. No other worker drains it until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomQueue {
    /// The room key as text.
    pub name: String,
    /// The version at the time of the claim. It grows with each new notification, so that a release does not
    /// overlook one.
    pub version: i64,
}

/// A notification that the homeserver has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The notification.
    pub id: NotificationId,
    /// The room it was sent to.
    pub room: RoomId,
    /// The Matrix event it became.
    pub event: EventId,
}

/// The state in which a worker releases a room queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueRelease {
    /// The queue is empty.
    Drained,
    /// The queue is due again after this time, because its first entry is being delivered elsewhere.
    RetryAfter(Duration),
    /// The queue is due again when the recipient of its direct messages signs in.
    UntilSignIn,
}

/// The outbox: one FIFO queue of pending notifications for each room. Queues are drained side by side.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Claims the room queue that has been due longest. Returns `None` if no queue is due.
    async fn claim(&self, lease: Duration) -> Result<Option<RoomQueue>>;

    /// Returns the first pending notifications of a room queue, oldest first, and renews the lease.
    async fn pending(&self, queue: &RoomQueue, lease: Duration, limit: i64) -> Result<Vec<Notification>>;

    /// Appends the live event of a held notification, whose recipient has signed in, and removes its expiry.
    /// Repeating it changes nothing.
    async fn announce(&self, notification: &Notification, payload: &Payload) -> Result<()>;

    /// Marks notifications as sent, also those that have expired meanwhile.
    ///
    /// The commit need not be durable: after a crash the notification is sent again under the same
    /// transaction id.
    async fn sent(&self, delivered: &[Delivered]) -> Result<()>;

    /// Marks a pending notification as failed: the homeserver rejected it for good.
    async fn failed(&self, id: NotificationId, reason: &str) -> Result<()>;

    /// Stores a failed attempt, and releases the room queue until the delay is over. The caller that sent the
    /// notification is no longer waiting for its delivery.
    async fn postpone(&self, notification: &Notification, delay: Duration, reason: &str) -> Result<()>;

    /// Releases a room queue. If its stored version differs from `queue.version`, the queue is due at once.
    ///
    /// A caller without the lease ends the backoff of a queue by a version that no queue has.
    async fn release(&self, queue: &RoomQueue, release: QueueRelease) -> Result<()>;
}

/// Periodic maintenance: expiry, retention, and retries after an outage of the homeserver.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Waits until the outbox or the users may have work, or until `patience` is over.
    async fn work(&self, patience: Duration);

    /// Returns whether anything waits for its next attempt after a failure.
    async fn is_backing_off(&self) -> Result<bool>;

    /// Makes everything due at once that waits for its next attempt after a failure.
    async fn retry_now(&self) -> Result<()>;

    /// Marks pending notifications past their expiry as expired. Returns their number.
    async fn expire(&self) -> Result<u64>;

    /// Creates the partitions of the event log for the coming days, drops those older than `retention`, and
    /// deletes old idempotency keys and event ids.
    async fn rotate(&self, retention: Duration) -> Result<()>;
}

/// The range of positions in the event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The last position that was dropped. Readers before it have a gap.
    pub trimmed: Position,
    /// The last position that was assigned.
    pub head: Position,
}

/// The event log: append-only, ordered and durable.
///
/// A reader that has seen position *n* never later finds a new event at or below *n*, even if writers commit
/// at once, stall or die.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Appends events in one transaction. An event with a known key is skipped. Returns the number of
    /// appended events.
    async fn append(&self, events: &[NewEvent]) -> Result<usize>;

    /// Returns at most `limit` events of these audiences after the cursor, oldest first.
    async fn after(&self, cursor: Position, audience: &[Audience], limit: i64) -> Result<Vec<Event>>;

    /// Returns at most `limit` events of all audiences after the cursor, oldest first. The broker of each
    /// process reads them.
    async fn next(&self, cursor: Position, limit: i64) -> Result<Vec<Event>>;

    /// Returns the range of positions in the log.
    async fn span(&self) -> Result<Span>;

    /// Waits until the log may have grown, or until `patience` is over.
    async fn changed(&self, patience: Duration);
}

/// The stored cursors of poll readers that keep none themselves.
#[async_trait]
pub trait Cursors: Send + Sync {
    /// Returns the cursor of this reader; `None` if it has never read.
    async fn load(&self, tenant: TenantId, user: &HubUserId, reader: &str) -> Result<Option<Position>>;

    /// Stores the cursor of this reader.
    async fn store(&self, tenant: TenantId, user: &HubUserId, reader: &str, at: Position) -> Result<()>;
}

/// The Matrix homeserver: accounts, rooms and the bot's messages. The service acts as its bot, which is in
/// every room, and on behalf of its users.
#[async_trait]
pub trait Homeserver: Send + Sync {
    /// Checks that the homeserver responds.
    async fn ping(&self) -> Result<()>;

    /// Registers the account. An account that an earlier call registered is recognised, even if the response
    /// to that call was lost. Returns `false`, and changes nothing, if the account was created by someone
    /// else.
    async fn claim_account(&self, user: &MatrixUserId) -> Result<bool>;

    /// Sets the display name of an account that [`claim_account`](Self::claim_account) has claimed.
    async fn ensure_user(&self, user: &MatrixUserId, display_name: &str) -> Result<()>;

    /// Creates a room. Returns the existing room if an earlier attempt created it under the same alias.
    async fn create_room(&self, room: &NewRoom) -> Result<RoomId>;

    /// Makes the user a member of the room, invited by the bot if necessary. Repeating it changes nothing.
    async fn join(&self, room: &RoomId, user: &MatrixUserId) -> Result<()>;

    /// Makes the user a member of the room, invited by `member`, who must have the right to invite.
    async fn join_by(&self, room: &RoomId, member: &MatrixUserId, user: &MatrixUserId) -> Result<()>;

    /// Sends `m.room.message` as the bot. Repeating a transaction id sends nothing and returns the first
    /// event.
    async fn send(&self, room: &RoomId, transaction: &str, content: &serde_json::Value) -> Result<EventId>;
}

/// The ports of one process.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the port of its type")]
pub struct Ports {
    pub users: Arc<dyn Users>,
    pub rooms: Arc<dyn Rooms>,
    pub room_records: Arc<dyn RoomRecords>,
    pub memberships: Arc<dyn Memberships>,
    pub room_views: Arc<dyn RoomViews>,
    pub pending_leaves: Arc<dyn PendingLeaves>,
    pub external_access: Arc<dyn ExternalAccess>,
    pub notifications: Arc<dyn Notifications>,
    pub outbox: Arc<dyn Outbox>,
    pub maintenance: Arc<dyn Maintenance>,
    pub feed: Arc<dyn Feed>,
    pub ephemeral_bus: Arc<dyn EphemeralBus>,
    pub cursors: Arc<dyn Cursors>,
    pub messages: Arc<dyn Messages>,
    pub reconciliation: Arc<dyn Reconciliation>,
    pub homeserver: Arc<dyn Homeserver>,
    pub room_state: Arc<dyn RoomState>,
    pub timeline: Arc<dyn Timeline>,
    pub files: Arc<dyn Files>,
    pub membership_calls: Arc<dyn MembershipCalls>,
    pub external_accounts: Arc<dyn ExternalAccounts>,
    pub vault: Arc<dyn Vault>,
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// Takes the ports of the database from one adapter, and those of the homeserver from another. Only the
    /// passwords of external access have an adapter of their own.
    pub fn new<S, H>(
        store: Arc<S>,
        homeserver: Arc<H>,
        external_accounts: Arc<dyn ExternalAccounts>,
        vault: Arc<dyn Vault>,
        clock: Arc<dyn Clock>,
    ) -> Self
    where
        S: Users
            + Rooms
            + RoomRecords
            + Memberships
            + RoomViews
            + PendingLeaves
            + ExternalAccess
            + Notifications
            + Outbox
            + Maintenance
            + Feed
            + EphemeralBus
            + Cursors
            + Messages
            + Reconciliation
            + 'static,
        H: Homeserver + RoomState + Timeline + Files + MembershipCalls + 'static,
    {
        Self {
            users: store.clone(),
            rooms: store.clone(),
            room_records: store.clone(),
            memberships: store.clone(),
            room_views: store.clone(),
            pending_leaves: store.clone(),
            external_access: store.clone(),
            notifications: store.clone(),
            outbox: store.clone(),
            maintenance: store.clone(),
            feed: store.clone(),
            ephemeral_bus: store.clone(),
            cursors: store.clone(),
            messages: store.clone(),
            reconciliation: store,
            room_state: homeserver.clone(),
            timeline: homeserver.clone(),
            files: homeserver.clone(),
            membership_calls: homeserver.clone(),
            homeserver,
            external_accounts,
            vault,
            clock,
        }
    }
}
