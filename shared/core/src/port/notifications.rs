//! The port of the stored notifications.

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{NotificationId, TenantId},
    notification::{AcceptOutcome, DeliveryHistory, LogQuery, NewNotification, Notification},
};

/// The notifications, as satellites see them.
#[async_trait]
pub trait Notifications: Send + Sync {
    /// Stores the notification, its live event and its entry in the room queue, in one durable transaction.
    ///
    /// A known idempotency key stores nothing and returns the first notification. A direct message to a user
    /// who is unknown in the tenant is stored without live event, and held until that user signs in. The
    /// audit log gets an entry for the notification of an administrator.
    async fn accept(&self, entry: NewNotification) -> Result<AcceptOutcome>;

    /// Stores notifications in this order, in as few transactions as possible. Each has an outcome of its own.
    async fn accept_all(&self, entries: Vec<NewNotification>) -> Vec<Result<AcceptOutcome>>;

    /// Returns a notification of a tenant; `None` if the tenant has no such notification.
    async fn find(&self, tenant: TenantId, id: NotificationId) -> Result<Option<Notification>>;

    /// Returns a notification of a tenant with the attempts to deliver it; `None` if the tenant has no such
    /// notification.
    async fn history(&self, tenant: TenantId, id: NotificationId) -> Result<Option<DeliveryHistory>>;

    /// Returns the notifications of a tenant, newest first.
    async fn log(&self, tenant: TenantId, query: &LogQuery) -> Result<Vec<Notification>>;

    /// Returns the unique id of this database. It is part of each Matrix transaction id, so that two
    /// databases never use the same transaction id on one homeserver.
    async fn installation(&self) -> Result<String>;
}
