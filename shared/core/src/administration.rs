//! The administration of tenants: builds its engines from the ports and hands them out.

use std::sync::Arc;

use crate::{
    app::admin::{
        access::Access, audit::Audit, bulk_acts::BulkActs, last_seen::LastSeen,
        notifications::NotificationAdministration, rooms::TenantRooms, statistics::Statistics, users::Users,
    },
    messenger::Messenger,
    port::AdminPorts,
};

/// The engines of administration. Cheap to clone.
#[derive(Clone)]
pub struct Administration {
    access: Arc<Access>,
    audit: Arc<Audit>,
    users: Arc<Users>,
    last_seen: Arc<LastSeen>,
    notifications: Arc<NotificationAdministration>,
    bulk_acts: Arc<BulkActs>,
    rooms: Arc<TenantRooms>,
    statistics: Arc<Statistics>,
}

impl Administration {
    /// Builds the engines. Does no I/O.
    pub fn new(messenger: &Messenger, ports: &AdminPorts) -> Self {
        Self {
            access: Arc::new(Access::new(messenger.users())),
            audit: Arc::new(Audit::new(ports)),
            users: Arc::new(Users::new(
                ports,
                messenger.external_clients(),
                messenger.operations(),
                messenger.ids(),
            )),
            last_seen: Arc::new(LastSeen::new(ports)),
            notifications: Arc::new(NotificationAdministration::new(ports, messenger.notifications())),
            bulk_acts: Arc::new(BulkActs::new(ports)),
            rooms: Arc::new(TenantRooms::new(ports, messenger.registry(), messenger.closures())),
            statistics: Arc::new(Statistics::new(ports, messenger.operations(), messenger.streams())),
        }
    }

    /// Returns the engine that checks the right to administer.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Returns the engine for notifications.
    pub fn notifications(&self) -> &NotificationAdministration {
        &self.notifications
    }

    /// Returns the engine for acts on many notifications.
    pub fn bulk_acts(&self) -> &BulkActs {
        &self.bulk_acts
    }

    /// Returns the engine that reads the audit log.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Returns the engine that administers users.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Returns the engine that stores when users called.
    pub fn last_seen(&self) -> &LastSeen {
        &self.last_seen
    }

    /// Returns the engine for the rooms of a tenant.
    pub fn rooms(&self) -> &TenantRooms {
        &self.rooms
    }

    /// Returns the engine for the figures of a tenant.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}
