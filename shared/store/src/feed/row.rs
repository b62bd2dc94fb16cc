//! Rows of the event log as events. A row without a payload has the fields of its event in columns.

use messenger_core::{
    Result,
    error::Failure,
    event::{
        Audience, Event, Kind, Payload,
        payload::{self, EventPayload, LeaveReason, Membership, RoleChanged, RoomLeft, Unread},
    },
    id::{EventId, NotificationId, Position, RoomId},
    room::Room,
    user::Role,
};
use tokio_postgres::Row;

use crate::{error::fault, room_views};

/// The columns that [`event`] reads, in this order.
macro_rules! columns {
    () => {
        "position, audience, kind, notification_id, notification_created_at, payload, about, is_redaction,
            unread_count, mention_count, role, leave_reason, room_id, (room).display_name, (room).room_type, (room).topic,
            (room).entity_type, (room).entity_id, (room).last_message_ts, (room).unread_count,
            (room).last_message, (room).encrypted, (room).mention_count, (room).muted, (room).read_event_id"
    };
}

pub(super) use columns;

/// The operation that reads rows of the log.
pub(super) const READING: &str = "reading the event log";

/// The number of these columns.
pub(super) const COUNT: usize = ROOM + 13;

/// The first column of a room: its id, followed by its name.
const ROOM: usize = 12;

/// Reads an event.
pub(super) fn event(row: &Row) -> Result<Event> {
    let kind = Kind::parse(row.get(2)).ok_or_else(|| broken("an event of an unknown kind"))?;
    let room = row.get::<_, Option<String>>(ROOM).map(RoomId::new);
    let payload = match row.get::<_, Option<String>>(5) {
        Some(text) => Payload::stored(text),
        None => payload(row, kind, room.as_ref())?,
    };
    Ok(Event {
        position: Position(row.get(0)),
        audience: Audience::parse(row.get(1)).ok_or_else(|| broken("an event of an unknown audience"))?,
        kind,
        notification: row.get::<_, Option<i64>>(3).map(NotificationId),
        notification_created_at: row.get(4),
        room,
        payload,
        about: row.get::<_, Option<String>>(6).map(EventId::new),
        is_redaction: row.get(7),
    })
}

/// Builds a payload from the columns of its kind.
fn payload(row: &Row, kind: Kind, room: Option<&RoomId>) -> Result<Payload> {
    let incomplete = || broken("an event without its fields");
    let room_id = || room.ok_or_else(incomplete);
    let seen = snapshot(row)?;
    let seen = seen.as_ref().map(payload::Room::from);
    let payload = match kind {
        Kind::RoomJoined => EventPayload::RoomJoined(Membership { room_id: room_id()?, room: seen }),
        Kind::RoomLeft => {
            let reason = row.get::<_, Option<&str>>(11).and_then(LeaveReason::parse);
            EventPayload::RoomLeft(RoomLeft { room_id: room_id()?, room: seen, reason })
        }
        Kind::Unread => {
            let count = |column| row.get::<_, Option<i64>>(column).ok_or_else(incomplete);
            let (unread_count, mention_count) = (count(8)?, count(9)?);
            EventPayload::Unread(Unread { room_id: room_id()?, unread_count, mention_count })
        }
        Kind::RoleChanged => {
            let role = row.get::<_, Option<&str>>(10).ok_or_else(incomplete)?;
            EventPayload::RoleChanged(RoleChanged { role: Role::from_hub(role) })
        }
        Kind::AccessWithdrawn => EventPayload::AccessWithdrawn {},
        Kind::Notification
        | Kind::NotificationSent
        | Kind::Alarm
        | Kind::InboxRead
        | Kind::NewMessage
        | Kind::MessageEdited
        | Kind::MessageRedacted
        | Kind::RoomMuted
        | Kind::Reaction => return Err(incomplete()),
    };
    payload.serialise()
}

/// Reads the room of `room_joined` or `room_left`; `None` if it was not registered.
fn snapshot(row: &Row) -> Result<Option<Room>> {
    let name: Option<&str> = row.get(ROOM + 1);
    name.map(|_| room_views::room(row, ROOM)).transpose()
}

fn broken(what: &'static str) -> messenger_core::Error {
    fault(Failure::Broken, READING, what)
}
