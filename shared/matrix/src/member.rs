//! Memberships of users and of the bot, and invitations.

use async_trait::async_trait;
use messenger_core::{
    Result,
    error::Failure,
    id::{MatrixUserId, RoomId},
    port::MembershipCalls,
};
use reqwest::StatusCode;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{json, value::RawValue};

use crate::{
    Appservice,
    error::{Cause, Context},
    wire::{
        parse_or_skip,
        sync::{Invited, Sync},
    },
};

#[derive(Deserialize)]
struct Member {
    membership: String,
}

#[derive(Deserialize)]
struct Joined {
    joined_rooms: Vec<RoomId>,
}

#[async_trait]
impl MembershipCalls for Appservice {
    async fn join(&self, room: &RoomId, user: &MatrixUserId) -> Result<()> {
        self.ensure_joined(room, user, &self.bot).await
    }

    async fn join_by(&self, room: &RoomId, member: &MatrixUserId, user: &MatrixUserId) -> Result<()> {
        self.ensure_joined(room, user, member).await
    }

    async fn leave(&self, room: &RoomId, user: &MatrixUserId) -> Result<()> {
        let leave = self.http.post().at("rooms").at(room).at("leave").by(user);
        match leave.send::<IgnoredAny>().await {
            // Synapse's response if the user is not in the room. Conduit responds with success.
            Err(cause) if cause.is("M_FORBIDDEN") || cause.is("M_NOT_FOUND") => Ok(()),
            result => result.context("leaving a room").map(drop),
        }
    }

    async fn accept(&self, room: &RoomId, user: &MatrixUserId) -> Result<bool> {
        let context = "accepting an invitation";
        // Checked first, because a public room can be joined without an invitation.
        if self.membership(room, user).await.context(context)?.as_deref() != Some("invite") {
            return Ok(false);
        }
        // Joined without an invitation by the bot, so that a concurrent withdrawal holds.
        let join = self.http.post().at("rooms").at(room).at("join").by(user);
        match join.send::<IgnoredAny>().await {
            Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => Ok(false),
            joined => joined.map(|_| true).context(context),
        }
    }

    async fn rooms_of(&self, user: &MatrixUserId) -> Result<Vec<RoomId>> {
        let joined: Joined =
            self.http.get().at("joined_rooms").by(user).send().await.context("reading a user's rooms")?;
        Ok(joined.joined_rooms)
    }

    async fn invitations(&self, user: &MatrixUserId) -> Result<Vec<(RoomId, MatrixUserId)>> {
        let nothing = json!({ "not_types": ["*"] });
        let filter = json!({
            "presence": nothing,
            "account_data": nothing,
            "room": { "account_data": nothing, "ephemeral": nothing, "state": nothing, "timeline": { "limit": 1 } },
        })
        .to_string();
        let call = |http| {
            let call = crate::call::Http::get(http).at("sync").query("timeout", "0");
            call.query("filter", &filter).query("set_presence", "offline")
        };
        let sync: Sync = self
            .readers
            .of(user)
            .read(&self.http, user, call)
            .await
            .context("reading the invitations of a user")?;
        let inviter = |invited: &RawValue| {
            let invited: Invited = parse_or_skip(invited, "invitation")?;
            invited.inviter(user)
        };
        let invitations = sync.rooms.invite.into_iter();
        Ok(invitations.filter_map(|(room, invited)| Some((room, inviter(&invited)?))).collect())
    }

    async fn enter(&self, room: &RoomId, member: &MatrixUserId) -> Result<()> {
        let context = "bringing the bot into a room";
        let body = json!({ "user_id": self.bot });
        let invite = self.http.post().at("rooms").at(room).at("invite").by(member).body(&body);
        match invite.send::<IgnoredAny>().await {
            // The bot may be in the room or invited already. Otherwise the join fails.
            Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => {}
            result => result.map(drop).context(context)?,
        }
        let join = self.http.post().at("rooms").at(room).at("join").by(&self.bot);
        join.send::<IgnoredAny>().await.map(drop).context(context)
    }

    async fn leave_as_bot(&self, room: &RoomId) -> Result<()> {
        let leave = self.http.post().at("rooms").at(room).at("leave").by(&self.bot);
        match leave.send::<IgnoredAny>().await {
            Err(cause) if cause.is_rejected() => Ok(()),
            result => result.context("leaving a room").map(drop),
        }
    }
}

impl Appservice {
    /// Ensures that a user is in a room, by an invitation of the member `by`.
    pub(crate) async fn ensure_joined(
        &self,
        room: &RoomId,
        user: &MatrixUserId,
        by: &MatrixUserId,
    ) -> Result<()> {
        match self.invite_and_join(room, user, by).await {
            // A user who left between the refused invitation and the join can be invited now.
            Err(error) if error.failure() == Some(Failure::Rejected) => {
                self.invite_and_join(room, user, by).await
            }
            result => result,
        }
    }

    async fn invite_and_join(&self, room: &RoomId, user: &MatrixUserId, by: &MatrixUserId) -> Result<()> {
        // An invitation of a present member is refused, too. The join distinguishes the two.
        let invited = match self.invite(room, user, by).await {
            Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => Err(cause),
            result => Ok(result.context("inviting a user")?),
        };
        let join = self.http.post().at("rooms").at(room).at("join").by(user);
        match (join.send::<IgnoredAny>().await, invited) {
            (Ok(_), _) => Ok(()),
            (Err(cause), Err(earlier)) if cause.is_rejected() => Err(earlier).context("inviting a user"),
            (Err(cause), _) => Err(cause).context("joining a room"),
        }
    }

    /// Ensures that a user is in a room or invited.
    pub(crate) async fn ensure_invited(&self, room: &RoomId, user: &MatrixUserId) -> Result<()> {
        match self.invite(room, user, &self.bot).await {
            Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => {
                match self.membership(room, user).await.ok().flatten().as_deref() {
                    Some("join" | "invite") => Ok(()),
                    _ => Err(cause).context("inviting a user"),
                }
            }
            result => result.context("inviting a user"),
        }
    }

    /// Returns a user's membership, as the bot sees it. Returns `None` if the user never had one.
    pub(crate) async fn membership(
        &self,
        room: &RoomId,
        user: &MatrixUserId,
    ) -> Result<Option<String>, Cause> {
        let path = self.http.get().at("rooms").at(room).at("state").at("m.room.member").at(user);
        match path.by(&self.bot).send::<Member>().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(None),
            member => member.map(|member| Some(member.membership)),
        }
    }

    async fn invite(&self, room: &RoomId, user: &MatrixUserId, by: &MatrixUserId) -> Result<(), Cause> {
        let call = self.http.post().at("rooms").at(room).at("invite").by(by);
        call.body(&json!({ "user_id": user })).send::<IgnoredAny>().await.map(drop)
    }
}
