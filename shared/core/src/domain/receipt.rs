//! Read receipts (Matrix specification, "Receipts").

use serde_json::Value;

use crate::domain::id::{EventId, MatrixUserId, RoomId};

/// The receipts that mean a place in the room (Matrix specification, "Receipts").
const TYPES: [&str; 2] = ["m.read", "m.read.private"];

/// Somebody has read a room up to an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The room.
    pub room: RoomId,
    /// The user.
    pub user: MatrixUserId,
    /// The last event that they have read.
    pub event: EventId,
}

impl Receipt {
    /// Reads an ephemeral event. `room` is where it is if the event itself does not say it, as in `/sync`. Empty if it is
    /// any other event.
    pub fn read(event: &Value, room: Option<&RoomId>) -> Vec<Self> {
        if event.get("type").and_then(Value::as_str) != Some("m.receipt") {
            return Vec::new();
        }
        let named = event.get("room_id").and_then(Value::as_str).map(RoomId::new);
        let Some(room) = named.or_else(|| room.cloned()) else { return Vec::new() };
        let events = event.get("content").and_then(Value::as_object).into_iter().flatten();
        let of_event = |(event, types): (&String, &Value)| {
            let users = TYPES.into_iter().filter_map(|one| types.get(one)?.as_object()).flatten();
            let users = users.filter(|(_, receipt)| is_of_the_room(receipt)).map(|(user, _)| user);
            users
                .map(|user| Self {
                    room: room.clone(),
                    user: MatrixUserId::new(user.as_str()),
                    event: EventId::new(event.as_str()),
                })
                .collect::<Vec<_>>()
        };
        let mut receipts: Vec<_> = events.flat_map(of_event).collect();
        // No id has U+0000, and no database looks for it.
        receipts.retain(|receipt| {
            let ids = [receipt.room.as_str(), receipt.user.as_str(), receipt.event.as_str()];
            !ids.into_iter().any(|id| id.contains('\0'))
        });
        receipts
    }
}

/// Whether a receipt is unthreaded or of the main timeline.
fn is_of_the_room(receipt: &Value) -> bool {
    matches!(receipt.get("thread_id").and_then(Value::as_str), None | Some("main"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn receipt(event: &str, user: &str) -> Receipt {
        Receipt { room: RoomId::new("!1"), user: MatrixUserId::new(user), event: EventId::new(event) }
    }

    #[test]
    fn receipts_of_the_main_timeline_are_read_whatever_stands_beside_them() {
        let event = json!({ "type": "m.receipt", "room_id": "!1", "content": {
            "$1": { "m.read": { "@a:b": { "ts": 7 }, "@c:b": { "thread_id": "main" } } },
            "$2": { "m.read.private": { "@a:b": {} }, "m.fully_read": { "@d:b": {} } },
            "$3": { "m.read": { "@a:b": { "thread_id": "$root" }, "@e:b": { "ts": "odd", "thread_id": null } } },
            "$4": { "m.read": { "@a\u{0}:b": {} } },
            "$5": 7,
            "$6": { "m.read": [] },
        } });
        let mut read = Receipt::read(&event, None);
        read.sort_by_key(|one| (one.event.to_string(), one.user.to_string()));
        let expected =
            [receipt("$1", "@a:b"), receipt("$1", "@c:b"), receipt("$2", "@a:b"), receipt("$3", "@e:b")];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_receipt_of_sync_gets_its_room_from_outside() {
        let event = json!({ "type": "m.receipt", "content": { "$1": { "m.read": { "@a:b": {} } } } });
        assert_eq!(Receipt::read(&event, Some(&RoomId::new("!1"))), [receipt("$1", "@a:b")]);
        assert_eq!(Receipt::read(&event, None), []);
        for strange in
            [json!(null), json!({ "type": "m.typing", "content": {} }), json!({ "type": "m.receipt" })]
        {
            assert_eq!(Receipt::read(&strange, Some(&RoomId::new("!1"))), []);
        }
    }
}
