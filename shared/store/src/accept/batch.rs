//! A batch of notifications as the parameters and result of `accept_notifications`.

use std::collections::HashMap;

use jiff::Timestamp;
use messenger_core::{
    Result,
    alarm::{Action, NewAlarmInput},
    error::Failure,
    event::{Event, Kind},
    id::{HubUserId, NotificationId, Position, RoomId},
    notification::{
        EntityId, HELD_FOR, NewNotification, Notification, QueueState, SendOptions, Status, reason,
    },
    origin::{RequestId, Traceparent},
    room::RoomKey,
};
use postgres_types::{Json, ToSql};
use serde_json::json;
use tokio_postgres::Row;

use super::STORING;
use crate::{
    admin::ActParameters,
    error::fault,
    pool::{Database, seconds},
};

const ACCEPT: &str =
    "select id, known_id, known_fingerprint, free, backing_off, held, created_at, ends_at, closed
    from accept_notifications($1, $2, $3, $4, $5)";

/// Stores a batch that an administrator sends, with an entry in the audit log for each notification. `$10` is
/// the content for that entry.
const ACCEPT_AUDITED: &str = "with accepted as materialized (
        select id, known_id, known_fingerprint, free, backing_off, held, created_at, ends_at, closed
        from accept_notifications($1, $2, $3, $4, $5)
    ), audited as materialized (
        select append_audit($6, $7, $8, $9, 'notification.test', id[1]::text, null, $10) from accepted)
    select id, known_id, known_fingerprint, free, backing_off, held, created_at, ends_at, closed
    from accepted, audited";

/// The composite type `new_entry`. `n` and `queue` are numbers within the batch; both begin with 1.
#[derive(Debug, ToSql)]
#[postgres(name = "new_entry")]
struct NewEntry<'a> {
    n: i32,
    queue: i32,
    queue_name: &'a str,
    tenant_id: i64,
    target_type: &'static str,
    recipient: Option<&'a str>,
    audience: String,
    token: &'a str,
    source_app: &'a str,
    event_type: &'a str,
    title: &'a str,
    body: Option<&'a str>,
    entity_type: Option<&'a str>,
    entity_id: Option<Json<&'a EntityId>>,
    priority: &'static str,
    room: Option<&'a str>,
    payload: &'a str,
    wait: f64,
    key: Option<&'a str>,
    fingerprint: Option<&'a str>,
    request_id: Option<&'a str>,
    traceparent: Option<&'a str>,
}

/// The composite type `new_queue`: a room queue of the batch.
#[derive(Debug, ToSql)]
#[postgres(name = "new_queue")]
struct NewQueue<'a> {
    n: i32,
    name: String,
    tenant_id: i64,
    recipient: Option<&'a str>,
    /// The shortest wait of its entries, in seconds.
    wait: f64,
}

/// The composite type `new_alarm_input`: the part of an entry that is the input of an alarm. `n` is the number of
/// the entry.
#[derive(Debug, ToSql)]
#[postgres(name = "new_alarm_input")]
struct NewInput<'a> {
    n: i32,
    dedup_key: Option<&'a str>,
    action: &'static str,
    occurred_at: Option<Timestamp>,
    ack_required: Option<bool>,
    ack_expires_after: Option<f64>,
    resolve_after: Option<f64>,
}

/// For each entry whose idempotency key is known: the notification, and the fingerprint of its request.
type Known = (Vec<Option<i64>>, Vec<Option<String>>);

/// The result of a batch.
pub(crate) struct Stored {
    /// The room queue of each entry, counted from 0.
    queues: Vec<usize>,
    ids: Vec<i64>,
    known: Option<Known>,
    free: Vec<bool>,
    backing_off: Vec<bool>,
    held: Vec<bool>,
    created_at: Timestamp,
    ends_at: i64,
    /// The rooms of entries that were closed meanwhile.
    closed: Vec<String>,
}

/// The result of one entry.
pub(super) enum Outcome {
    /// The stored notification.
    New(Box<Notification>, QueueState),
    /// The notification of an earlier request with the same key, and the fingerprint of that request.
    Known(NotificationId, String),
}

