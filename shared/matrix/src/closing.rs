//! Closing of rooms: removes the alias, the members, and last the bot.

use messenger_core::{
    Result,
    error::Failure,
    id::{MatrixUserId, RoomId},
    port::{MembershipCalls as _, RoomAdministration as _},
};
use reqwest::StatusCode;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;

use crate::{
    Appservice,
    error::{Cause, Context},
};

/// The room of an alias.
#[derive(Deserialize)]
struct Directory {
    room_id: RoomId,
}

impl Appservice {
    /// Deletes an alias of this homeserver if it names the room: it may be that of another room by now.
    pub(crate) async fn release_alias_of(&self, room: &RoomId, localpart: &str) -> Result<()> {
        let context = "releasing the alias of a closed room";
        let alias = format!("#{localpart}:{}", self.http.server_name);
        let call = self.http.get().at("directory").at("room").at(alias.as_str()).by(&self.bot);
        let named = match call.send::<Directory>().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => return Ok(()),
            named => named.context(context)?,
        };
        if named.room_id != *room {
            return Ok(());
        }
        match self.release(&alias).await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(()),
            result => result.context(context),
        }
    }

    /// Removes all members whom the bot may remove from a room, then makes the bot leave.
    pub(crate) async fn remove_everybody(&self, room: &RoomId) -> Result<()> {
        let summary = match self.summary(room, &self.bot).await {
            // The bot is not in the room, or left it during an earlier attempt.
            Err(error) if error.failure() == Some(Failure::Rejected) => return Ok(()),
            summary => summary?,
        };
        for person in summary.people.iter().filter(|person| person.id != self.bot) {
            match self.kick(room, &person.id).await {
                Err(cause) if cause.is_rejected() => {
                    let cause: &dyn std::error::Error = &cause;
                    tracing::info!(%room, user = %person.id, cause, "member of a closed room cannot be removed");
                }
                result => result.context("removing a member of a closed room")?,
            }
        }
        self.leave_as_bot(room).await
    }

    async fn kick(&self, room: &RoomId, user: &MatrixUserId) -> Result<(), Cause> {
        let call = self.http.post().at("rooms").at(room).at("kick").by(&self.bot);
        let body = json!({ "user_id": user, "reason": "the room was closed" });
        call.body(&body).send::<IgnoredAny>().await.map(drop)
    }
}
