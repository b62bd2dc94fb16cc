//! The response to `/sync`.

use std::collections::BTreeMap;

use messenger_core::{
    id::{MatrixUserId, RoomId},
    json,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::state::state_events;

#[derive(Deserialize)]
pub(crate) struct Sync {
    pub(crate) next_batch: String,
    #[serde(default)]
    pub(crate) rooms: Rooms,
}

/// The sections of rooms, unparsed, so that one that cannot be parsed does not make the others unreadable.
#[derive(Deserialize, Default)]
pub(crate) struct Rooms {
    #[serde(default)]
    pub(crate) join: BTreeMap<RoomId, Box<RawValue>>,
    #[serde(default)]
    pub(crate) invite: BTreeMap<RoomId, Box<RawValue>>,
    #[serde(default)]
    pub(crate) leave: BTreeMap<RoomId, Box<RawValue>>,
}

#[derive(Deserialize)]
pub(crate) struct Joined {
    #[serde(default)]
    pub(crate) timeline: RoomTimeline,
    ephemeral: Option<Box<RawValue>>,
}

#[derive(Deserialize, Default)]
pub(crate) struct RoomTimeline {
    #[serde(default)]
    pub(crate) events: Vec<Box<RawValue>>,
    #[serde(default)]
    pub(crate) limited: bool,
}

#[derive(Deserialize, Default)]
struct Ephemeral {
    #[serde(default)]
    events: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
pub(crate) struct Invited {
    invite_state: StrippedState,
}

#[derive(Deserialize)]
struct StrippedState {
    events: Vec<Box<RawValue>>,
}

impl Joined {
    /// Returns the ephemeral events, of any type: Conduit ignores the filter.
    pub(crate) fn ephemeral_events(&self) -> Vec<Value> {
        let list: Option<Ephemeral> =
            self.ephemeral.as_ref().and_then(|list| serde_json::from_str(list.get()).ok());
        list.unwrap_or_default().events.iter().map(|event| json::value(event)).collect()
    }
}

impl Invited {
    /// Returns the sender of the user's invitation. Returns `None` if the stripped state lacks it.
    pub(crate) fn inviter(&self, user: &MatrixUserId) -> Option<MatrixUserId> {
        let mut events = state_events(&self.invite_state.events);
        let invitation = events.find(|event| event.is_membership() && event.state_key == user.as_str())?;
        Some(invitation.sender)
    }
}