/// Stores entries in one statement.
pub(super) async fn store(database: &Database, entries: &[&NewNotification]) -> Result<Stored> {
    let (queues, queue_of) = queues(entries);
    let (rooms, inputs) = (rooms(entries), inputs(entries));
    let columns: Vec<_> = entries
        .iter()
        .zip(&queue_of)
        .enumerate()
        .map(|(n, (entry, queue))| new_entry(number(n), number(*queue), &queues[*queue].name, entry))
        .collect();
    let rows = match entries {
        [
            NewNotification {
                options: SendOptions { administrator: Some(administrator), .. }, draft, ..
            },
        ] => {
            let by = ActParameters::from(administrator);
            let after = json!({
                "target_type": draft.target_type(), "target_user": recipient(entries[0]),
                "entity": draft.entity().map(|(entity_type, id)| format!("{entity_type}:{}", id.canonical())),
                "priority": draft.priority.as_str(),
            });
            let parameters: [&(dyn ToSql + Sync); 10] = [
                &columns,
                &queues,
                &rooms,
                &seconds(HELD_FOR),
                &inputs,
                &administrator.tenant.0,
                &by.actor,
                &by.address,
                &by.request_id,
                &after,
            ];
            database.query(STORING, ACCEPT_AUDITED, &parameters).await?
        }
        _ => {
            database.query(STORING, ACCEPT, &[&columns, &queues, &rooms, &seconds(HELD_FOR), &inputs]).await?
        }
    };
    let incomplete = || fault(Failure::Broken, STORING, "the result of the batch is incomplete");
    let stored = Stored::of(rows.first().ok_or_else(incomplete)?, queue_of);
    let is_complete = stored.ids.len() == entries.len()
        && [&stored.free, &stored.backing_off, &stored.held]
            .iter()
            .all(|column| column.len() == queues.len());
    if is_complete { Ok(stored) } else { Err(incomplete()) }
}

/// Returns the room queues of a batch, and the index of each entry's queue.
fn queues<'a>(entries: &[&'a NewNotification]) -> (Vec<NewQueue<'a>>, Vec<usize>) {
    let (mut queues, mut known): (Vec<NewQueue<'_>>, _) = (Vec::new(), HashMap::<RoomKey, usize>::new());
    let queue_of = entries.iter().map(|entry| {
        let wait = seconds(entry.options.wait);
        let queue = *known.entry(entry.draft.room_key(entry.satellite.tenant)).or_insert_with_key(|key| {
            queues.push(NewQueue {
                n: number(queues.len()),
                name: key.to_string(),
                tenant_id: entry.satellite.tenant.0,
                recipient: recipient(entry),
                wait: if entry.alarm.is_none() { wait } else { f64::INFINITY },
            });
            queues.len() - 1
        });
        // The input of an alarm is no entry of the room queue.
        if entry.alarm.is_none() {
            queues[queue].wait = queues[queue].wait.min(wait);
        }
        queue
    });
    let queue_of = queue_of.collect();
    for queue in queues.iter_mut().filter(|queue| queue.wait.is_infinite()) {
        queue.wait = 0.0;
    }
    (queues, queue_of)
}

/// Returns each room of a batch once; `None` if no entry has one.
fn rooms<'a>(entries: &[&'a NewNotification]) -> Option<Vec<&'a str>> {
    let mut rooms: Vec<_> = entries.iter().filter_map(|entry| Some(entry.room.as_ref()?.as_str())).collect();
    rooms.sort_unstable();
    rooms.dedup();
    (!rooms.is_empty()).then_some(rooms)
}

/// Returns the inputs of alarms of a batch; `None` if there are none.
fn inputs<'a>(entries: &[&'a NewNotification]) -> Option<Vec<NewInput<'a>>> {
    let inputs = entries.iter().enumerate().filter_map(|(n, entry)| {
        let NewAlarmInput { dedup_key, action, occurred_at } = entry.alarm.as_ref()?;
        let trigger = match action {
            Action::Trigger(trigger) => Some(trigger),
            _ => None,
        };
        Some(NewInput {
            n: number(n),
            dedup_key: dedup_key.as_deref(),
            action: action.kind().as_str(),
            occurred_at: *occurred_at,
            ack_required: trigger.map(|trigger| trigger.ack.is_required),
            ack_expires_after: trigger.and_then(|trigger| trigger.ack.expires_after).map(seconds),
            resolve_after: trigger.and_then(|trigger| trigger.resolve_after).map(seconds),
        })
    });
    let inputs: Vec<_> = inputs.collect();
    (!inputs.is_empty()).then_some(inputs)
}

fn new_entry<'a>(n: i32, queue: i32, queue_name: &'a str, entry: &'a NewNotification) -> NewEntry<'a> {
    let (draft, tenant) = (&entry.draft, entry.satellite.tenant);
    let (entity, idempotency) = (draft.entity(), entry.options.idempotency.as_ref());
    let origin = &entry.options.origin;
    NewEntry {
        n,
        queue,
        queue_name,
        tenant_id: tenant.0,
        target_type: draft.target_type(),
        recipient: recipient(entry),
        audience: draft.audience(tenant).to_string(),
        token: &entry.satellite.token,
        source_app: &draft.source_app,
        event_type: &draft.event_type,
        title: &draft.title,
        body: draft.body.as_deref(),
        entity_type: entity.map(|(entity_type, _)| entity_type),
        entity_id: entity.map(|(_, entity_id)| Json(entity_id)),
        priority: draft.priority.as_str(),
        room: entry.room.as_ref().map(RoomId::as_str),
        payload: entry.payload.as_str(),
        wait: seconds(entry.options.wait),
        key: idempotency.map(|idempotency| idempotency.key.as_str()),
        fingerprint: idempotency.map(|idempotency| idempotency.fingerprint.as_str()),
        request_id: origin.request_id.as_ref().map(RequestId::as_str),
        traceparent: origin.traceparent.as_ref().map(Traceparent::as_str),
    }
}

