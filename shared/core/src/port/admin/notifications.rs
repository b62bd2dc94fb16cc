//! The ports of administrators for notifications.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    admin::{
        Administrator,
        notifications::{
            ActResult, BulkBeginning, BulkProgress, BulkRequest, CountStep, HeldCursor, HeldMessage,
            NotificationAct, NotificationFilter, NotificationPage, NotificationRecipients, ReaddressOutcome,
        },
    },
    error::Result,
    id::{HubUserId, NotificationId, TenantId},
    notification::Notification,
};

/// Notifications as administrators find and change them. Each act and its entry in the audit log are one
/// transaction; an act that changes nothing has no entry. A search looks at a limited number of notifications
/// and returns where it ended.
#[async_trait]
pub trait AdminNotifications: Send + Sync {
    /// Returns matching notifications, newest first, that are older than `before` if it is given.
    async fn page(
        &self,
        tenant: TenantId,
        filter: &NotificationFilter,
        before: Option<NotificationId>,
        limit: i64,
    ) -> Result<NotificationPage>;

    /// Counts matching notifications, newest first, that are older than `before` if it is given.
    async fn count(
        &self,
        tenant: TenantId,
        filter: &NotificationFilter,
        before: Option<NotificationId>,
    ) -> Result<CountStep>;

    /// Returns held direct messages, those first that expire first.
    async fn held(&self, tenant: TenantId, after: Option<HeldCursor>, limit: i64)
    -> Result<Vec<HeldMessage>>;

    /// Changes a notification if its status allows it; `None` if the tenant has no such notification.
    async fn change(
        &self,
        administrator: &Administrator,
        act: NotificationAct,
        id: NotificationId,
    ) -> Result<Option<ActResult>>;

    /// Moves a held direct message to another user of the tenant, whose room queue is due at once.
    async fn readdress(
        &self,
        administrator: &Administrator,
        id: NotificationId,
        to: &HubUserId,
    ) -> Result<ReaddressOutcome>;

    /// Returns the members of the room of a notification that was sent at this time, and whether they have
    /// seen it: in the room, or in their inbox. Returns nobody while it has no message in a room.
    async fn recipients(
        &self,
        notification: &Notification,
        sent_at: Option<Timestamp>,
    ) -> Result<NotificationRecipients>;
}

/// Acts on many notifications, with a stored progress.
#[async_trait]
pub trait BulkActs: Send + Sync {
    /// Returns the progress of an act; `None` if none has its key.
    async fn find(
        &self,
        administrator: &Administrator,
        request: &BulkRequest,
    ) -> Result<Option<BulkBeginning>>;

    /// Begins an act on the notifications up to `upto`, unless one has its key.
    async fn begin(
        &self,
        administrator: &Administrator,
        request: &BulkRequest,
        upto: NotificationId,
    ) -> Result<()>;

    /// Changes the next notifications, oldest first, in one transaction with their entries in the audit log
    /// and the progress. Changes nothing if another call has moved the progress meanwhile.
    async fn step(
        &self,
        administrator: &Administrator,
        request: &BulkRequest,
        progress: &BulkProgress,
    ) -> Result<Vec<ActResult>>;
}
