//! The ports: traits through which the use cases reach the database, the homeserver and the clock.
//!
//! A port is small and named after its resource or role. Those of the homeserver follow the parts of the
//! Matrix Client-Server API. Each method of a store is atomic: it takes effect as a whole or not at all
//! ([`Maintenance`] excepted). The contract of each port stands once in `messenger-testkit`, and every adapter
//! runs it.
//!
//! A store measures time by its own clock, which all processes share. Leases and delays are therefore
//! durations.

mod accounts;
mod admin;
mod alarm_outbox;
mod alarms;
mod clock;
mod closed_rooms;
mod cursors;
mod ephemeral_bus;
mod ephemeral_events;
mod external_access;
mod feed;
mod feed_copy;
mod homeserver;
mod inbox;
mod maintenance;
mod media;
mod membership_calls;
mod memberships;
mod message_search;
mod messages;
mod notifications;
mod outbox;
mod pending_leaves;
mod reconciliation;
mod relations;
mod room_administration;
mod room_marks;
mod room_views;
mod rooms;
mod timeline;
mod traces;
mod users;
mod vault;

use std::sync::Arc;

pub use accounts::{Accounts, ExternalAccounts};
pub use admin::{
    AdminNotifications, AdminPorts, AdminRooms, AdminStatistics, AdminUsers, AuditLog, BulkActs, GivenName,
};
pub use alarm_outbox::{
    AlarmMessageDue, AlarmOutbox, MessageOfAlarm, RootAttempt, RootMessage, SentAlarmMessage,
};
pub use alarms::{AlarmChange, Alarms, LoadedAlarm};
pub use clock::Clock;
pub use closed_rooms::{ClosedRoomWatcher, ClosedRooms};
pub use cursors::Cursors;
pub use ephemeral_bus::EphemeralBus;
pub use ephemeral_events::EphemeralEvents;
pub use external_access::ExternalAccess;
pub use feed::Feed;
pub use feed_copy::{
    CopiedFeed, CopiedReaders, FeedCopies, FeedCopy, FeedCopyPorts, FeedSource, ReaderChange, ReaderChanges,
    ReaderCopies, RecordedEvent, Relay, RelayFigures, RelayLag, Relayed, StoredReader,
};
pub use homeserver::Homeserver;
pub use inbox::Inbox;
pub use maintenance::{Backlog, Maintenance};
pub use media::Media;
pub use membership_calls::MembershipCalls;
pub use memberships::{Memberships, ReaderRights};
pub use message_search::MessageSearch;
pub use messages::{Change, Edit, IngestedEvent, Messages, RedactedEdit};
pub use notifications::Notifications;
pub use outbox::{Delivered, Outbox, QueueRelease, RoomQueue};
pub use pending_leaves::{PendingLeave, PendingLeaves};
pub use reconciliation::Reconciliation;
pub use relations::{NewReaction, Redactable, Relations};
pub use room_administration::{RoomAdministration, RoomMember, RoomSummary};
pub use room_marks::RoomMarks;
pub use room_views::{Read, ReadUpTo, RoomAccess, RoomViews};
pub use rooms::Rooms;
pub use timeline::{Changes, RoomChanges, Surroundings, Timeline, TimelinePage};
pub use traces::{Tracing, Untraced};
pub use users::{UserWatcher, Users};
pub use vault::Vault;

/// The ports of one process.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the port of its type")]
pub struct Ports {
    pub users: Arc<dyn Users>,
    pub rooms: Arc<dyn Rooms>,
    pub room_marks: Arc<dyn RoomMarks>,
    pub memberships: Arc<dyn Memberships>,
    pub room_views: Arc<dyn RoomViews>,
    pub pending_leaves: Arc<dyn PendingLeaves>,
    pub closed_rooms: Arc<dyn ClosedRooms>,
    pub external_access: Arc<dyn ExternalAccess>,
    pub notifications: Arc<dyn Notifications>,
    pub alarms: Arc<dyn Alarms>,
    pub inbox: Arc<dyn Inbox>,
    pub outbox: Arc<dyn Outbox>,
    pub alarm_outbox: Arc<dyn AlarmOutbox>,
    pub maintenance: Arc<dyn Maintenance>,
    pub feed: Arc<dyn Feed>,
    pub ephemeral_bus: Arc<dyn EphemeralBus>,
    pub cursors: Arc<dyn Cursors>,
    pub messages: Arc<dyn Messages>,
    pub message_search: Arc<dyn MessageSearch>,
    pub reconciliation: Arc<dyn Reconciliation>,
    pub homeserver: Arc<dyn Homeserver>,
    pub accounts: Arc<dyn Accounts>,
    pub external_accounts: Arc<dyn ExternalAccounts>,
    pub room_administration: Arc<dyn RoomAdministration>,
    pub membership_calls: Arc<dyn MembershipCalls>,
    pub timeline: Arc<dyn Timeline>,
    pub relations: Arc<dyn Relations>,
    pub media: Arc<dyn Media>,
    pub ephemeral_events: Arc<dyn EphemeralEvents>,
    pub vault: Arc<dyn Vault>,
    pub clock: Arc<dyn Clock>,
    pub tracing: Arc<dyn Tracing>,
}

impl Ports {
    /// Takes the ports of the database from one adapter, and those of the homeserver from another. Only the
    /// passwords of external access have an adapter of their own. Traces are not exported: the field
    /// `tracing` takes another adapter.
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
            + RoomMarks
            + Memberships
            + RoomViews
            + PendingLeaves
            + ClosedRooms
            + ExternalAccess
            + Notifications
            + Alarms
            + Inbox
            + Outbox
            + AlarmOutbox
            + Maintenance
            + Feed
            + EphemeralBus
            + Cursors
            + Messages
            + MessageSearch
            + Reconciliation
            + 'static,
        H: Homeserver
            + Accounts
            + RoomAdministration
            + MembershipCalls
            + Timeline
            + Relations
            + Media
            + EphemeralEvents
            + 'static,
    {
        Self {
            users: store.clone(),
            rooms: store.clone(),
            room_marks: store.clone(),
            memberships: store.clone(),
            room_views: store.clone(),
            pending_leaves: store.clone(),
            closed_rooms: store.clone(),
            external_access: store.clone(),
            notifications: store.clone(),
            alarms: store.clone(),
            inbox: store.clone(),
            outbox: store.clone(),
            alarm_outbox: store.clone(),
            maintenance: store.clone(),
            feed: store.clone(),
            ephemeral_bus: store.clone(),
            cursors: store.clone(),
            messages: store.clone(),
            message_search: store.clone(),
            reconciliation: store,
            accounts: homeserver.clone(),
            external_accounts,
            room_administration: homeserver.clone(),
            membership_calls: homeserver.clone(),
            timeline: homeserver.clone(),
            relations: homeserver.clone(),
            media: homeserver.clone(),
            ephemeral_events: homeserver.clone(),
            homeserver,
            vault,
            clock,
            tracing: Arc::new(Untraced),
        }
    }
}
