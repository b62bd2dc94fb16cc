//! The ports of the homeserver as a whole and of its accounts, implemented as a Matrix Application Service.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{MatrixUserId, RoomId},
    port::{Accounts, Homeserver},
};
use reqwest::Method;
use serde::Deserialize;

use crate::{
    Appservice,
    call::{Call, UNVERSIONED},
    error::Context,
};

/// The time limit for a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

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
}

#[async_trait]
impl Accounts for Appservice {
    async fn claim_account(&self, user: &MatrixUserId) -> Result<bool> {
        self.http.claim(user).await.context("registering a user")
    }

    async fn ensure_user(&self, user: &MatrixUserId, display_name: &str) -> Result<()> {
        self.http.ensure_user(user, display_name, &self.bot).await
    }

    async fn silence(&self, room: &RoomId, user: &MatrixUserId, is_silent: bool) -> Result<()> {
        self.http.silence_room(room, user, is_silent).await
    }

    async fn show_as_direct(&self, room: &RoomId, user: &MatrixUserId, partner: &MatrixUserId) -> Result<()> {
        self.mark_direct(room, user, partner).await
    }
}
