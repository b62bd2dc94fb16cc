//! `m.direct`: the list of direct chats that a user's clients show.

use messenger_core::{
    Result,
    id::{MatrixUserId, RoomId},
};
use reqwest::StatusCode;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::{
    Appservice,
    error::{Cause, Context},
};

/// The account data with the rooms of each partner (Matrix specification, "Direct Messaging").
const DIRECT: &str = "m.direct";
/// Most attempts to write the list while other writers overwrite it.
const ATTEMPTS: u32 = 4;

impl Appservice {
    /// Adds a room to the user's direct chats with the partner. A client would do so when its user accepts
    /// the invitation, but this service joins its users without one.
    pub(crate) async fn mark_direct(
        &self,
        room: &RoomId,
        user: &MatrixUserId,
        partner: &MatrixUserId,
    ) -> Result<()> {
        match self.add_direct(room, user, partner).await {
            // Not an error, because the chat works without. Content that cannot be parsed is not overwritten.
            Err(cause) if cause.is_rejected() || matches!(cause, Cause::InvalidBody(_)) => {
                let cause: &dyn std::error::Error = &cause;
                tracing::warn!(%user, %room, cause, "m.direct not changed: the homeserver refused or its content cannot be parsed");
                Ok(())
            }
            result => result.context("marking a direct chat"),
        }
    }

    /// Writes the list and reads it again. It can only be stored as a whole, so that concurrent writers
    /// overwrite each other. The lock serialises those of this process; the second read detects other
    /// processes and clients.
    async fn add_direct(
        &self,
        room: &RoomId,
        user: &MatrixUserId,
        partner: &MatrixUserId,
    ) -> Result<(), Cause> {
        let _lock = self.direct_locks.lock(user.as_str()).await;
        for _ in 0..ATTEMPTS {
            let mut direct = self.direct_chats(user).await?;
            let rooms = direct.entry(partner.as_str()).or_insert_with(|| json!([]));
            let mut known: Vec<Value> = rooms.as_array().cloned().unwrap_or_default();
            if known.iter().any(|known| known == room.as_str()) {
                return Ok(());
            }
            known.push(room.as_str().into());
            *rooms = known.into();
            let call = self.http.put().account_data(user, DIRECT).body(&direct);
            call.send::<IgnoredAny>().await?;
        }
        tracing::debug!(%user, %room, "m.direct overwritten by other writers");
        Ok(())
    }

    async fn direct_chats(&self, user: &MatrixUserId) -> Result<Map<String, Value>, Cause> {
        match self.http.get().account_data(user, DIRECT).send().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(Map::new()),
            direct => direct,
        }
    }
}
