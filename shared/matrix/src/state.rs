//! The state of rooms: permissions, successors, power levels and invitations.

use std::collections::BTreeMap;

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{MatrixUserId, RoomId},
    port::{RoomState, Timeline as _},
    room::{Membership, Permissions},
    room_event::{Content, RoomEvent},
};
use reqwest::StatusCode;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    Appservice,
    error::{Cause, Context},
    wire::{
        parse_or_skip,
        sync::{Invited, Sync},
    },
};

const READING: &str = "reading the state of a room";

/// The content of `m.room.power_levels`, with the defaults of the specification.
#[derive(Deserialize, Default)]
#[serde(default)]
struct PowerLevels {
    users: BTreeMap<String, i64>,
    users_default: i64,
    events: BTreeMap<String, i64>,
    events_default: i64,
}

/// The content of `m.room.create`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Create {
    room_version: Option<String>,
    additional_creators: Vec<String>,
}

#[derive(Deserialize)]
struct Tombstone {
    replacement_room: Option<RoomId>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    sender: String,
}

#[async_trait]
impl RoomState for Appservice {
    async fn permissions(&self, room: &RoomId, user: &MatrixUserId) -> Result<Permissions> {
        let (levels, tombstone, encryption, membership) = tokio::try_join!(
            self.content::<PowerLevels>(room, "m.room.power_levels"),
            self.content::<IgnoredAny>(room, "m.room.tombstone"),
            self.content::<IgnoredAny>(room, "m.room.encryption"),
            self.membership(room, user),
        )
        .context(READING)?;
        let levels = levels.unwrap_or_default();
        let needed = levels.events.get("m.room.message").copied().unwrap_or(levels.events_default);
        let may_send = match levels.users.get(user.as_str()) {
            Some(level) => *level >= needed,
            None if levels.users_default >= needed => true,
            None => self.is_creator_with_power(room, user).await.context(READING)?,
        };
        let membership = match membership.as_deref() {
            Some("join") => Membership::Joined,
            Some("invite") => Membership::Invited,
            Some("ban") => Membership::Banned,
            _ => Membership::Out,
        };
        let (is_upgraded, is_encrypted) = (tombstone.is_some(), encryption.is_some());
        Ok(Permissions { membership, may_send, is_upgraded, is_encrypted })
    }

    async fn successor(&self, room: &RoomId) -> Result<Option<RoomId>> {
        match self.content::<Tombstone>(room, "m.room.tombstone").await {
            Err(cause) if cause.is_rejected() => Ok(None),
            tombstone => Ok(tombstone.context(READING)?.and_then(|tombstone| tombstone.replacement_room)),
        }
    }

    async fn correct_power_levels(&self, room: &RoomId, members_invite: bool) -> Result<bool> {
        let context = "correcting the power levels of a room";
        let levels: Option<Map<String, Value>> = match self.content(room, "m.room.power_levels").await {
            Err(cause) if cause.is_rejected() => return Ok(false),
            levels => levels.context(context)?,
        };
        let levels = levels.unwrap_or_default();
        let has_power =
            levels.get("users").and_then(|users| users.get(self.bot.as_str())) == Some(&json!(100));
        let corrected = corrected(&levels, members_invite);
        if !has_power || corrected == levels {
            return Ok(has_power);
        }
        let call = self.http.put().at("rooms").at(room).at("state").at("m.room.power_levels").by(&self.bot);
        match call.body(&corrected).send::<IgnoredAny>().await {
            Err(cause) if cause.is_rejected() => Ok(false),
            result => result.map(|_| true).context(context),
        }
    }

    async fn discard(&self, room: &RoomId, alias: &str) -> Result<()> {
        // A room with messages existed before, and its members may use it again.
        if self.before(room, None, 50, None).await?.events.iter().any(is_message) {
            return Ok(());
        }
        let alias = format!("#{alias}:{}", self.http.server_name);
        match self.release(&alias).await {
            Err(cause) if cause.is_rejected() => {}
            result => result.context("releasing the alias of a discarded room")?,
        }
        self.leave_as_bot(room).await
    }

    async fn leave_as_bot(&self, room: &RoomId) -> Result<()> {
        let leave = self.http.post().at("rooms").at(room).at("leave").by(&self.bot);
        match leave.send::<IgnoredAny>().await {
            Err(cause) if cause.is_rejected() => Ok(()),
            result => result.context("leaving a room").map(drop),
        }
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
}

impl Appservice {
    /// Removes an alias.
    pub(crate) async fn release(&self, alias: &str) -> Result<(), Cause> {
        let call = self.http.delete().at("directory").at("room").at(alias).by(&self.bot);
        call.send::<IgnoredAny>().await.map(drop)
    }

    /// Returns the content of a state event with an empty key, as the bot reads it. Returns `None` if there
    /// is no such event or if it cannot be parsed.
    async fn content<T: DeserializeOwned>(&self, room: &RoomId, kind: &str) -> Result<Option<T>, Cause> {
        let call = self.http.get().at("rooms").at(room).at("state").at(kind).by(&self.bot);
        match call.send().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(None),
            Err(Cause::InvalidBody(_)) => Ok(None),
            content => content.map(Some),
        }
    }

    /// Returns whether a user has unlimited power as a creator. Since room version 12, power levels do not
    /// list creators.
    async fn is_creator_with_power(&self, room: &RoomId, user: &MatrixUserId) -> Result<bool, Cause> {
        let create = self.content::<Create>(room, "m.room.create").await?.unwrap_or_default();
        let version = create.room_version.as_deref().map(str::parse::<u32>);
        if matches!(version, None | Some(Ok(..12))) {
            return Ok(false);
        }
        if create.additional_creators.iter().any(|creator| creator == user.as_str()) {
            return Ok(true);
        }
        let state: Vec<Event> = self.http.get().at("rooms").at(room).at("state").by(&self.bot).send().await?;
        Ok(state.iter().any(|event| event.kind == "m.room.create" && event.sender == user.as_str()))
    }
}

fn is_message(event: &RoomEvent) -> bool {
    matches!(event.content, Content::Message(_))
}

/// Returns the power levels of state events that only the bot may send, even if members get power. They could
/// make a room unreadable for this service, or replace it.
pub(crate) fn bot_only() -> Value {
    json!({
        "m.room.encryption": 100,
        "m.room.history_visibility": 100,
        "m.room.power_levels": 100,
        "m.room.server_acl": 100,
        "m.room.tombstone": 100,
    })
}

/// Returns power levels with the bot's state events, and with the right of members to invite.
fn corrected(levels: &Map<String, Value>, members_invite: bool) -> Map<String, Value> {
    let mut levels = levels.clone();
    let mut events = levels.get("events").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Value::Object(bot_only) = bot_only() {
        events.extend(bot_only);
    }
    levels.insert("events".to_owned(), events.into());
    if members_invite {
        levels.insert("invite".to_owned(), 0.into());
    }
    levels
}
