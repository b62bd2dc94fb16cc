//! A batch as `accept_notifications` takes it, column by column: what an array of PostgreSQL says needs no JSON to be
//! written and read.

use std::collections::HashMap;

use jiff::Timestamp;
use messenger_core::{
    Result,
    error::Failure,
    event::{Event, Kind},
    id::{NotificationId, Position, RoomId},
    notification::{EntityId, Entry, HELD_FOR, Notification, Place, Status, Target, reason},
};
use postgres_types::Json;
use tokio_postgres::Row;

use super::DOING;
use crate::{
    error::fault,
    pool::{Database, seconds},
};

const ACCEPT: &str = "select id, known_id, known_fingerprint, free, resting, held, created_at, ends_at
    from accept_notifications($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                              $20, $21)";

/// The entries, one after the other.
#[derive(Default)]
struct Entries<'a> {
    /// Counted from 1, as PostgreSQL does.
    lane: Vec<i32>,
    token: Vec<&'a str>,
    source_app: Vec<&'a str>,
    event_type: Vec<&'a str>,
    title: Vec<&'a str>,
    body: Vec<Option<&'a str>>,
    entity_type: Vec<Option<&'a str>>,
    entity_id: Vec<Option<Json<&'a EntityId>>>,
    priority: Vec<&'static str>,
    room: Vec<Option<&'a str>>,
    payload: Vec<&'a str>,
    wait: Vec<f64>,
    key: Vec<Option<&'a str>>,
    fingerprint: Vec<Option<&'a str>>,
}

/// Their lanes, each once.
#[derive(Default)]
struct Lanes<'a> {
    name: Vec<String>,
    tenant: Vec<i64>,
    target: Vec<&'static str>,
    user: Vec<Option<&'a str>>,
    audience: Vec<String>,
    /// The shortest wait of its entries.
    wait: Vec<f64>,
}

/// Of each entry, if its key came before: the notification, and the digest of its request.
type Known = (Vec<Option<i64>>, Vec<Option<String>>);

/// What became of a batch.
pub(super) struct Stored {
    /// The lane of each entry, counted from 0.
    lanes: Vec<usize>,
    ids: Vec<i64>,
    known: Option<Known>,
    free: Vec<bool>,
    resting: Vec<bool>,
    held: Vec<bool>,
    created_at: Timestamp,
    ends_at: i64,
}

/// What became of one entry.
pub(super) enum Outcome {
    /// It is stored.
    New(Box<Notification>, Place),
    /// The same key came before: with this notification, and this digest of its request.
    Known(NotificationId, String),
}

/// Stores entries, in one statement.
pub(super) async fn store(database: &Database, entries: &[&Entry]) -> Result<Stored> {
    let (columns, lanes) = columns(entries);
    let rows = database
        .query(
            DOING,
            ACCEPT,
            &[
                &columns.lane,
                &columns.token,
                &columns.source_app,
                &columns.event_type,
                &columns.title,
                &columns.body,
                &columns.entity_type,
                &columns.entity_id,
                &columns.priority,
                &columns.room,
                &columns.payload,
                &columns.wait,
                &columns.key,
                &columns.fingerprint,
                &lanes.name,
                &lanes.tenant,
                &lanes.target,
                &lanes.user,
                &lanes.audience,
                &lanes.wait,
                &seconds(HELD_FOR),
            ],
        )
        .await?;
    let incomplete = || fault(Failure::Broken, DOING, "not every entry of the batch came back");
    let stored = Stored::of(rows.first().ok_or_else(incomplete)?, &columns.lane);
    let is_complete = stored.ids.len() == entries.len()
        && [&stored.free, &stored.resting, &stored.held]
            .iter()
            .all(|column| column.len() == lanes.name.len());
    if is_complete { Ok(stored) } else { Err(incomplete()) }
}

fn columns<'a>(entries: &[&'a Entry]) -> (Entries<'a>, Lanes<'a>) {
    let (mut columns, mut lanes, mut known) = (Entries::default(), Lanes::default(), HashMap::new());
    for entry in entries {
        let (draft, tenant) = (&entry.draft, entry.satellite.tenant);
        let wait = seconds(entry.terms.wait);
        let key = draft.room_key(tenant);
        let lane = *known.entry(key).or_insert_with_key(|key| {
            lanes.name.push(key.to_string());
            lanes.tenant.push(tenant.0);
            lanes.target.push(draft.target_type());
            lanes.user.push(match &draft.target {
                Target::Dm(user) => Some(user.as_str()),
                _ => None,
            });
            lanes.audience.push(draft.audience(tenant).to_string());
            lanes.wait.push(wait);
            lanes.name.len()
        });
        if let Some(shortest) = lanes.wait.get_mut(lane - 1) {
            *shortest = shortest.min(wait);
        }
        columns.push(entry, i32::try_from(lane).unwrap_or(i32::MAX), wait);
    }
    (columns, lanes)
}

