//! The ports: what the use cases need from the world. Each is small and named by its role; each method is one
//! domain-atomic act. Every port has one contract test in `messenger-testkit`.
//!
//! Stores keep time themselves (one clock for all processes), so leases and delays are durations.

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

/// What time it is, for what is compared with a token or a timestamp of somebody else.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The users, and whose Matrix account is due.
#[async_trait]
pub trait Users: Send + Sync {
    /// Stores what a token says of its bearer, unless what is stored [outranks](Identity::outranks) it, and returns what
    /// is stored then: of another tenant, if the token is of a former one. A new user, a changed name and a changed tenant
    /// make the account due; a new user or tenant also releases the direct messages that are held for them. A changed
    /// tenant or role is told in the event log to the user.
    ///
    /// A user keeps the localpart that they got first. Until their account is known to be ours another one replaces it.
    async fn sign_in(&self, identity: &Identity, localpart: &str) -> Result<User>;

    /// A user of this tenant.
    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<User>>;

    /// A user, whatever their tenant is.
    async fn in_any_tenant(&self, user: &HubUserId) -> Result<Option<User>>;

    /// Users of a tenant: those whose name begins with the text, by name; whose id does, by id; who have it further on, by
    /// name.
    async fn search(&self, tenant: TenantId, query: &UserQuery) -> Result<Vec<UserSummary>>;

    /// Claims users whose account is due. Nobody else gets them for the time of the lease.
    ///
    /// Fair between tenants and within one: of each tenant that has any, the newest and the oldest account come first,
    /// then the second newest and the second oldest, and so on. Many accounts of one tenant delay no other tenant, and
    /// no single account of their own.
    async fn claim_due(&self, lease: Duration, limit: i64) -> Result<Vec<User>>;

    /// The account is ready, with what [`claim_due`](Self::claim_due) said of the user. If that changed meanwhile,
    /// the account stays due.
    async fn provisioned(&self, user: &User) -> Result<()>;

    /// The account could not be made ready; it is due again after a delay that grows with each failure.
    async fn postpone(&self, user: &HubUserId) -> Result<()>;

    /// Stores the state of the account that has the localpart of this user. An account of ours stays ours; one that is taken
    /// is due again after `look_again`. Returns the state that is stored now. Returns `None` if the user has another localpart
    /// by now; nothing is stored then.
    async fn record_account(
        &self,
        user: &User,
        account: Account,
        look_again: Duration,
    ) -> Result<Option<Account>>;

    /// Tells a watcher of changes of users from now on, in whatever process they are made, as long as the watcher lives.
    fn watch(&self, watcher: Arc<dyn UserWatcher>);
}

/// Hears of changes of users. A signal may get lost.
pub trait UserWatcher: Send + Sync {
    /// Tells that the stored user has changed.
    fn changed(&self, user: &HubUserId, localpart: &str);

    /// Tells whether changes are signalled from now on. Changes before a `true` may have been missed.
    fn listening(&self, is_listening: bool);
}

/// The part of a user's rights by which a stream or poll is read, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Their role.
    pub role: Role,
    /// The rooms they are in, each with the last position of the log before they came in.
    pub rooms: Vec<(RoomId, Position)>,
}

/// Which Matrix room belongs to which key.
#[async_trait]
pub trait Rooms: Send + Sync {
    /// The room of a key, with its marks.
    async fn find(&self, key: &RoomKey) -> Result<Option<(RoomId, Marks)>>;

    /// The right to create the room of a key, for the time of the lease.
    async fn claim(&self, key: &RoomKey, lease: Duration) -> Result<Claim>;

    /// Gives the right back: creation failed.
    async fn unclaim(&self, key: &RoomKey) -> Result<()>;

    /// Stores the room of a key, what people see of it, and its first members, who are told as by
    /// [`Memberships::add`]. The first room stays: it is what is returned, and nothing else is stored.
    async fn register(&self, key: &RoomKey, room: &RoomId, profile: &Profile) -> Result<RoomId>;

    /// Whose room it is; `None` if it is none of ours.
    async fn tenant_of(&self, room: &RoomId) -> Result<Option<TenantId>>;

    /// Those of them that are ours, of whatever tenant.
    async fn known(&self, rooms: &[RoomId]) -> Result<Vec<RoomId>>;
}

/// Who is in which room. Changes stand in the event log in the same transaction, so streams learn of them in order.
#[async_trait]
pub trait Memberships: Send + Sync {
    /// The user is in the room. Again is no change. A user who moved to another tenant meanwhile is not added, and is due
    /// to leave the room on the homeserver.
    async fn add(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()>;

    /// The user is out of the room. Again is no change.
    async fn remove(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()>;

    /// The role and the rooms of a user; `None` if they are not of this tenant.
    async fn listener(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<Listener>>;

    /// The rooms a user is in.
    async fn of(&self, tenant: TenantId, user: &HubUserId) -> Result<Vec<RoomId>> {
        let rooms = self.listener(tenant, user).await?.map(|listener| listener.rooms).unwrap_or_default();
        Ok(rooms.into_iter().map(|(room, _)| room).collect())
    }
}

/// The notifications, as satellites see them.
#[async_trait]
pub trait Notifications: Send + Sync {
    /// Stores the notification, its live event and its place in the room queue of its room, in one transaction. Once this
    /// returns nothing can lose it. A known idempotency key stores nothing.
    ///
    /// Direct messages to users unknown in the tenant are held: stored, and announced when they sign in.
    async fn accept(&self, entry: NewNotification) -> Result<AcceptOutcome>;

    /// One notification of a tenant.
    async fn find(&self, tenant: TenantId, id: NotificationId) -> Result<Option<Notification>>;

    /// The notifications of a tenant, newest first.
    async fn log(&self, tenant: TenantId, query: &LogQuery) -> Result<Vec<Notification>>;

    /// What makes the ids of this database unlike those of any other, so that a Matrix transaction id is never used
    /// twice on one homeserver.
    async fn installation(&self) -> Result<String>;
}

/// A room queue that is being drained: nobody else drains it until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomQueue {
    /// The room key as text.
    pub name: String,
    /// Grows with each notification, so that what came in the last moment is not overlooked.
    pub version: i64,
}

/// A notification that the homeserver has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Which.
    pub id: NotificationId,
    /// Where.
    pub room: RoomId,
    /// As what.
    pub event: EventId,
}

/// How a room queue is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueRelease {
    /// Nothing is left in it.
    Drained,
    /// Look again after this time: somebody else is delivering its first entry.
    RetryAfter(Duration),
    /// Until the recipient of its direct messages signs in.
    UntilSignIn,
}

