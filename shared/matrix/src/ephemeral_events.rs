//! Ephemeral events of users: read receipts and typing notifications.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{EventId, MatrixUserId, RoomId},
    port::EphemeralEvents,
};
use serde::de::IgnoredAny;
use serde_json::json;

use crate::{Appservice, error::Context};

/// The time limit for a typing notification. A later one is useless.
const TYPING_TIMEOUT: Duration = Duration::from_secs(3);

#[async_trait]
impl EphemeralEvents for Appservice {
    async fn mark_read(&self, room: &RoomId, user: &MatrixUserId, event: &EventId) -> Result<()> {
        let path = self.http.post().at("rooms").at(room).at("receipt").at("m.read.private").at(event);
        path.by(user).send::<IgnoredAny>().await.context("marking a room as read").map(drop)
    }

    async fn set_typing(&self, room: &RoomId, user: &MatrixUserId, lasting: Option<Duration>) -> Result<()> {
        let body = match lasting {
            Some(time) => {
                json!({ "typing": true, "timeout": u64::try_from(time.as_millis()).unwrap_or(u64::MAX) })
            }
            None => json!({ "typing": false }),
        };
        let call = self.http.put().at("rooms").at(room).at("typing").at(user).by(user).body(&body);
        let sent = call.timeout(TYPING_TIMEOUT).send::<IgnoredAny>().await;
        sent.context("sending a typing notification").map(drop)
    }
}
