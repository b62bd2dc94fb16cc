//! Rows of `notifications` as notifications.

use messenger_core::{
    Result,
    error::Failure,
    id::{EventId, HubUserId, NotificationId, RoomId, TenantId},
    notification::{Draft, EntityId, Notification, Priority, Status, Target},
    origin::{Origin, RequestId, Traceparent},
};
use serde_json::Value;
use tokio_postgres::Row;

use crate::{
    error::fault,
    pool::{Database, duration},
};

/// The columns that [`notification`] reads, in this order.
macro_rules! columns {
    () => {
        "id, tenant_id, source_app, event_type, title, body, target_type, entity_type, entity_id, target_user, \
         priority, status, reason, matrix_room_id, matrix_event_id, created_at, expires_at, attempts, \
         case when status = 'pending' then next_attempt_at end, \
         case when status = 'pending' and answer_due > now() \
              then extract(epoch from answer_due - now())::double precision end, \
         announced, request_id, traceparent"
    };
}
pub(crate) use columns;

/// The number of these columns.
pub(crate) const COUNT: usize = 23;

const FIND: &str = concat!("select ", columns!(), " from notifications where tenant_id = $1 and id = $2");
pub(crate) const READING: &str = "reading notifications";

/// Returns a notification of a tenant; `None` if it has none of this id.
pub(crate) async fn find(
    database: &Database,
    tenant: TenantId,
    id: NotificationId,
) -> Result<Option<Notification>> {
    database.query_opt(READING, FIND, &[&tenant.0, &id.0]).await?.as_ref().map(notification).transpose()
}

/// The status in the database of a notification that is shown by the root message of its alarm. It is pending, and
/// no entry of a room queue.
pub(crate) const IN_ALARM: &str = "in_alarm";

/// Parses the stored form; `None` if it is unknown.
pub(crate) fn status(stored: &str) -> Option<Status> {
    if stored == IN_ALARM { Some(Status::Pending) } else { Status::parse(stored) }
}

/// Reads `target_type`, `entity_type`, `entity_id` and `target_user`, beginning with this column; `None` if they are
/// no target.
pub(crate) fn target(row: &Row, from: usize) -> Option<Target> {
    Some(match row.get::<_, &str>(from) {
        "general" => Target::General,
        "service_room" => Target::Service,
        "dm" => Target::Dm(HubUserId::new(row.get::<_, String>(from + 3))),
        "entity_room" => Target::Entity {
            entity_type: row.get(from + 1),
            entity_id: match row.get::<_, Value>(from + 2) {
                Value::String(text) => EntityId::Text(text),
                number => EntityId::Number(number.as_i64()?),
            },
        },
        _ => return None,
    })
}

/// Reads a row of [`columns!`].
pub(crate) fn notification(row: &Row) -> Result<Notification> {
    let broken =
        |column: &str| fault(Failure::Broken, READING, format!("a notification has an unknown {column}"));
    let target = target(row, 6).ok_or_else(|| broken("target"))?;
    Ok(Notification {
        id: NotificationId(row.get(0)),
        tenant: TenantId(row.get(1)),
        draft: Draft {
            source_app: row.get(2),
            event_type: row.get(3),
            title: row.get(4),
            body: row.get(5),
            target,
            priority: Priority::parse(row.get(10)).ok_or_else(|| broken("priority"))?,
        },
        status: status(row.get(11)).ok_or_else(|| broken("status"))?,
        reason: row.get(12),
        room: row.get::<_, Option<String>>(13).map(RoomId::new),
        event: row.get::<_, Option<String>>(14).map(EventId::new),
        created_at: row.get(15),
        expires_at: row.get(16),
        attempts: row.get(17),
        next_attempt_at: row.get(18),
        in_flight: row.get::<_, Option<f64>>(19).map(duration),
        announced: row.get(20),
        origin: Origin {
            request_id: row.get::<_, Option<&str>>(21).and_then(RequestId::parse),
            traceparent: row.get::<_, Option<String>>(22).map(Traceparent::new),
        },
    })
}
