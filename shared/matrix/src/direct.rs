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
    error::{Cause, Context},
};

/// The account data that lists them: partner → rooms (Matrix specification, "Direct messaging").
const DIRECT: &str = "m.direct";
/// How often it is written while others write over it.
const TRIES: u32 = 4;

impl Appservice {
    /// The user's clients show the room as a direct chat with the partner. A client would note that itself when its user
    /// accepts the invitation; ours are joined by us.
    pub(crate) async fn mark_direct(
        &self,
        room: &RoomId,
        user: &MatrixUserId,
        partner: &MatrixUserId,
    ) -> Result<()> {
        match self.add_direct(room, user, partner).await {
            // The chat works without; nobody should miss a message because a client shows it in another list. What a
            // client has stored there, and we cannot read, is not overwritten.
            Err(cause) if cause.is_refused_for_good() || matches!(cause, Cause::Nonsense(_)) => {
                let cause: &dyn std::error::Error = &cause;
                tracing::warn!(%user, %room, cause, "a direct chat is not shown as such");
                Ok(())
            }
            result => result.context("marking a direct chat"),
        }
    }

    /// The list is only stored as a whole: of two who add to it at once one writes over the other's. Here they take turns;
    /// another process, or a client, may have been at it, so whether it stayed is looked at.
    async fn add_direct(
        &self,
        room: &RoomId,
        user: &MatrixUserId,
        partner: &MatrixUserId,
    ) -> Result<(), Cause> {
        let _turn = self.lists.take(user.as_str()).await;
        for _ in 0..TRIES {
            let mut direct = self.directs(user).await?;
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
        tracing::debug!(%user, %room, "others write over a list of direct chats");
        Ok(())
    }

    async fn directs(&self, user: &MatrixUserId) -> Result<Map<String, Value>, Cause> {
        match self.http.get().account_data(user, DIRECT).send().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(Map::new()),
            direct => direct,
        }
    }
}
