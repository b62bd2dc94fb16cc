//! The settings of the service.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::id::TenantId;

/// The settings of a copy of the event log on DynamoDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCopySettings {
    /// The name of the table.
    pub table: String,
    /// The region.
    pub region: String,
    /// The URL of the API; `None` for that of the region.
    pub endpoint: Option<String>,
    /// The time for which events are kept in the log.
    pub retention: Duration,
    /// The name of the installation in the table, which all of its processes and nobody else can derive.
    pub installation: String,
}

/// The settings that the operator chooses.
#[derive(Debug, Clone)]
pub struct MessengerSettings {
    /// The homeserver's `server_name`.
    pub server_name: String,
    /// The URL of the homeserver for other Matrix clients.
    pub public_homeserver_url: String,
    /// The localpart of the bot.
    pub bot_localpart: String,
    /// Further localparts that no user gets.
    pub reserved_localparts: Vec<String>,
    /// The display name of the bot.
    pub bot_display_name: String,
    /// The name of each tenant's general room.
    pub general_room_name: String,
    /// The tenant of tokens without `tenant_id`.
    pub default_tenant: TenantId,
    /// The largest number of events that a reader may have missed. A reader that is further behind gets a
    /// `reset`.
    pub replay_max: usize,
    /// The time for which events are kept in the log.
    pub event_retention: Duration,
    /// The time for which messages are found by search.
    pub search_retention: Duration,
    /// The time zone of the tenants, in which messages state times.
    pub time_zone: TimeZone,
    /// The version of the service with the revision of its sources, by which a page notices a new one.
    pub app_version: String,
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
            search_retention: Duration::from_hours(365 * 24),
            time_zone: TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC),
            app_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
