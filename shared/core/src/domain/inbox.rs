//! The inbox of a user: the notifications of which the user is the audience, with their read state.

use jiff::Timestamp;

use crate::domain::{
    entity::EntityId,
    event::Audience,
    id::{HubUserId, NotificationId, TenantId},
    notification::{Notification, Priority},
    room::{RoomKey, RoomKind},
    search::{self, SearchTerms},
};

/// The number up to which unread notifications are counted.
pub const UNREAD_MAX: i64 = 1000;

/// A query for a page of the inbox.
#[derive(Debug, Clone, Default)]
pub struct InboxQuery {
    /// Only notifications with smaller ids; `None` for the newest.
    pub before: Option<NotificationId>,
    /// The largest number of results.
    pub limit: i64,
    /// Only this priority.
    pub priority: Option<Priority>,
    /// Only this app.
    pub source_app: Option<String>,
    /// Only the entity of this type with this id.
    pub entity: Option<(String, EntityId)>,
    /// Only notifications that were stored at this time or later.
    pub since: Option<Timestamp>,
    /// Only notifications whose title or body contains these words.
    pub text: Option<SearchTerms>,
    /// Whether only unread ones are wanted.
    pub unread: bool,
}

/// A notification in the inbox of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxEntry {
    /// The notification.
    pub notification: Notification,
    /// Whether the user has read it, on any device.
    pub is_read: bool,
}

/// A page of the inbox.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxPage {
    /// The entries, newest first.
    pub entries: Vec<InboxEntry>,
    /// The [`before`](InboxQuery::before) of the next page; `None` at the end.
    pub next_before: Option<NotificationId>,
    /// The number of unread notifications of the whole inbox, at most [`UNREAD_MAX`].
    pub unread_count: i64,
}

/// The notifications that a user has read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadEntries {
    /// This one, and all with smaller ids.
    pub up_to: Option<NotificationId>,
    /// These. Ids that are not in the inbox have no effect.
    pub ids: Vec<NotificationId>,
}

/// The result of marking notifications as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOutcome {
    /// They are read.
    Read {
        /// The number of unread notifications that are left, at most [`UNREAD_MAX`].
        unread_count: i64,
    },
    /// `up_to` is no notification of the inbox. Nothing has changed.
    Unknown,
}

impl InboxQuery {
    /// Returns the key of the entity's room, whose queue has exactly the notifications of the entity.
    pub fn entity_key(&self, tenant: TenantId) -> Option<RoomKey> {
        self.entity.as_ref().map(|(entity_type, entity_id)| RoomKey {
            tenant,
            kind: RoomKind::Entity { entity_type: entity_type.clone(), entity_id: entity_id.canonical() },
        })
    }

    /// Returns whether a notification of the inbox matches, apart from its read state.
    pub fn matches(&self, notification: &Notification) -> bool {
        let draft = &notification.draft;
        self.before.is_none_or(|before| notification.id < before)
            && self.priority.is_none_or(|priority| draft.priority == priority)
            && self.source_app.as_ref().is_none_or(|app| draft.source_app == *app)
            && self.entity_key(notification.tenant).is_none_or(|key| notification.key() == key)
            && self.since.is_none_or(|since| notification.created_at >= since)
            && self.text.as_ref().is_none_or(|terms| terms.are_in(&searched(notification)))
    }
}

/// Returns the folded text in which words are looked for.
fn searched(notification: &Notification) -> String {
    let body = notification.draft.body.as_deref().unwrap_or_default();
    search::fold(&format!("{}\n{body}", notification.draft.title))
}

impl Notification {
    /// Returns whether it is in the inbox of a user of its tenant: the user is in the audience of its live event.
    pub fn is_for(&self, user: &HubUserId) -> bool {
        self.announced
            && match self.draft.audience(self.tenant) {
                Audience::Tenant(_) => true,
                Audience::User(_, recipient) => recipient == *user,
                Audience::Room(..) => false,
            }
    }
}
