//! `m.receipt` (Matrix specification, "Receipts").

use messenger_core::{
    id::{EventId, MatrixUserId, RoomId},
    receipt::Receipt,
};
use serde_json::Value;

use super::has_nul;

/// The receipt types that state a read position.
const TYPES: [&str; 2] = ["m.read", "m.read.private"];

/// Parses the read receipts of `m.receipt`. `room` is the room of an event that names none, as in `/sync`.
/// Returns no receipts for an event of another type. Skips receipts of threads and those with an invalid id.
pub fn parse_receipts(event: &Value, room: Option<&RoomId>) -> Vec<Receipt> {
    if event.get("type").and_then(Value::as_str) != Some("m.receipt") {
        return Vec::new();
    }
    let own_room = event.get("room_id").and_then(Value::as_str).map(RoomId::new);
    let Some(room) = own_room.or_else(|| room.cloned()) else { return Vec::new() };
    let events = event.get("content").and_then(Value::as_object).into_iter().flatten();
    let of_event = |(event, types): (&String, &Value)| {
        let users = TYPES.into_iter().filter_map(|kind| types.get(kind)?.as_object()).flatten();
        let users = users.filter(|(_, receipt)| is_of_main_timeline(receipt)).map(|(user, _)| user);
        users
            .map(|user| Receipt {
                room: room.clone(),
                user: MatrixUserId::new(user.as_str()),
                event: EventId::new(event.as_str()),
            })
            .collect::<Vec<_>>()
    };
    let mut receipts: Vec<_> = events.flat_map(of_event).collect();
    receipts.retain(|receipt| {
        let ids = [receipt.room.as_str(), receipt.user.as_str(), receipt.event.as_str()];
        !ids.into_iter().any(has_nul)
    });
    receipts
}

/// Returns whether a receipt is unthreaded or belongs to the main timeline.
fn is_of_main_timeline(receipt: &Value) -> bool {
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
    fn receipts_of_the_main_timeline_are_parsed_beside_invalid_ones() {
        let event = json!({ "type": "m.receipt", "room_id": "!1", "content": {
            "$1": { "m.read": { "@a:b": { "ts": 7 }, "@c:b": { "thread_id": "main" } } },
            "$2": { "m.read.private": { "@a:b": {} }, "m.fully_read": { "@d:b": {} } },
            "$3": { "m.read": { "@a:b": { "thread_id": "$root" }, "@e:b": { "ts": "noon", "thread_id": null } } },
            "$4": { "m.read": { "@a\u{0}:b": {} } },
            "$5": 7,
            "$6": { "m.read": [] },
        } });
        let mut receipts = parse_receipts(&event, None);
        receipts.sort_by_key(|receipt| (receipt.event.to_string(), receipt.user.to_string()));
        let expected =
            [receipt("$1", "@a:b"), receipt("$1", "@c:b"), receipt("$2", "@a:b"), receipt("$3", "@e:b")];
        assert_eq!(receipts, expected);
    }

    #[test]
    fn a_receipt_of_sync_gets_the_room_of_its_section() {
        let event = json!({ "type": "m.receipt", "content": { "$1": { "m.read": { "@a:b": {} } } } });
        assert_eq!(parse_receipts(&event, Some(&RoomId::new("!1"))), [receipt("$1", "@a:b")]);
        assert_eq!(parse_receipts(&event, None), []);
        for other in
            [json!(null), json!({ "type": "m.typing", "content": {} }), json!({ "type": "m.receipt" })]
        {
            assert_eq!(parse_receipts(&other, Some(&RoomId::new("!1"))), []);
        }
    }
}