fn recipient(entry: &NewNotification) -> Option<&str> {
    entry.draft.recipient().map(HubUserId::as_str)
}

/// Converts an index to PostgreSQL's, which begins with 1.
fn number(index: usize) -> i32 {
    i32::try_from(index + 1).unwrap_or(i32::MAX)
}

impl Stored {
    fn of(row: &Row, queues: Vec<usize>) -> Self {
        let known: Option<Vec<Option<i64>>> = row.get(1);
        Self {
            queues,
            ids: row.get(0),
            known: known.zip(row.get(2)),
            free: row.get(3),
            backing_off: row.get(4),
            held: row.get(5),
            created_at: row.get(6),
            ends_at: row.get(7),
            closed: row.get::<_, Option<_>>(8).unwrap_or_default(),
        }
    }

    fn is_held(&self, n: usize) -> bool {
        self.held[self.queues[n]]
    }

    /// Returns whether the live event of an entry is stored with it.
    fn is_announced(&self, n: usize, entry: &NewNotification) -> bool {
        !self.is_held(n) && entry.alarm.is_none()
    }

    /// Returns the room of an entry unless it was closed meanwhile.
    fn open(&self, room: Option<&RoomId>) -> Option<RoomId> {
        room.filter(|room| self.closed.iter().all(|closed| closed != room.as_str())).cloned()
    }

    fn known(&self, n: usize) -> Option<(i64, String)> {
        let (ids, fingerprints) = self.known.as_ref()?;
        Some((ids.get(n).copied().flatten()?, fingerprints.get(n).cloned().flatten().unwrap_or_default()))
    }

    /// Returns the events that were appended, in order.
    pub(super) fn events(&self, entries: &[&NewNotification]) -> Vec<Event> {
        let announced: Vec<_> = (0..entries.len())
            .filter(|n| self.is_announced(*n, entries[*n]) && self.known(*n).is_none())
            .collect();
        let first = self.ends_at - i64::try_from(announced.len()).unwrap_or_default() + 1;
        let events = announced.into_iter().zip(first..).map(|(n, position)| {
            let NewNotification { draft, satellite, room, payload, .. } = entries[n];
            Event {
                position: Position(position),
                audience: draft.audience(satellite.tenant),
                kind: Kind::Notification,
                notification: Some(NotificationId(self.ids[n])),
                notification_created_at: Some(self.created_at),
                room: self.open(room.as_ref()),
                payload: payload.clone(),
                about: None,
                is_redaction: false,
            }
        });
        events.collect()
    }

    /// Returns the result of the entry with this index.
    pub(super) fn outcome(&self, n: usize, entry: NewNotification) -> Outcome {
        if let Some((id, fingerprint)) = self.known(n) {
            return Outcome::Known(NotificationId(id), fingerprint);
        }
        let (free, backing_off, held) =
            (self.free[self.queues[n]], self.backing_off[self.queues[n]], self.is_held(n));
        let (announced, is_input) = (self.is_announced(n, &entry), entry.alarm.is_some());
        let queue_state = match (free, backing_off) {
            // The worker delivers the messages of alarms.
            (true, _) if is_input => QueueState::Queued,
            (true, _) => QueueState::Free,
            (false, true) => QueueState::BackingOff,
            (false, false) => QueueState::Queued,
        };
        let wait = entry.options.wait;
        let notification = Notification {
            id: NotificationId(self.ids[n]),
            tenant: entry.satellite.tenant,
            draft: entry.draft,
            status: Status::Pending,
            reason: held.then(|| reason::RECIPIENT_NOT_PROVISIONED.to_owned()),
            room: self.open(entry.room.as_ref()),
            event: None,
            created_at: self.created_at,
            expires_at: (held && !is_input).then(|| self.created_at.checked_add(HELD_FOR).ok()).flatten(),
            attempts: 0,
            next_attempt_at: None,
            in_flight: (free && announced && !wait.is_zero()).then_some(wait),
            announced,
            origin: entry.options.origin,
        };
        Outcome::New(Box::new(notification), queue_state)
    }
}
