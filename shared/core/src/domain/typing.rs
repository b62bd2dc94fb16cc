//! Typing notifications (Matrix specification, "Typing Notifications").
//!
//! Each one is the whole list of those who type in the room now, so only the last one counts. The homeserver ends the
//! typing of a client that does not renew it, and pushes that; should it die before, readers drop the list after
//! [`TYPING_FADES`].

use std::time::Duration;

use serde_json::Value;

use crate::domain::id::{MatrixUserId, RoomId};

/// After so much silence about a room nobody types in it any more, for a reader. Homeservers do not repeat a list that
/// stays the same, so this is longer than one renewal.
pub const TYPING_FADES: Duration = Duration::from_mins(1);

/// Who types in a room now, according to the homeserver (Matrix specification, "Typing Notifications").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// Where.
    pub room: RoomId,
    /// Everybody who does; empty: nobody any more.
    pub users: Vec<MatrixUserId>,
}

impl Typing {
    /// Reads an ephemeral event. `room` is where it is if the event itself does not say it, as in `/sync`. `None` if it
    /// is any other event, or none.
    pub fn read(event: &Value, room: Option<&RoomId>) -> Option<Self> {
        if event.get("type")? != "m.typing" {
            return None;
        }
        let room = event.get("room_id").and_then(Value::as_str).map(RoomId::new).or_else(|| room.cloned())?;
        let ids = event.pointer("/content/user_ids")?.as_array()?;
        let users: Vec<_> = ids.iter().map(|id| id.as_str().map(MatrixUserId::new)).collect::<Option<_>>()?;
        // No id has U+0000, and no database looks for it.
        let legible = !room.as_str().contains('\0') && users.iter().all(|user| !user.as_str().contains('\0'));
        legible.then_some(Self { room, users })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_whole_list_of_who_types_is_read() {
        let room = RoomId::new("!1");
        let event =
            |room: &str| json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": ["@a:b"] } });
        let here = Typing { room: room.clone(), users: vec![MatrixUserId::new("@a:b")] };
        assert_eq!(Typing::read(&event("!1"), None), Some(here.clone()));
        let in_sync = json!({ "type": "m.typing", "content": { "user_ids": ["@a:b"] } });
        assert_eq!(Typing::read(&in_sync, Some(&room)), Some(here));
        let nobody = json!({ "type": "m.typing", "room_id": "!1", "content": { "user_ids": [] } });
        assert_eq!(Typing::read(&nobody, None), Some(Typing { room, users: Vec::new() }));
        for strange in [
            in_sync,
            event("!\0"),
            json!(null),
            json!("m.typing"),
            json!({ "type": "m.receipt", "room_id": "!1", "content": { "user_ids": ["@a:b"] } }),
            json!({ "type": "m.presence", "sender": "@a:b", "content": { "presence": "online" } }),
            json!({ "type": "m.typing", "room_id": "!1" }),
            json!({ "type": "m.typing", "room_id": "!1", "content": { "user_ids": "@a:b" } }),
            json!({ "type": "m.typing", "room_id": "!1", "content": { "user_ids": ["@a:b", 7] } }),
            json!({ "type": "m.typing", "room_id": "!1", "content": { "user_ids": ["@a\u{0}:b"] } }),
        ] {
            assert_eq!(Typing::read(&strange, None), None, "{strange}");
        }
    }
}
