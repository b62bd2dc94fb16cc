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
pub struct Administration(Arc<Engines>);

struct Engines {
    access: Access,
    audit: Audit,
    users: Users,
    last_seen: LastSeen,
    notifications: NotificationAdministration,
    bulk_acts: BulkActs,
    rooms: TenantRooms,
    statistics: Statistics,
}

impl Administration {
    /// Builds the engines. Does no I/O.
    pub fn new(messenger: &Messenger, ports: &AdminPorts) -> Self {
        Self(Arc::new(Engines {
            access: Access::new(messenger.users()),
            audit: Audit::new(ports),
            users: Users::new(ports, messenger.external_clients(), messenger.operations(), messenger.ids()),
            last_seen: LastSeen::new(ports),
            notifications: NotificationAdministration::new(ports, messenger.notifications()),
            bulk_acts: BulkActs::new(ports),
            rooms: TenantRooms::new(ports, messenger.registry(), messenger.closures()),
            statistics: Statistics::new(ports, messenger.operations(), messenger.streams()),
        }))
    }

    /// Returns the engine that checks the right to administer.
    pub fn access(&self) -> &Access {
        &self.0.access
    }

    /// Returns the engine for notifications.
    pub fn notifications(&self) -> &NotificationAdministration {
        &self.0.notifications
    }

    /// Returns the engine for acts on many notifications.
    pub fn bulk_acts(&self) -> &BulkActs {
        &self.0.bulk_acts
    }

    /// Returns the engine that reads the audit log.
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// Returns the engine that administers users.
    pub fn users(&self) -> &Users {
        &self.0.users
    }

    /// Returns the engine that stores when users called.
    pub fn last_seen(&self) -> &LastSeen {
        &self.0.last_seen
    }

    /// Returns the engine for the rooms of a tenant.
    pub fn rooms(&self) -> &TenantRooms {
        &self.0.rooms
    }

    /// Returns the engine for the figures of a tenant.
    pub fn statistics(&self) -> &Statistics {
        &self.0.statistics
    }
}
