//! The homeserver port, implemented as a Matrix Application Service.

use std::time::Duration;

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
    Appservice,
    call::{Call, UNVERSIONED},
    error::Context,
    timeline::SentEvent,
};

/// The time limit for a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// The time limit for sending a message. It is long, because a homeserver that is interrupted may have stored
/// the message without the transaction id that prevents a second copy.
const SEND_TIMEOUT: Duration = Duration::from_secs(25);

#[derive(Deserialize)]
struct Versions {
    #[expect(dead_code, reason = "its presence distinguishes a homeserver from other web servers")]
    versions: Vec<String>,
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