impl<'a> Entries<'a> {
    fn push(&mut self, entry: &'a Entry, lane: i32, wait: f64) {
        let draft = &entry.draft;
        let idempotency = entry.terms.idempotency.as_ref();
        self.lane.push(lane);
        self.token.push(&entry.satellite.token);
        self.source_app.push(&draft.source_app);
        self.event_type.push(&draft.event_type);
        self.title.push(&draft.title);
        self.body.push(draft.body.as_deref());
        self.entity_type.push(draft.entity().map(|(entity_type, _)| entity_type));
        self.entity_id.push(draft.entity().map(|(_, entity_id)| Json(entity_id)));
        self.priority.push(draft.priority.as_str());
        self.room.push(entry.room.as_ref().map(RoomId::as_str));
        self.payload.push(entry.payload.as_str());
        self.wait.push(wait);
        self.key.push(idempotency.map(|idempotency| idempotency.key.as_str()));
        self.fingerprint.push(idempotency.map(|idempotency| idempotency.fingerprint.as_str()));
    }
}

impl Stored {
    fn of(row: &Row, lanes: &[i32]) -> Self {
        let known: Option<Vec<Option<i64>>> = row.get(1);
        Self {
            lanes: lanes.iter().map(|lane| usize::try_from(lane - 1).unwrap_or_default()).collect(),
            ids: row.get(0),
            known: known.zip(row.get(2)),
            free: row.get(3),
            resting: row.get(4),
            held: row.get(5),
            created_at: row.get(6),
            ends_at: row.get(7),
        }
    }

    fn is_held(&self, n: usize) -> bool {
        self.held[self.lanes[n]]
    }

    fn known(&self, n: usize) -> Option<(i64, String)> {
        let (ids, fingerprints) = self.known.as_ref()?;
        Some((ids.get(n).copied().flatten()?, fingerprints.get(n).cloned().flatten().unwrap_or_default()))
    }

    /// The events that were appended with them, in order.
    pub(super) fn events(&self, entries: &[&Entry]) -> Vec<Event> {
        let told: Vec<_> =
            (0..entries.len()).filter(|n| !self.is_held(*n) && self.known(*n).is_none()).collect();
        let first = self.ends_at - i64::try_from(told.len()).unwrap_or_default() + 1;
        let events = told.into_iter().zip(first..).map(|(n, position)| {
            let Entry { draft, satellite, payload, .. } = entries[n];
            Event {
                position: Position(position),
                audience: draft.audience(satellite.tenant),
                kind: Kind::Notification,
                notification: Some(NotificationId(self.ids[n])),
                payload: payload.clone(),
            }
        });
        events.collect()
    }

    /// What became of the entry with this number.
    pub(super) fn outcome(&self, n: usize, entry: Entry) -> Outcome {
        if let Some((id, fingerprint)) = self.known(n) {
            return Outcome::Known(NotificationId(id), fingerprint);
        }
        let (free, resting, held) = (self.free[self.lanes[n]], self.resting[self.lanes[n]], self.is_held(n));
        let place = match (free, resting) {
            (true, _) => Place::Free,
            (false, true) => Place::Resting,
            (false, false) => Place::Queued,
        };
        let wait = entry.terms.wait;
        let notification = Notification {
            id: NotificationId(self.ids[n]),
            tenant: entry.satellite.tenant,
            draft: entry.draft,
            status: Status::Pending,
            reason: held.then(|| reason::RECIPIENT_NOT_PROVISIONED.to_owned()),
            room: entry.room,
            event: None,
            created_at: self.created_at,
            expires_at: held.then(|| self.created_at.checked_add(HELD_FOR).ok()).flatten(),
            attempts: 0,
            next_attempt_at: None,
            in_flight: (free && !held && !wait.is_zero()).then_some(wait),
            announced: !held,
        };
        Outcome::New(Box::new(notification), place)
    }
}
