//! The settings of the service that operators decide.

use std::time::Duration;

use crate::domain::id::TenantId;

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
