//! Direct chats: which rooms a user's clients show as such.

use messenger_core::{
    Result,
    id::{MatrixUserId, RoomId},
};
use reqwest::StatusCode;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::{
    Appservice,
    error::{Cause, Doing},
};

/// The account data that lists them: partner → rooms (Matrix specification, "Direct messaging").
const DIRECT: &str = "m.direct";

impl Appservice {
    /// The user's clients show the room as a direct chat with the partner. A client would note that itself when its user
    /// accepts the invitation; ours are joined by us.
    pub(crate) async fn show_as_direct(
        &self,
        room: &RoomId,
        user: &MatrixUserId,
        partner: &MatrixUserId,
    ) -> Result<()> {
        match self.add_direct(room, user, partner).await {
            // The chat works without; nobody should miss a message because a client shows it in another list.
            Err(cause) if cause.is_refused_for_good() => {
                let cause: &dyn std::error::Error = &cause;
                tracing::warn!(%user, %room, cause, "a direct chat is not shown as such");
                Ok(())
            }
            result => result.doing("marking a direct chat"),
        }
    }

    async fn add_direct(
        &self,
        room: &RoomId,
        user: &MatrixUserId,
        partner: &MatrixUserId,
    ) -> Result<(), Cause> {
        let mut direct = match self.http.get().account_data(user, DIRECT).send::<Map<String, Value>>().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Map::new(),
            direct => direct?,
        };
        let rooms = direct.entry(partner.as_str()).or_insert_with(|| json!([]));
        let mut known: Vec<Value> = rooms.as_array().cloned().unwrap_or_default();
        if known.iter().any(|known| known == room.as_str()) {
            return Ok(());
        }
        known.push(room.as_str().into());
        *rooms = known.into();
        self.http.put().account_data(user, DIRECT).body(&direct).send::<IgnoredAny>().await.map(drop)
    }
}
