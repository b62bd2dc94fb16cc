//! The checks of the parts of a process, for `GET /readyz`.

use std::time::Duration;

use messenger_core::{
    Error, Result,
    error::{Failure, System},
};
use serde_json::json;
use tokio::time::timeout;

use crate::{App, program::Role, readiness::Part};

/// Time limit of each check, so that the answer comes within a second.
const PATIENCE: Duration = Duration::from_millis(800);
/// The longest time for which a broker may be behind the event log.
const BROKER_LAG_MAX: Duration = Duration::from_secs(30);
/// The longest time for which a room queue may be due without a worker. After an outage many are due at once.
const DUE_MAX: Duration = Duration::from_mins(5);
/// The longest time for which the sync token may stand still. A call of `/sync` lasts 15 seconds at most.
const SYNC_AGE_MAX: Duration = Duration::from_mins(1);

/// Checks all parts of a process. Of one that drains nothing else matters.
pub(super) async fn check_all(app: &App) -> Vec<Part> {
    if app.shutdown.is_draining() {
        return vec![Part::required("server", check(false, || "the process is shutting down".to_owned()))];
    }
    let (database, copy, homeserver, worker) =
        tokio::join!(database(app), feed_copy(app), homeserver(app), worker(app));
    [database, copy, broker(app)].into_iter().flatten().chain(worker).chain(homeserver).collect()
}

/// Checks the parts of a worker; none in any other program.
async fn worker(app: &App) -> Vec<Part> {
    if app.program.role != Role::Worker {
        return Vec::new();
    }
    let is_set_up = app.readiness.is_set_up();
    let set_up = check(is_set_up, || "the worker has not migrated the database yet".to_owned());
    let mut parts = vec![Part::required("setup", set_up)];
    let Ok(Ok(backlog)) = timeout(PATIENCE, app.readings.backlog(&app.messenger)).await else {
        // The part `database` fails, too.
        return parts;
    };
    let due = backlog.oldest_due.unwrap_or_default();
    let delivers = check(due <= DUE_MAX, || {
        format!("a room queue has been due for {} seconds without a worker", due.as_secs())
    });
    let deliveries = Part::required("deliveries", delivers);
    parts.push(deliveries.with("oldest_due_seconds", json!(due.as_secs())));
    let age = backlog.since_sync;
    let syncs = check(backlog.is_sync_leased && age <= SYNC_AGE_MAX, || {
        let lease = if backlog.is_sync_leased { "a worker holds" } else { "no worker holds" };
        format!("the sync position has not moved for {} seconds; {lease} the lease", age.as_secs())
    });
    let lease = if backlog.is_sync_leased { "held" } else { "free" };
    let reconciliation = Part::reported("reconciliation", syncs);
    parts.push(reconciliation.with("lease", json!(lease)).with("since_sync_seconds", json!(age.as_secs())));
    parts
}

/// Checks the database, if the process has one.
async fn database(app: &App) -> Option<Part> {
    if !app.has_database() {
        return None;
    }
    let answer = timeout(PATIENCE, app.messenger.operations().check_database()).await;
    let result = answer.unwrap_or_else(|late| {
        Err(Error::fault(System::Database, Failure::TimedOut, "checking readiness", late))
    });
    Some(Part::required("database", result))
}

/// Checks the copy of the event log, if events are read from it. Another process would do no better, so it
/// is only reported, unless the process has nothing else.
async fn feed_copy(app: &App) -> Option<Part> {
    if !app.reads_copy() {
        return None;
    }
    let answer = timeout(PATIENCE, app.readings.feed_span(&app.messenger)).await;
    let is_read = matches!(answer, Ok(Ok(_)));
    let result = check(is_read, || "DynamoDB does not answer, or has no copy yet".to_owned());
    Some(if app.has_database() { Part::reported("copy", result) } else { Part::required("copy", result) })
}

/// Checks the homeserver, if the program needs it.
async fn homeserver(app: &App) -> Option<Part> {
    if !app.program.needs_homeserver {
        return None;
    }
    let is_up = app.readings.is_homeserver_up(&app.messenger).await;
    Some(Part::reported("homeserver", check(is_up, || "the homeserver does not answer".to_owned())))
}

/// Checks the broker, if the process has readers of events.
fn broker(app: &App) -> Option<Part> {
    if !app.is_broker_started() {
        return None;
    }
    let behind = app.messenger.broker().figures().since_caught_up.unwrap_or_default();
    let reads = check(behind <= BROKER_LAG_MAX, || {
        format!("the event log was last read to its end {} seconds ago", behind.as_secs())
    });
    Some(Part::required("events", reads).with("since_caught_up_seconds", json!(behind.as_secs())))
}

fn check(is_ready: bool, detail: impl FnOnce() -> String) -> Result<()> {
    if is_ready { Ok(()) } else { Err(Error::not_ready(detail())) }
}
