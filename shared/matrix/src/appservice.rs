//! The homeserver on which this service is an Application Service.

use std::sync::Arc;

use messenger_core::{Result, id::MatrixUserId};

use crate::{
    HomeserverConfig,
    call::Http,
    device::{Device, Readers},
    keyed_lock::KeyedLock,
    unanswered::UnansweredCreations,
};

/// A homeserver on which this service is an Application Service with one bot. Cheap to clone.
#[derive(Clone)]
pub struct Appservice {
    pub(crate) http: Http,
    pub(crate) bot: MatrixUserId,
    /// Locks by alias: they serialise creations of one room.
    pub(crate) alias_locks: Arc<KeyedLock>,
    /// The creations of rooms that the homeserver may still process.
    pub(crate) unanswered: Arc<UnansweredCreations>,
    /// Locks by user: they serialise changes of `m.direct`.
    pub(crate) direct_locks: Arc<KeyedLock>,
    /// The bot's device that reads rooms.
    pub(crate) reader: Device,
    /// The bot's device that reads `/sync`.
    pub(crate) reconciler: Device,
    /// The users' devices that read rooms as their members.
    pub(crate) readers: Readers,
}

impl Appservice {
    /// Creates the adapter from a valid configuration. Does no I/O.
    pub fn new(config: HomeserverConfig) -> Result<Self> {
        let bot = MatrixUserId::new(format!("@{}:{}", config.bot_localpart, config.server_name));
        Ok(Self {
            http: Http::new(config)?,
            bot,
            alias_locks: Arc::default(),
            unanswered: Arc::default(),
            direct_locks: Arc::default(),
            reader: Device::reader(),
            reconciler: Device::reconciler(),
            readers: Readers::default(),
        })
    }

    /// Returns each outcome of a call to the homeserver with the number of calls of this process that had it
    /// so far.
    pub fn call_outcomes(&self) -> Vec<(&'static str, u64)> {
        self.http.outcomes.counts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, token: &str) -> HomeserverConfig {
        HomeserverConfig {
            homeserver_url: url.to_owned(),
            server_name: "hub.local".to_owned(),
            as_token: token.to_owned(),
            account_key: "a-key".to_owned(),
            bot_localpart: "messenger".to_owned(),
            bot_display_name: "Messenger".to_owned(),
        }
    }

    #[test]
    fn an_invalid_configuration_is_refused() {
        for url in ["http://127.0.0.1:8008", "http://homeserver/", "https://chat.example.org/matrix/"] {
            assert!(Appservice::new(config(url, "token")).is_ok(), "{url}");
        }
        for url in ["", "homeserver:8008", "ftp://homeserver", "http://", "http://homeserver?x=1"] {
            assert!(Appservice::new(config(url, "token")).is_err(), "{url}");
        }
        for token in ["to\nken", "t\u{f6}ken\u{7f}"] {
            let error = Appservice::new(config("http://homeserver", token)).err().unwrap();
            assert_eq!(error.to_string(), "as_token: must be visible ASCII");
        }
    }
}