/// What is still to be delivered: a room queue for each room, in order; room queues side by side.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Claims a room queue that is due.
    async fn claim(&self, lease: Duration) -> Result<Option<RoomQueue>>;

    /// The first undelivered notifications of a room queue, oldest first. Renews the lease.
    async fn pending(&self, queue: &RoomQueue, lease: Duration, limit: i64) -> Result<Vec<Notification>>;

    /// Appends the live event of a notification that was held, which expires no longer: its recipient is there. Again
    /// is no change.
    async fn announce(&self, notification: &Notification, payload: &Payload) -> Result<()>;

    /// The homeserver has them.
    async fn sent(&self, delivered: &[Delivered]) -> Result<()>;

    /// The homeserver will never take it.
    async fn failed(&self, id: NotificationId, reason: &str) -> Result<()>;

    /// It could not be delivered now. Its room queue rests for the delay, and nobody waits for its answer any longer.
    async fn postpone(&self, notification: &Notification, delay: Duration, reason: &str) -> Result<()>;

    /// Leaves a room queue. What came in since it was claimed keeps it due; so does a version that no room queue has, by which
    /// somebody who does not hold the room queue ends its rest.
    async fn release(&self, queue: &RoomQueue, rest: QueueRelease) -> Result<()>;
}

/// What has to be done now and then so that everything else stays true and small.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Waits until there may be work in the outbox or among the users; at the latest after `patience`.
    async fn work(&self, patience: Duration);

    /// Whether room queues or accounts are resting after a failure.
    async fn is_backing_off(&self) -> Result<bool>;

    /// Makes everything due that rests after a failure: the homeserver is back.
    async fn retry_now(&self) -> Result<()>;

    /// Marks as expired what waited too long. Returns how many.
    async fn expire(&self) -> Result<u64>;

    /// Makes room for the events of the days to come, drops the days before the retention, and forgets old
    /// idempotency keys.
    async fn rotate(&self, retention: Duration) -> Result<()>;
}

/// What part of the log there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The last position that was dropped; readers before it have a gap.
    pub trimmed: Position,
    /// The last position that was given.
    pub head: Position,
}

/// The event log: append-only, ordered, durable.
///
/// A reader that has seen position *n* never later finds one smaller than *n*, however many writers commit at once,
/// stall or die.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Appends events, each key once. Returns how many were new.
    async fn append(&self, events: &[NewEvent]) -> Result<usize>;

    /// The next events of these audiences.
    async fn after(&self, cursor: Position, audience: &[Audience], limit: i64) -> Result<Vec<Event>>;

    /// The next events of everybody, for the one broker of a process.
    async fn next(&self, cursor: Position, limit: i64) -> Result<Vec<Event>>;

    /// What part of the log there is.
    async fn span(&self) -> Result<Span>;

    /// Waits until the log may have grown; at the latest after `patience`.
    async fn changed(&self, patience: Duration);
}

/// How far the readers that keep no cursor themselves have come.
#[async_trait]
pub trait Cursors: Send + Sync {
    /// Where this reader stands; `None` if it has never read.
    async fn load(&self, tenant: TenantId, user: &HubUserId, reader: &str) -> Result<Option<Position>>;

    /// Where this reader stands now.
    async fn store(&self, tenant: TenantId, user: &HubUserId, reader: &str, at: Position) -> Result<()>;
}

/// The Matrix homeserver. We act as the bot, which is in every room, and on behalf of our users.
#[async_trait]
pub trait Homeserver: Send + Sync {
    /// Whether it answers.
    async fn ping(&self) -> Result<()>;

    /// Makes the account, or recognises the one that an earlier call made and whose answer got lost. Returns `false` if
    /// somebody else made it: then it is left alone.
    async fn claim_account(&self, user: &MatrixUserId) -> Result<bool>;

    /// The account exists and has this display name. It must have been claimed before.
    async fn ensure_user(&self, user: &MatrixUserId, display_name: &str) -> Result<()>;

    /// Creates a room, or finds the one that an earlier attempt created under the same alias.
    async fn create_room(&self, room: &NewRoom) -> Result<RoomId>;

    /// The user is in the room.
    async fn join(&self, room: &RoomId, user: &MatrixUserId) -> Result<()>;

    /// The user is in the room, invited by a member of it, who may do so.
    async fn join_by(&self, room: &RoomId, member: &MatrixUserId, user: &MatrixUserId) -> Result<()>;

    /// Sends `m.room.message` as the bot. The same transaction id sends once.
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
