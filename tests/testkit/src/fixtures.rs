//! Fixtures: values with defaults, changed by struct update.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use messenger_core::{
    admin::{Administrator, ExpectedVersions},
    audiences::Audiences,
    event::{Audience, Kind, NewEvent, Payload},
    id::{EventId, HubUserId, NotificationId, Position, RoomId, TenantId},
    name::fold,
    notification::{
        Draft, EntityId, Idempotency, NewNotification, Notification, Priority, Satellite, SendOptions, Target,
    },
    origin::Origin,
    port::Delivered,
    user::{Identity, Role, UserQuery},
};
use serde_json::{Value, json};

/// The tenant of most tests.
pub const TENANT: TenantId = TenantId(1);
/// A tenant that must not receive anything of the other one's.
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

/// The administrator of the [`TENANT`].
pub fn administrator() -> Administrator {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Administrator { actor: user("boss"), tenant: TENANT, is_super: false, address, request_id: None }
}

/// The versions under which an act always goes through.
pub fn any_version() -> ExpectedVersions {
    ExpectedVersions::default()
}

/// A user search by `mueller`.
pub fn query(text: &str) -> UserQuery {
    UserQuery { text: fold(text), except: user("mueller"), limit: 50 }
}

/// A satellite with the legacy token.
pub fn satellite() -> Satellite {
    Satellite { token: "legacy".to_owned(), tenant: TENANT }
}

/// A notification to the tenant's general room.
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

/// Options of a caller that does not wait for the delivery.
pub fn no_wait() -> SendOptions {
    SendOptions { wait: Duration::ZERO, idempotency: None, origin: Origin::default(), administrator: None }
}

/// Options of a caller that waits for the delivery for at most this time.
pub fn waiting(wait: Duration) -> SendOptions {
    SendOptions { wait, ..no_wait() }
}

/// Options with an idempotency key, of a caller that does not wait.
pub fn retried(key: &str, fingerprint: &str) -> SendOptions {
    let idempotency = Idempotency { key: key.to_owned(), fingerprint: fingerprint.to_owned() };
    SendOptions { idempotency: Some(idempotency), ..no_wait() }
}

/// A draft ready to be stored, with the options of [`no_wait`].
pub fn new_notification(draft: Draft) -> NewNotification {
    let payload = payload(&json!({ "title": draft.title }));
    NewNotification { satellite: satellite(), draft, room: None, payload, options: no_wait(), alarm: None }
}

/// A payload with these fields.
pub fn payload(fields: &Value) -> Payload {
    Payload::of(fields).expect("the fields are an object")
}

/// A `new_message` event for an audience.
pub fn event(audience: Audience, body: &str) -> NewEvent {
    let room = match &audience {
        Audience::Room(_, room) => Some(room.clone()),
        _ => None,
    };
    NewEvent { audience, kind: Kind::NewMessage, room, payload: payload(&json!({ "body": body })), key: None }
}

/// An event of the tenant with this Matrix event id: appended again, it is the same event.
pub fn keyed(key: &str, body: &str) -> NewEvent {
    NewEvent { key: Some(EventId::new(key)), ..event(Audience::Tenant(TENANT), body) }
}

/// All events of these audiences.
pub fn all_of(audiences: &[Audience]) -> Audiences {
    audiences.iter().map(|audience| (audience.clone(), Position(0))).collect()
}

/// Returns the titles of notifications, in order.
pub fn titles(notifications: &[Notification]) -> Vec<&str> {
    notifications.iter().map(|notification| notification.draft.title.as_str()).collect()
}

/// A delivery of a notification to room `!1` as this Matrix event.
pub fn delivered(id: NotificationId, event: &str) -> Delivered {
    Delivered { id, room: room("!1"), event: EventId::new(event) }
}
