//! The ports of the administration of a tenant.

mod audit_log;
mod notifications;
mod rooms;
mod statistics;
mod users;

use std::sync::Arc;

pub use audit_log::AuditLog;
pub use notifications::{AdminNotifications, BulkActs};
pub use rooms::AdminRooms;
pub use statistics::AdminStatistics;
pub use users::{AdminUsers, GivenName};

/// The ports of administration. Only adapters of a database implement them.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the port of its type")]
pub struct AdminPorts {
    pub audit_log: Arc<dyn AuditLog>,
    pub users: Arc<dyn AdminUsers>,
    pub notifications: Arc<dyn AdminNotifications>,
    pub bulk_acts: Arc<dyn BulkActs>,
    pub rooms: Arc<dyn AdminRooms>,
    pub statistics: Arc<dyn AdminStatistics>,
}

impl AdminPorts {
    /// Takes the ports from one adapter.
    pub fn new<S>(store: Arc<S>) -> Self
    where
        S: AuditLog + AdminUsers + AdminNotifications + BulkActs + AdminRooms + AdminStatistics + 'static,
    {
        Self {
            audit_log: store.clone(),
            users: store.clone(),
            notifications: store.clone(),
            bulk_acts: store.clone(),
            rooms: store.clone(),
            statistics: store,
        }
    }
}
