//! Creation of rooms: one room for each alias, across retries and processes.

use std::time::Duration;

use messenger_core::{
    Result,
    id::RoomId,
    port::{MembershipCalls as _, RoomAdministration as _},
    room::NewRoom,
};
use reqwest::StatusCode;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    Appservice,
    error::{Cause, Context, misconfigured},
    state::bot_only,
};

const CREATING: &str = "creating a room";
/// The version of new rooms. Both servers support it; its room ids have a server part.
const VERSION: &str = "11";
/// The time that a room may take from its alias to its first member. Synapse takes milliseconds, unless it is
/// killed.
const CREATION_TIMEOUT: Duration = Duration::from_secs(5);
/// The wait before an alias is resolved again.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Room {
    room_id: RoomId,
}

#[derive(Deserialize)]
struct StateEvent {
    #[serde(rename = "type")]
    kind: String,
    state_key: String,
    sender: String,
}

/// The time in which the homeserver processes a creation that was given up, after a later one was answered.
const PROCESSING: Duration = Duration::from_secs(1);

/// The room of an alias.
enum Found {
    /// A room that the bot created, with its state.
    Ours(RoomId, Vec<StateEvent>),
    /// A room without members, whose creation is not finished and may never be.
    Empty,
    /// No room.
    Nothing,
}

impl Appservice {
    /// Creates a room, or finds it and adds missing state. Invites users last, so that they never see an
    /// unfinished room.
    pub(crate) async fn create_or_find_room(self, room: NewRoom) -> Result<RoomId> {
        let id = {
            // Conduit creates two rooms of one alias for concurrent requests. Between processes, the claims
            // of `messenger_core::port::Rooms` prevent that.
            let _lock = self.alias_locks.lock(&room.alias).await;
            self.create_or_find(&room).await?
        };
        for user in &room.invite {
            if let Err(error) = self.ensure_invited(&id, user).await {
                if error.refusal().is_some() {
                    self.discard(&id, &room.alias).await?;
                }
                return Err(error);
            }
            if room.is_direct {
                let partner = room.invite.iter().find(|other| *other != user).unwrap_or(&self.bot);
                self.mark_direct(&id, user, partner).await?;
            }
        }
        Ok(id)
    }

    async fn create_or_find(&self, room: &NewRoom) -> Result<RoomId> {
        let alias = format!("#{}:{}", room.alias, self.http.server_name);
        let mut deadline = Some(Instant::now() + CREATION_TIMEOUT);
        loop {
            match self.create(room, &alias).await {
                Err(cause) if is_in_use(&cause) => {}
                Ok(id) if self.unanswered.take(&alias) => return self.room_of_alias(room, &alias, id).await,
                Ok(id) => return Ok(id),
                Err(cause) => {
                    if cause.may_be_processed() {
                        self.unanswered.note(&alias);
                    }
                    return Err(cause).context(CREATING);
                }
            }
            match (self.find(&alias).await?, deadline) {
                (Found::Ours(id, state), _) => {
                    self.complete(room, &alias, &id, &state).await.context("completing a room")?;
                    return Ok(id);
                }
                (Found::Empty, Some(timeout)) if timeout < Instant::now() => {
                    tracing::warn!(alias, "room of this alias has no members; creating another");
                    deadline = None;
                    self.release(&alias).await.context("releasing the alias of an empty room")?;
                }
                (Found::Empty | Found::Nothing, Some(_)) => sleep(RETRY_INTERVAL).await,
                (Found::Empty | Found::Nothing, None) => {
                    return Err(misconfigured(CREATING, format!("{alias} is in use but has no room")));
                }
            }
        }
    }

    /// Returns the room of an alias for which two creations were on their way. Conduit creates both rooms, and
    /// the later one gets the alias.
    async fn room_of_alias(&self, room: &NewRoom, alias: &str, created: RoomId) -> Result<RoomId> {
        sleep(PROCESSING).await;
        match self.find(alias).await? {
            Found::Ours(id, state) if id != created => {
                tracing::warn!(alias, room = %id, abandoned = %created, "two rooms were created for one alias");
                self.complete(room, alias, &id, &state).await.context("completing a room")?;
                self.leave_as_bot(&created).await?;
                Ok(id)
            }
            Found::Ours(..) | Found::Empty | Found::Nothing => Ok(created),
        }
    }

