//! Rooms: creation, permissions, summaries, successors and power levels.

use std::collections::BTreeMap;

use async_trait::async_trait;
use messenger_core::{
    Error, Result,
    error::{Failure, System},
    id::{MatrixUserId, RoomId},
    port::{MembershipCalls as _, RoomAdministration, RoomSummary, Timeline as _},
    room::{Marks, Membership, NewRoom, Permissions},
    room_event::{Content, RoomEvent},
};
use reqwest::StatusCode;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Value, json, value::RawValue};
use tracing::Instrument;

use crate::{
    Appservice,
    error::{Cause, Context, misconfigured},
    wire::{
        parse_timestamp,
        state::{StateEvent, state_events},
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
impl RoomAdministration for Appservice {
    async fn create_room(&self, room: &NewRoom) -> Result<RoomId> {
        // In a task of its own: Conduit stops at a lost connection, and a cancelled caller would leave an
        // incomplete room.
        let creation = self.clone().create_or_find_room(room.clone()).in_current_span();
        match tokio::spawn(creation).await {
            Ok(result) => result,
            Err(error) => Err(Error::fault(System::Homeserver, Failure::Broken, "creating a room", error)),
        }
    }

    async fn release_alias(&self, room: &RoomId, alias: &str) -> Result<()> {
        self.release_alias_of(room, alias).await
    }

    async fn empty(&self, room: &RoomId) -> Result<()> {
        self.remove_everybody(room).await
    }

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

    async fn summary(&self, room: &RoomId, member: &MatrixUserId) -> Result<RoomSummary> {
        let context = "reading the summary of a room";
        let call = self.http.get().at("rooms").at(room).at("state").by(member);
        let state: Vec<Box<RawValue>> = call.send().await.context(context)?;
        let state: Vec<_> = state_events(&state).collect();
        let create = state.iter().find(|event| event.kind == "m.room.create");
        let create = create.ok_or_else(|| misconfigured(context, format!("{room} has no m.room.create")))?;
        let text = |kind: &str, field: &str| {
            let event = state.iter().find(|event| event.kind == kind && event.state_key.is_empty())?;
            event.content().get(field)?.as_str().map(str::to_owned)
        };
        Ok(RoomSummary {
            made_by: create.sender.clone(),
            made_at: parse_timestamp(create.origin_server_ts.as_deref()),
            alias: text("m.room.canonical_alias", "alias"),
            name: text("m.room.name", "name"),
            topic: text("m.room.topic", "topic"),
            is_space: text("m.room.create", "type").as_deref() == Some("m.space"),
            marks: Marks {
                is_encrypted: state.iter().any(|event| event.kind == "m.room.encryption"),
                is_history_restricted: matches!(
                    text("m.room.history_visibility", "history_visibility").as_deref(),
                    Some("joined" | "invited")
                ),
            },
            is_upgraded: state.iter().any(|event| event.kind == "m.room.tombstone"),
            predecessor: create.predecessor(),
            is_direct: state.iter().any(StateEvent::is_direct),
            people: state.iter().filter_map(StateEvent::member).collect(),
        })
    }

    async fn successor(&self, room: &RoomId) -> Result<Option<RoomId>> {
        match self.content::<Tombstone>(room, "m.room.tombstone").await {
            Err(cause) if cause.is_rejected() => Ok(None),
            tombstone => Ok(tombstone.context(READING)?.and_then(|tombstone| tombstone.replacement_room)),
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
