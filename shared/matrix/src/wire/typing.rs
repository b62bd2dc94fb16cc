//! `m.typing` (Matrix specification, "Typing Notifications").

use messenger_core::{
    id::{MatrixUserId, RoomId},
    typing::Typing,
};
use serde_json::Value;

use super::has_nul;

/// Parses `m.typing`. `room` is the room of an event that names none, as in `/sync`. Returns `None` for an
/// event of another type, and if one of the user ids is invalid.
pub fn parse_typing(event: &Value, room: Option<&RoomId>) -> Option<Typing> {
    if event.get("type")? != "m.typing" {
        return None;
    }
    let room = event.get("room_id").and_then(Value::as_str).map(RoomId::new).or_else(|| room.cloned())?;
    let ids = event.pointer("/content/user_ids")?.as_array()?;
    let users: Vec<_> = ids.iter().map(|id| id.as_str().map(MatrixUserId::new)).collect::<Option<_>>()?;
    let is_valid = !has_nul(room.as_str()) && users.iter().all(|user| !has_nul(user.as_str()));
    is_valid.then_some(Typing { room, users })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_list_without_an_invalid_id_is_parsed() {
        let room = RoomId::new("!1");
        let event =
            |room: &str| json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": ["@a:b"] } });
        let here = Typing { room: room.clone(), users: vec![MatrixUserId::new("@a:b")] };
        assert_eq!(parse_typing(&event("!1"), None), Some(here.clone()));
        let in_sync = json!({ "type": "m.typing", "content": { "user_ids": ["@a:b"] } });
        assert_eq!(parse_typing(&in_sync, Some(&room)), Some(here));
        let nobody = json!({ "type": "m.typing", "room_id": "!1", "content": { "user_ids": [] } });
        assert_eq!(parse_typing(&nobody, None), Some(Typing { room, users: Vec::new() }));
        for invalid in [
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
            assert_eq!(parse_typing(&invalid, None), None, "{invalid}");
        }
    }
}
