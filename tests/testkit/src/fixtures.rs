//! What tests begin with: values with defaults, changed by struct update.

use std::time::Duration;

use messenger_core::{
    event::{Audience, Kind, NewEvent, Payload},
    id::{EventId, HubUserId, NotificationId, RoomId, TenantId},
    notification::{
        Draft, EntityId, Idempotency, NewNotification, Notification, Priority, Satellite, SendOptions, Target,
    },
    port::Delivered,
    user::{Identity, Role, UserQuery, fold},
};
use serde_json::{Value, json};

/// The tenant of most tests.
pub const TENANT: TenantId = TenantId(1);
/// A tenant that must not hear of it.
pub const OTHER_TENANT: TenantId = TenantId(2);

/// A user id.
pub fn user(id: &str) -> HubUserId {
    HubUserId::new(id)
}

/// A room id.
pub fn room(id: &str) -> RoomId {
    RoomId::new(id)
}

/// A user of the [`TENANT`], named as their id.
pub fn identity(id: &str) -> Identity {
    Identity {
        hub_user_id: user(id),
        tenant: TENANT,
        display_name: id.to_owned(),
        role: Role::User,
        issued_at: None,
    }
}

/// What `mueller` looks for.
pub fn query(text: &str) -> UserQuery {
    UserQuery { text: fold(text), except: user("mueller"), limit: 50 }
}

/// A satellite with the legacy token.
pub fn satellite() -> Satellite {
    Satellite { token: "legacy".to_owned(), tenant: TENANT }
}

/// A notification to everybody.
pub fn draft(title: &str) -> Draft {
    Draft {
        source_app: "inventory".to_owned(),
        event_type: "stock_low".to_owned(),
        title: title.to_owned(),
        body: None,
        target: Target::General,
        priority: Priority::Normal,
    }
}

/// A notification to one user.
pub fn dm(to: &str, title: &str) -> Draft {
    Draft { target: Target::Dm(user(to)), ..draft(title) }
}

/// A notification to the room of a machine.
pub fn machine(number: i64, title: &str) -> Draft {
    let target = Target::Entity { entity_type: "machine".to_owned(), entity_id: EntityId::Number(number) };
    Draft { target, ..draft(title) }
}

/// A caller who does not wait.
pub fn no_wait() -> SendOptions {
    SendOptions { wait: Duration::ZERO, idempotency: None }
}

/// A caller who waits.
pub fn waiting(wait: Duration) -> SendOptions {
    SendOptions { wait, ..no_wait() }
}

/// A caller who does not wait and may call again.
pub fn retried(key: &str, fingerprint: &str) -> SendOptions {
    let idempotency = Idempotency { key: key.to_owned(), fingerprint: fingerprint.to_owned() };
    SendOptions { idempotency: Some(idempotency), ..no_wait() }
}

/// What is to be stored for a draft, for a caller who does not wait.
pub fn entry(draft: Draft) -> NewNotification {
    let payload = payload(&json!({ "title": draft.title }));
    NewNotification { satellite: satellite(), draft, room: None, payload, options: no_wait() }
}

/// The fields of an event.
pub fn payload(fields: &Value) -> Payload {
    Payload::of(fields).expect("the fields are an object")
}

/// A message of some room, for an audience.
pub fn event(audience: Audience, body: &str) -> NewEvent {
    NewEvent { audience, kind: Kind::NewMessage, payload: payload(&json!({ "body": body })), key: None }
}

/// The same event each time it comes.
pub fn keyed(key: &str, body: &str) -> NewEvent {
    NewEvent { key: Some(EventId::new(key)), ..event(Audience::Tenant(TENANT), body) }
}

/// The titles of notifications.
pub fn titles(notifications: &[Notification]) -> Vec<&str> {
    notifications.iter().map(|notification| notification.draft.title.as_str()).collect()
}

/// A notification that stands in room `!1` as this event.
pub fn delivered(id: NotificationId, event: &str) -> Delivered {
    Delivered { id, room: room("!1"), event: EventId::new(event) }
}
