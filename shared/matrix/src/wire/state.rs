//! State events of a room, as far as its summary needs them.

use messenger_core::{
    id::{MatrixUserId, RoomId},
    json,
    port::RoomMember,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::parse_or_skip;

/// A state event.
#[derive(Deserialize)]
pub(crate) struct StateEvent {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) state_key: String,
    pub(crate) sender: MatrixUserId,
    content: Box<RawValue>,
    unsigned: Option<Box<RawValue>>,
    /// `None` in stripped state.
    pub(crate) origin_server_ts: Option<Box<RawValue>>,
}

impl StateEvent {
    pub(crate) fn is_membership(&self) -> bool {
        self.kind == "m.room.member"
    }

    pub(crate) fn content(&self) -> Value {
        json::value(&self.content)
    }

    /// Returns whether a membership belongs to a direct chat. The flag is in the invitation, which an
    /// accepted one has as its previous content.
    pub(crate) fn is_direct(&self) -> bool {
        let unsigned = self.unsigned.as_ref().map(|unsigned| json::value(unsigned));
        let previous = unsigned.as_ref().and_then(|unsigned| unsigned.get("prev_content"));
        let has_flag = |content: &Value| content.get("is_direct").and_then(Value::as_bool) == Some(true);
        self.is_membership() && (has_flag(&self.content()) || previous.is_some_and(has_flag))
    }

    /// Returns the predecessor in `m.room.create`.
    pub(crate) fn predecessor(&self) -> Option<RoomId> {
        self.content().pointer("/predecessor/room_id")?.as_str().map(RoomId::new)
    }

    /// Returns the joined or invited user of a membership. Returns `None` for other events.
    pub(crate) fn member(&self) -> Option<RoomMember> {
        let content = self.content();
        let membership = content.get("membership").and_then(Value::as_str)?;
        let is_member = self.is_membership() && matches!(membership, "join" | "invite");
        let id = MatrixUserId::new(self.state_key.as_str());
        is_member.then(|| RoomMember { id, is_joined: membership == "join" })
    }
}

/// Parses state events one by one.
pub(crate) fn state_events(events: &[Box<RawValue>]) -> impl Iterator<Item = StateEvent> {
    events.iter().filter_map(|event| parse_or_skip(event, "state event"))
}
