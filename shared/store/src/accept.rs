//! Group commit: notifications that arrive while a commit is on its way share the next one.
//!
//! The batch runs in a task of its own, so a caller who goes away takes nothing with them.

use std::{collections::HashSet, mem, time::Duration};

use jiff::Timestamp;
use messenger_core::{
    Result,
    error::Failure,
    id::{HubUserId, NotificationId, RoomId, TenantId},
    notification::{
        Accepted, EntityId, Entry, HELD_FOR, Notification, Place, Priority, Status, Target, reason,
    },
};
use postgres_types::Json;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Row;

use crate::{
    error::{fault, share},
    notifications,
    pool::{Database, seconds},
};

/// Most notifications in one commit.
const BATCH: usize = 256;
/// Most notifications that wait for a commit; more wait for a place.
const WAITING: usize = 4096;
const ACCEPT: &str = "select n, id, fresh, fingerprint, place, held, created_at, expires_at, in_flight
    from accept_notifications($1)";
const DOING: &str = "storing a notification";

/// The way into the next batch.
pub(crate) struct Acceptor(mpsc::Sender<Waiting>);

struct Waiting {
    entry: Entry,
    answer: oneshot::Sender<Result<Accepted>>,
}

impl Acceptor {
    pub(crate) fn start(database: Database) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(run(database, receiver));
        Self(sender)
    }

    /// Stores an entry with others that come at the same time.
    pub(crate) async fn accept(&self, entry: Entry) -> Result<Accepted> {
        let gone = || fault(Failure::Broken, DOING, "the group commit has ended");
        let (answer, answered) = oneshot::channel();
        self.0.send(Waiting { entry, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Commits batch after batch until the store is gone.
async fn run(database: Database, mut receiver: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::new();
    loop {
        if waiting.is_empty() && receiver.recv_many(&mut waiting, BATCH).await == 0 {
            return;
        }
        // What has arrived during the last commit joins the entries that were left over from it.
        while waiting.len() < BATCH
            && let Ok(one) = receiver.try_recv()
        {
            waiting.push(one);
        }
        let (batch, later) = split(mem::take(&mut waiting));
        waiting = later;
        commit(&database, batch).await;
    }
}

/// A batch in which each idempotency key occurs once, and what has to wait for it.
fn split(waiting: Vec<Waiting>) -> (Vec<Waiting>, Vec<Waiting>) {
    let mut keys = HashSet::new();
    waiting.into_iter().partition(|one| {
        let entry = &one.entry;
        entry.terms.idempotency.as_ref().is_none_or(|idempotency| {
            keys.insert((entry.satellite.tenant, entry.satellite.token.clone(), idempotency.key.clone()))
        })
    })
}

async fn commit(database: &Database, batch: Vec<Waiting>) {
    match store(database, &batch).await {
        Ok(rows) => {
            for (waiting, row) in batch.into_iter().zip(rows) {
                let accepted = accepted(database, waiting.entry, &row).await;
                // A caller who went away needs no answer; what they sent is stored.
                let _ = waiting.answer.send(accepted);
            }
        }
        // One entry that PostgreSQL refuses must not take the others with it.
        Err(error) if error.failure() == Some(Failure::Rejected) && batch.len() > 1 => {
            for waiting in batch {
                Box::pin(commit(database, vec![waiting])).await;
            }
        }
        Err(error) => {
            let again = share(error, DOING);
            for waiting in batch {
                let _ = waiting.answer.send(Err(again()));
            }
        }
    }
}

/// The rows of a batch, in its order.
async fn store(database: &Database, batch: &[Waiting]) -> Result<Vec<Row>> {
    let drafts: Vec<_> = batch.iter().enumerate().map(|(n, waiting)| wire(n, &waiting.entry)).collect();
    let mut rows = database.query(DOING, ACCEPT, &[&Json(drafts)]).await?;
    if rows.len() != batch.len() {
        return Err(fault(Failure::Broken, DOING, "not every entry of the batch came back"));
    }
    rows.sort_by_key(|row| row.get::<_, i32>(0));
    Ok(rows)
}

/// An entry as `accept_notifications` reads it: written as JSON once, without a tree in between.
#[derive(Debug, Serialize)]
struct Wire<'a> {
    n: usize,
    tenant_id: TenantId,
    token: &'a str,
    source_app: &'a str,
    event_type: &'a str,
    title: &'a str,
    body: Option<&'a str>,
    target_type: &'static str,
    entity_type: Option<&'a str>,
    entity_id: Option<&'a EntityId>,
    target_user: Option<&'a HubUserId>,
    priority: Priority,
    lane: String,
    room: Option<&'a RoomId>,
    audience: String,
    payload: &'a str,
    wait: f64,
    held_for: f64,
    key: Option<&'a str>,
    fingerprint: Option<&'a str>,
}

fn wire(n: usize, entry: &Entry) -> Wire<'_> {
    let (draft, tenant) = (&entry.draft, entry.satellite.tenant);
    let idempotency = entry.terms.idempotency.as_ref();
    Wire {
        n,
        tenant_id: tenant,
        token: &entry.satellite.token,
        source_app: &draft.source_app,
        event_type: &draft.event_type,
        title: &draft.title,
        body: draft.body.as_deref(),
        target_type: draft.target_type(),
        entity_type: draft.entity().map(|(entity_type, _)| entity_type),
        entity_id: draft.entity().map(|(_, entity_id)| entity_id),
        target_user: match &draft.target {
            Target::Dm(user) => Some(user),
            _ => None,
        },
        priority: draft.priority,
        lane: draft.room_key(tenant).to_string(),
        room: entry.room.as_ref(),
        audience: draft.audience(tenant).to_string(),
        payload: entry.payload.as_str(),
        wait: seconds(entry.terms.wait),
        held_for: seconds(HELD_FOR),
        key: idempotency.map(|idempotency| idempotency.key.as_str()),
        fingerprint: idempotency.map(|idempotency| idempotency.fingerprint.as_str()),
    }
}

async fn accepted(database: &Database, entry: Entry, row: &Row) -> Result<Accepted> {
    let tenant = entry.satellite.tenant;
    let id = NotificationId(row.get(1));
    let fresh: bool = row.get(2);
    if !fresh {
        let stored = notifications::find(database, tenant, id).await?;
        let stored =
            stored.ok_or_else(|| fault(Failure::Broken, DOING, "an idempotency key without notification"))?;
        return Ok(Accepted::Replayed { notification: Box::new(stored), fingerprint: row.get(3) });
    }
    let place = match row.get::<_, &str>(4) {
        "free" => Place::Free,
        "queued" => Place::Queued,
        _ => Place::Resting,
    };
    let held: bool = row.get(5);
    let notification = Notification {
        id,
        tenant,
        draft: entry.draft,
        status: Status::Pending,
        reason: held.then(|| reason::RECIPIENT_NOT_PROVISIONED.to_owned()),
        room: entry.room,
        event: None,
        created_at: row.get::<_, Timestamp>(6),
        expires_at: row.get(7),
        attempts: 0,
        next_attempt_at: None,
        in_flight: row.get::<_, Option<f64>>(8).map(|left| Duration::from_secs_f64(left.max(0.0))),
        announced: !held,
    };
    Ok(Accepted::New { notification: Box::new(notification), place })
}
