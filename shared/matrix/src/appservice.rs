//! The homeserver port, implemented as a Matrix Application Service.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use messenger_core::{
    Error, Result,
    error::{Failure, System},
    id::{EventId, MatrixUserId, RoomId},
    port::Homeserver,
    room::NewRoom,
};
use reqwest::Method;
use serde::Deserialize;
use tracing::Instrument;

use crate::{
    HomeserverConfig,
    call::{Call, Http, UNVERSIONED},
    device::{Device, Readers},
    error::Context,
    keyed_lock::KeyedLock,
};

/// The time limit for a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// The time limit for sending a message. It is long, because a homeserver that is interrupted may have stored
/// the message without the transaction id that prevents a second copy.
const SEND_TIMEOUT: Duration = Duration::from_secs(25);

/// A homeserver on which this service is an Application Service with one bot. Cheap to clone.
#[derive(Clone)]
pub struct Appservice {
    pub(crate) http: Http,
    pub(crate) bot: MatrixUserId,
    /// Locks by alias: they serialise creations of one room.
    pub(crate) alias_locks: Arc<KeyedLock>,
    /// Locks by user: they serialise changes of `m.direct`.
    pub(crate) direct_locks: Arc<KeyedLock>,
    /// The bot's device that reads rooms.
    pub(crate) reader: Device,
    /// The bot's device that reads `/sync`.
    pub(crate) reconciler: Device,
    /// The users' devices that read rooms as their members.
    pub(crate) readers: Readers,
}

#[derive(Deserialize)]
struct Versions {
    #[expect(dead_code, reason = "its presence distinguishes a homeserver from other web servers")]
    versions: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct SentEvent {
    pub(crate) event_id: EventId,
}

impl Appservice {
    /// Creates the adapter from a valid configuration. Does no I/O.
    pub fn new(config: HomeserverConfig) -> Result<Self> {
        let bot = MatrixUserId::new(format!("@{}:{}", config.bot_localpart, config.server_name));
        Ok(Self {
            http: Http::new(config)?,
            bot,
            alias_locks: Arc::default(),
            direct_locks: Arc::default(),
            reader: Device::reader(),
            reconciler: Device::reconciler(),
            readers: Readers::default(),
        })
    }
}

#[async_trait]
impl Homeserver for Appservice {
    async fn ping(&self) -> Result<()> {
        let call = Call::new(&self.http, Method::GET, UNVERSIONED).at("versions");
        let call = call.unauthenticated().timeout(PING_TIMEOUT);
        call.send::<Versions>().await.context("pinging the homeserver").map(drop)
    }

    async fn claim_account(&self, user: &MatrixUserId) -> Result<bool> {
        self.http.claim(user).await.context("registering a user")
    }

    async fn ensure_user(&self, user: &MatrixUserId, display_name: &str) -> Result<()> {
        self.http.ensure_user(user, display_name, &self.bot).await
    }

    async fn create_room(&self, room: &NewRoom) -> Result<RoomId> {
        // In a task of its own: Conduit stops at a lost connection, and a cancelled caller would leave an
        // incomplete room.
        let creation = self.clone().create_or_find_room(room.clone()).in_current_span();
        match tokio::spawn(creation).await {
            Ok(result) => result,
            Err(error) => Err(Error::fault(System::Homeserver, Failure::Broken, "creating a room", error)),
        }
    }

    async fn join(&self, room: &RoomId, user: &MatrixUserId) -> Result<()> {
        self.ensure_joined(room, user, &self.bot).await
    }

    async fn join_by(&self, room: &RoomId, member: &MatrixUserId, user: &MatrixUserId) -> Result<()> {
        self.ensure_joined(room, user, member).await
    }

    async fn send(&self, room: &RoomId, transaction: &str, content: &serde_json::Value) -> Result<EventId> {
        let call = self.http.put().at("rooms").at(room).at("send").at("m.room.message").at(transaction);
        let call = call.by(&self.bot).body(content).timeout(SEND_TIMEOUT);
        let sent: SentEvent = call.send().await.context("sending a message")?;
        Ok(sent.event_id)
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
