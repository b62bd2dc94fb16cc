//! The port of the inboxes.

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    event::Payload,
    id::{HubUserId, TenantId},
    inbox::{InboxPage, InboxQuery, ReadEntries, ReadOutcome},
};

/// The notifications as their readers see them. The read state of a user counts for all of their devices.
///
/// A user who comes to a tenant has read the notifications that were announced before.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Returns a page of a user's inbox; `None` if the user is not in the tenant. A page may be shorter than its
    /// limit although another one follows.
    async fn page(&self, tenant: TenantId, user: &HubUserId, query: &InboxQuery)
    -> Result<Option<InboxPage>>;

    /// Marks notifications as read, and appends the live event `inbox_read` for the user unless nothing changes.
    /// Returns `None` if the user is not in the tenant.
    async fn read(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        read: &ReadEntries,
        payload: &Payload,
    ) -> Result<Option<ReadOutcome>>;
}
