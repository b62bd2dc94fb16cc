//! Rooms: one for each alias, however often and from wherever it is asked for.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use messenger_core::{Result, id::RoomId, port::RoomState as _, room::NewRoom};
use reqwest::StatusCode;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, sleep},
};

use crate::{
    Appservice,
    error::{Cause, Context, misconfigured},
};

const CREATING: &str = "creating a room";
/// Room ids with a server part, and power levels as everybody knows them; both servers have it.
const VERSION: &str = "11";
/// How long a room may take from its alias to its first member. Synapse takes milliseconds, unless it dies between them.
const BIRTH: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How many aliases can be at it at once.
const STRIPES: usize = 64;

/// Whose turn it is in this process to create the room of an alias, or to change what a user has stored. Conduit makes two
/// rooms of one alias when it is asked twice at once; between processes the claims of [`messenger_core::port::Rooms`]
/// prevent that.
pub(crate) struct KeyedLock {
    stripes: [Mutex<()>; STRIPES],
    hasher: RandomState,
}

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

/// What an alias leads to.
enum Found {
    /// A room of the bot, with its state.
    Ours(RoomId, Vec<StateEvent>),
    /// A room without a single member: not ready yet, or never to be.
    Empty,
    /// Nothing (any more).
    Nothing,
}

impl Appservice {
    /// Creates the room, or finds it and adds what is missing. Whoever is to be in it is invited last, so that no room
    /// that comes to nothing is ever seen.
    pub(crate) async fn make_room(self, room: NewRoom) -> Result<RoomId> {
        let id = {
            let _turn = self.turns.take(&room.alias).await;
            self.make_or_find(&room).await?
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

    async fn make_or_find(&self, room: &NewRoom) -> Result<RoomId> {
        let alias = format!("#{}:{}", room.alias, self.http.server_name);
        let mut deadline = Some(Instant::now() + BIRTH);
        loop {
            match self.make(room, &alias).await {
                Err(cause) if is_in_use(&cause) => {}
                result => return result.context(CREATING),
            }
            match (self.find(&alias).await?, deadline) {
                (Found::Ours(id, state), _) => {
                    self.complete(room, &alias, &id, &state).await.context("completing a room")?;
                    return Ok(id);
                }
                (Found::Empty, Some(birth)) if birth < Instant::now() => {
                    tracing::warn!(alias, "the room of this alias has no members: making another");
                    deadline = None;
                    self.release(&alias).await.context("releasing the alias of a dead room")?;
                }
                (Found::Empty | Found::Nothing, Some(_)) => sleep(LOOK_AGAIN).await,
                (Found::Empty | Found::Nothing, None) => {
                    return Err(misconfigured(CREATING, format!("{alias} is in use and leads to no room")));
                }
            }
        }
    }

    async fn make(&self, room: &NewRoom, alias: &str) -> Result<RoomId, Cause> {
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
        tracing::info!(alias, room = %room.room_id, "created a room");
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
            // Whoever makes it may have come in between the two questions.
            state = self.state(&id).await;
        }
        match state {
            Ok(state) if self.made(&state) => Ok(Found::Ours(id, state)),
            Err(cause) if !cause.is_status(StatusCode::FORBIDDEN) => Err(cause).context(context),
            Ok(_) | Err(_) => {
                let bot = &self.bot;
                let explanation =
                    format!("{alias} belongs to {id}, which is no room of {bot}: remove that alias");
                Err(misconfigured(context, explanation))
            }
        }
    }

    fn made(&self, state: &[StateEvent]) -> bool {
        state.iter().any(|event| event.kind == "m.room.create" && event.sender == self.bot.as_str())
    }

    /// Whether nobody at all is in the room. Only Synapse tells; only there can an alias be older than its room.
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

    pub(crate) async fn release(&self, alias: &str) -> Result<(), Cause> {
        let call = self.http.delete().at("directory").at("room").at(alias).by(&self.bot);
        call.send::<IgnoredAny>().await.map(drop)
    }

    /// Adds what is missing when the homeserver died while it made the room.
    async fn complete(
        &self,
        room: &NewRoom,
        alias: &str,
        id: &RoomId,
        state: &[StateEvent],
    ) -> Result<(), Cause> {
        let has = |kind: &str| state.iter().any(|event| event.kind == kind && event.state_key.is_empty());
        for (kind, content) in self.wanted(room, alias).into_iter().filter(|(kind, _)| !has(kind)) {
            tracing::warn!(alias, room = %id, kind, "adding what a half-made room lacks");
            let call = self.http.put().at("rooms").at(id).at("state").at(kind).by(&self.bot);
            call.body(&content).send::<IgnoredAny>().await?;
        }
        Ok(())
    }

    fn wanted(&self, room: &NewRoom, alias: &str) -> Vec<(&'static str, Value)> {
        let mut wanted = vec![
            ("m.room.power_levels", self.power_levels(room.members_invite)),
            ("m.room.canonical_alias", json!({ "alias": alias })),
            ("m.room.join_rules", json!({ "join_rule": "invite" })),
            ("m.room.history_visibility", json!({ "history_visibility": "shared" })),
            ("m.room.guest_access", guest_access()),
            ("m.room.name", json!({ "name": room.name })),
        ];
        wanted.extend(room.topic.iter().map(|topic| ("m.room.topic", json!({ "topic": topic }))));
        wanted
    }

    /// All of them, since the servers' defaults differ: on Conduit every member could invite.
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

impl KeyedLock {
    pub(crate) async fn take(&self, of: &str) -> MutexGuard<'_, ()> {
        let stripe = usize::try_from(self.hasher.hash_one(of) % STRIPES as u64).unwrap_or_default();
        self.stripes[stripe].lock().await
    }
}

impl Default for KeyedLock {
    fn default() -> Self {
        Self { stripes: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

/// The state events that nobody but the bot sends, whoever is given power: without them a room stays readable here, and
/// stays the room of its key.
pub(crate) fn bot_only() -> Value {
    json!({
        "m.room.encryption": 100,
        "m.room.history_visibility": 100,
        "m.room.power_levels": 100,
        "m.room.server_acl": 100,
        "m.room.tombstone": 100,
    })
}

fn guest_access() -> Value {
    json!({ "guest_access": "forbidden" })
}

/// `M_ROOM_IN_USE`; of two calls at once Synapse answers the later one 409 `M_UNKNOWN`.
fn is_in_use(cause: &Cause) -> bool {
    cause.is("M_ROOM_IN_USE") || cause.is_status(StatusCode::CONFLICT)
}
