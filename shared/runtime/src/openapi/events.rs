//! The schemas of live events: the payload types of the core with `type`, and the events of a stream that
//! have no place in the log.

use std::borrow::Cow;

use messenger_core::event::{
    Kind, STORED,
    payload::{
        AlarmChanged, InboxRead, Membership, MessageEdited, MessageRedacted, NewMessage, Notification,
        NotificationSent, Reaction, RoleChanged, RoomLeft, RoomMuted, Typing, Unread,
    },
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// An event of a poll: one of the log, with its position as `id`, or `reset`.
pub struct PolledEvent;

/// The `data` of an event of a stream.
pub struct StreamedEvent;

impl JsonSchema for PolledEvent {
    fn schema_name() -> Cow<'static, str> {
        "PolledEvent".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut events: Vec<Value> = STORED.iter().map(|kind| stored(*kind, generator)).collect();
        for event in &mut events {
            event["required"] = json!(["id"]);
        }
        events.push(define("reset", reset(), generator));
        json_schema!({ "oneOf": events })
    }
}

impl JsonSchema for StreamedEvent {
    fn schema_name() -> Cow<'static, str> {
        "StreamedEvent".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut events: Vec<Value> = STORED.iter().map(|kind| stored(*kind, generator)).collect();
        let typing = typed("typing", Typing::json_schema(generator).into());
        events.push(define("typing", typing, generator));
        events.push(define("reset", reset(), generator));
        let time = generator.subschema_for::<messenger_core::time::Rfc3339>();
        let bare = [
            (
                "connected",
                object(&json!({
                    "cursor": { "type": "integer" }, "server_time": time, "token_expires_at": time,
                    "app_version": { "type": "string" },
                })),
            ),
            ("keepalive", object(&json!({}))),
            (
                "reconnect",
                object(&json!({
                    "retry_ms": { "type": "integer", "minimum": 500, "maximum": 4999 },
                })),
            ),
            ("token_expired", object(&json!({}))),
        ];
        events.extend(bare.map(|(kind, schema)| define(kind, typed(kind, schema), generator)));
        json_schema!({ "oneOf": events })
    }
}

fn reset() -> Value {
    let reasons = json!({ "enum": ["unknown_position", "expired", "too_far_behind"] });
    typed("reset", object(&json!({ "reason": reasons })))
}

/// Returns the reference to the schema of a stored kind. `id` is in it, since a poll adds it.
fn stored(kind: Kind, generator: &mut SchemaGenerator) -> Value {
    let payload: Value = match kind {
        Kind::Notification => Notification::json_schema(generator).into(),
        Kind::NotificationSent => NotificationSent::json_schema(generator).into(),
        Kind::Alarm => AlarmChanged::json_schema(generator).into(),
        Kind::InboxRead => InboxRead::json_schema(generator).into(),
        Kind::NewMessage => NewMessage::json_schema(generator).into(),
        Kind::MessageEdited => MessageEdited::json_schema(generator).into(),
        Kind::MessageRedacted => MessageRedacted::json_schema(generator).into(),
        Kind::Reaction => Reaction::json_schema(generator).into(),
        Kind::RoomJoined => Membership::json_schema(generator).into(),
        Kind::RoomLeft => RoomLeft::json_schema(generator).into(),
        Kind::Unread => Unread::json_schema(generator).into(),
        Kind::RoomMuted => RoomMuted::json_schema(generator).into(),
        Kind::AccessWithdrawn => object(&json!({})),
        Kind::RoleChanged => RoleChanged::json_schema(generator).into(),
    };
    let mut schema = typed(kind.as_str(), payload);
    schema["properties"]["id"] = json!({ "description": "The position, in polls only.", "type": "integer" });
    if let Kind::Notification | Kind::NotificationSent = kind {
        schema["properties"]["notification_id"] = json!({ "type": "integer", "format": "int64" });
        require(&mut schema, "notification_id");
    }
    match kind {
        Kind::Notification => {
            let time: Value = generator.subschema_for::<messenger_core::time::Rfc3339>().into();
            schema["properties"]["created_at"] = time;
            require(&mut schema, "created_at");
        }
        Kind::NewMessage | Kind::MessageEdited | Kind::Reaction => {
            let description = "A redaction has emptied the event: skip it.";
            schema["properties"]["redacted"] = json!({ "description": description, "const": true });
        }
        _ => {}
    }
    define(kind.as_str(), schema, generator)
}

/// Adds a schema to the components as that of a kind. Returns the reference to it.
fn define(kind: &str, schema: Value, generator: &mut SchemaGenerator) -> Value {
    let words = kind.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
    let name = words.collect::<String>() + "Event";
    let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
    generator.definitions_mut().insert(name, schema);
    reference
}

/// Returns an object all of whose properties are required.
fn object(properties: &Value) -> Value {
    let required: Vec<_> = properties.as_object().into_iter().flat_map(|all| all.keys()).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// Returns the schema of an object with `type`.
fn typed(kind: &str, mut schema: Value) -> Value {
    schema["properties"]["type"] = json!({ "const": kind });
    require(&mut schema, "type");
    schema
}

fn require(schema: &mut Value, name: &str) {
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(name.into());
    } else {
        schema["required"] = json!([name]);
    }
}
