//! The application facade: the ports, the settings, and what a process remembers. Use cases are its methods, each in the
//! file of its aggregate.

use std::{ops::Deref, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::task::TaskTracker;

use crate::{
    Result,
    broker::Broker,
    delivery::SentBuffer,
    echo::Echoes,
    id::{EventId, HubUserId, RoomId, TenantId},
    inbound::Pushes,
    message::Attempt,
    port::{
        Clock, Cursors, EphemeralBus, ExternalAccess, ExternalAccounts, Feed, Files, Homeserver, Maintenance,
        MembershipCalls, Memberships, Messages, Notifications, Outbox, PendingLeaves, Reconciliation,
        RoomRecords, RoomState, RoomViews, Rooms, Timeline, Users, Vault,
    },
    receipt::Receipt,
    reconcile::AdoptionCooldown,
    room::RoomKey,
    user::SignedIn,
};

/// How long a process trusts what it remembers of the room of a key: another may have replaced it.
const ROOM_KNOWN_FOR: Duration = Duration::from_secs(10);
/// How long a process trusts that a room does not exist yet.
const ABSENT_FOR: Duration = Duration::from_secs(1);
/// How long a room that cannot be adopted is left alone.
const ADOPTION_REJECTED_FOR: Duration = Duration::from_mins(1);
/// How long it is known what was said under a client's transaction id; what was taken in is known for longer.
const ATTEMPT_FOR: Duration = Duration::from_mins(1);
/// Lifetime of the pause of a room that could not be adopted; longer than the longest pause.
const ADOPTION_COOLDOWN: Duration = Duration::from_mins(30);
/// How many streams are opened at once. A crowd that returns together is served one after the other, and what is live
/// meanwhile waits behind a few openings, not behind all.
const OPENINGS: usize = 2;
/// How long it is known how often the bot could not come back into a room.
const REJOIN_ATTEMPTS_FOR: Duration = Duration::from_mins(5);
/// How long it is known since when the homeserver has failed over a room: longer than it waits before it pushes again.
const SICK_FOR: Duration = Duration::from_mins(15);
/// The time for which a receipt is known as taken in.
const RECEIPT_FOR: Duration = Duration::from_mins(1);
/// How long it is known that the homeserver refused an account.
const REFUSED_FOR: Duration = Duration::from_hours(24);
/// How long accepting the invitations of a user may take.
const INVITING_FOR: Duration = Duration::from_mins(1);
/// How many users and rooms a process remembers at the most.
const REMEMBERED: u64 = 20_000;

/// What the use cases are attached to.
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

/// What operators decide.
#[derive(Debug, Clone)]
pub struct MessengerSettings {
    /// The homeserver's `server_name`.
    pub server_name: String,
    /// Where other Matrix clients find the homeserver.
    pub public_homeserver_url: String,
    /// The bot's localpart.
    pub bot_localpart: String,
    /// Further localparts that are never given to a user.
    pub reserved_localparts: Vec<String>,
    /// The bot's name, as people see it.
    pub bot_display_name: String,
    /// The name of each tenant's general room.
    pub general_room_name: String,
    /// The tenant of tokens that name none.
    pub default_tenant: TenantId,
    /// A reader that is further behind is told to start anew.
    pub replay_max: usize,
    /// How long the event log reaches back.
    pub event_retention: Duration,
}

impl Default for MessengerSettings {
    fn default() -> Self {
        Self {
            server_name: "hub.local".to_owned(),
            public_homeserver_url: "http://localhost:8008".to_owned(),
            bot_localpart: "messenger".to_owned(),
            reserved_localparts: Vec::new(),
            bot_display_name: "Messenger".to_owned(),
            general_room_name: "Allgemein".to_owned(),
            default_tenant: TenantId(1),
            replay_max: 1000,
            event_retention: Duration::from_hours(7 * 24),
        }
    }
}

/// All use cases. Cheap to clone.
#[derive(Clone)]
pub struct Messenger(Arc<Inner>);

/// The parts of [`Messenger`] that its clones share.
pub struct Inner {
    ports: Ports,
    pub(crate) settings: MessengerSettings,
    pub(crate) broker: Arc<Broker>,
    /// The right to open a stream: so many are opened at once.
    pub(crate) openings: Arc<Semaphore>,
    pub(crate) signed_in: SignedIn,
    pub(crate) room_ids: Cache<RoomKey, RoomId>,
    /// Rooms whose messages are encrypted.
    pub(crate) encrypted: Cache<RoomId, ()>,
    /// Keys that had no room a moment ago.
    pub(crate) absent: Cache<RoomKey, ()>,
    pub(crate) sent: SentBuffer,
    /// What goes on after its caller was answered.
    pub(crate) background: TaskTracker,
    pub(crate) echoes: Echoes,
    /// By the Matrix transaction id.
    pub(crate) attempts: Cache<String, Attempt>,
    /// Rooms that could not be adopted a short while ago.
    pub(crate) adoption_rejected: Cache<RoomId, ()>,
    /// Rooms of users that were looked at a while ago.
    pub(crate) adoption_cooldown: Cache<RoomId, AdoptionCooldown>,
    /// How often the bot could not come back into a room.
    pub(crate) rejoin_attempts: Cache<RoomId, u32>,
    /// Since when the homeserver has failed over a room.
    pub(crate) quarantined_since: Cache<RoomId, Timestamp>,
    pub(crate) tenants: Cache<RoomId, TenantId>,
    /// Up to where a room was read beyond a reconciled position.
    pub(crate) caught_up: Cache<RoomId, (String, String)>,
    /// Receipts that were taken in a moment ago: homeservers tell the same by push and by `/sync`.
    pub(crate) receipts: Cache<Receipt, ()>,
    /// An event that is no known message, with the events before it.
    pub(crate) events_before: Cache<EventId, Arc<[EventId]>>,
    pub(crate) pushes: Pushes,
    /// Users whose account the homeserver refused a while ago.
    pub(crate) refused: Cache<HubUserId, ()>,
    /// Users whose invitations are being accepted.
    pub(crate) inviting: Cache<HubUserId, ()>,
    installation: OnceCell<String>,
}

impl Messenger {
    /// Attaches the use cases to their ports. Does no I/O.
    pub fn new(ports: Ports, settings: MessengerSettings) -> Self {
        Self(Arc::new(Inner {
            broker: Arc::new(Broker::new(
                ports.feed.clone(),
                ports.ephemeral_bus.clone(),
                ports.clock.clone(),
            )),
            signed_in: SignedIn::new(&settings.server_name),
            ports,
            settings,
            openings: Arc::new(Semaphore::new(OPENINGS)),
            room_ids: Cache::with_ttl(ROOM_KNOWN_FOR),
            encrypted: Cache::with_ttl(ROOM_KNOWN_FOR),
            absent: Cache::with_ttl(ABSENT_FOR),
            sent: SentBuffer::new(),
            background: TaskTracker::new(),
            echoes: Echoes::new(),
            attempts: Cache::with_ttl(ATTEMPT_FOR),
            adoption_rejected: Cache::with_ttl(ADOPTION_REJECTED_FOR),
            adoption_cooldown: Cache::with_ttl(ADOPTION_COOLDOWN),
            rejoin_attempts: Cache::with_ttl(REJOIN_ATTEMPTS_FOR),
            quarantined_since: Cache::with_ttl(SICK_FOR),
            tenants: Cache::without_ttl(),
            caught_up: Cache::without_ttl(),
            receipts: Cache::with_ttl(RECEIPT_FOR),
            events_before: Cache::with_ttl(RECEIPT_FOR),
            pushes: Pushes::new(),
            refused: Cache::with_ttl(REFUSED_FOR),
            inviting: Cache::with_ttl(INVITING_FOR),
            installation: OnceCell::new(),
        }))
    }

    /// What operators decided.
    pub fn settings(&self) -> &MessengerSettings {
        &self.settings
    }

    /// The one broker of the event log in this process.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Waits for what goes on after its caller was answered: before a process ends.
    pub async fn settled(&self) {
        self.background.close();
        self.background.wait().await;
    }

    /// The ports, for health checks and the worker's loop.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    pub(crate) async fn installation(&self) -> Result<&str> {
        self.installation.get_or_try_init(|| self.notifications.installation()).await.map(String::as_str)
    }
}

impl Deref for Messenger {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Deref for Inner {
    type Target = Ports;

    fn deref(&self) -> &Ports {
        &self.ports
    }
}

/// A bounded memory of one process.
pub(crate) struct Cache<K, V>(moka::sync::Cache<K, V>);

impl<K, V> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn with_ttl(time: Duration) -> Self {
        Self(moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_live(time).build())
    }

    pub(crate) fn without_ttl() -> Self {
        Self(moka::sync::Cache::new(REMEMBERED))
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.0.get(key)
    }

    pub(crate) fn put(&self, key: K, value: V) {
        self.0.insert(key, value);
    }

    pub(crate) fn remove(&self, key: &K) {
        self.0.invalidate(key);
    }

    /// Looks at everything: for what is rare.
    pub(crate) fn remove_if(&self, which: impl Fn(&V) -> bool) {
        for (key, _) in self.0.iter().filter(|(_, value)| which(value)) {
            self.0.invalidate(&*key);
        }
    }

    pub(crate) fn drop_entry(&self, key: &K) {
        self.0.invalidate(key);
    }

    pub(crate) fn clear(&self) {
        self.0.invalidate_all();
    }
}