    async fn create(&self, room: &NewRoom, alias: &str) -> Result<RoomId, Cause> {
        let mut body = json!({
            "room_version": VERSION,
            // Join rule `invite`, history visibility `shared`, no encryption.
            "preset": "private_chat",
            "visibility": "private",
            "room_alias_name": room.alias,
            "name": room.name,
            "is_direct": room.is_direct,
            "initial_state": [{ "type": "m.room.guest_access", "state_key": "", "content": guest_access() }],
            "power_level_content_override": self.power_levels(room.members_invite),
        });
        if let Some(topic) = &room.topic {
            body["topic"] = topic.as_str().into();
        }
        let room: Room = self.http.post().at("createRoom").by(&self.bot).body(&body).send().await?;
        tracing::info!(alias, room = %room.room_id, "room created");
        Ok(room.room_id)
    }

    async fn state(&self, room: &RoomId) -> Result<Vec<StateEvent>, Cause> {
        self.http.get().at("rooms").at(room).at("state").by(&self.bot).send().await
    }

    async fn find(&self, alias: &str) -> Result<Found> {
        let context = "looking for the room of an alias";
        let id = match self.http.get().at("directory").at("room").at(alias).by(&self.bot).send::<Room>().await
        {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => return Ok(Found::Nothing),
            room => room.context(context)?.room_id,
        };
        let mut state = self.state(&id).await;
        if matches!(&state, Err(cause) if cause.is_status(StatusCode::FORBIDDEN)) {
            if self.is_empty(&id).await.context(context)? {
                return Ok(Found::Empty);
            }
            // Its creator may have joined between the two requests.
            state = self.state(&id).await;
        }
        match state {
            Ok(state) if self.is_created_by_bot(&state) => Ok(Found::Ours(id, state)),
            Err(cause) if !cause.is_status(StatusCode::FORBIDDEN) => Err(cause).context(context),
            Ok(_) | Err(_) => {
                let bot = &self.bot;
                let explanation =
                    format!("{alias} belongs to {id}, which is not a room of {bot}: remove that alias");
                Err(misconfigured(context, explanation))
            }
        }
    }

    fn is_created_by_bot(&self, state: &[StateEvent]) -> bool {
        state.iter().any(|event| event.kind == "m.room.create" && event.sender == self.bot.as_str())
    }

    /// Returns whether a room has no members. Only Synapse has such rooms and reports them.
    async fn is_empty(&self, room: &RoomId) -> Result<bool, Cause> {
        let members = self.http.get().at("rooms").at(room).at("joined_members").by(&self.bot);
        match members.send::<IgnoredAny>().await {
            Err(cause) => match cause.refusal() {
                Some(refusal) => Ok(refusal.explanation.contains("Appservice not in room")),
                None => Err(cause),
            },
            Ok(_) => Ok(false),
        }
    }

    /// Adds the state that a room lacks if the homeserver was killed during its creation.
    async fn complete(
        &self,
        room: &NewRoom,
        alias: &str,
        id: &RoomId,
        state: &[StateEvent],
    ) -> Result<(), Cause> {
        let has = |kind: &str| state.iter().any(|event| event.kind == kind && event.state_key.is_empty());
        for (kind, content) in self.required_state(room, alias).into_iter().filter(|(kind, _)| !has(kind)) {
            tracing::warn!(alias, room = %id, kind, "incomplete room lacks a state event; adding it");
            let call = self.http.put().at("rooms").at(id).at("state").at(kind).by(&self.bot);
            call.body(&content).send::<IgnoredAny>().await?;
        }
        Ok(())
    }

    fn required_state(&self, room: &NewRoom, alias: &str) -> Vec<(&'static str, Value)> {
        let mut state = vec![
            ("m.room.power_levels", self.power_levels(room.members_invite)),
            ("m.room.canonical_alias", json!({ "alias": alias })),
            ("m.room.join_rules", json!({ "join_rule": "invite" })),
            ("m.room.history_visibility", json!({ "history_visibility": "shared" })),
            ("m.room.guest_access", guest_access()),
            ("m.room.name", json!({ "name": room.name })),
        ];
        state.extend(room.topic.iter().map(|topic| ("m.room.topic", json!({ "topic": topic }))));
        state
    }

    /// Returns the power levels of a new room. All are set, because the defaults differ: on Conduit each
    /// member may invite.
    pub(crate) fn power_levels(&self, members_invite: bool) -> Value {
        json!({
            "users": { self.bot.as_str(): 100 },
            "users_default": 0,
            "events_default": 0,
            "state_default": 50,
            "events": bot_only(),
            "invite": if members_invite { 0 } else { 50 },
            "kick": 50,
            "ban": 50,
            "redact": 50,
        })
    }
}

fn guest_access() -> Value {
    json!({ "guest_access": "forbidden" })
}

/// Returns whether the alias exists. Besides `M_ROOM_IN_USE`, Synapse sends 409 `M_UNKNOWN` for concurrent
/// requests.
fn is_in_use(cause: &Cause) -> bool {
    cause.is("M_ROOM_IN_USE") || cause.is_status(StatusCode::CONFLICT)
}
