//! What satellites call. With a homeserver the answer of `send` says that it was delivered.
use anyhow::{Context, Result};

use super::endpoint::{Callers, Endpoint};
use super::subject::{Subject, Wanted};
use super::{SEND, SEND_DURABLE};
use crate::service::Door;
use crate::target::BODY;

/// How many there are when they are read: a page.
const STORED: u64 = 20;
const CALL: &str =
    r#"{"source_app":"bench","event_type":"machine.alarm","title":"alarm {number}","body":"{text}"}"#;

pub(super) const STORE: Endpoint =
    Endpoint::new(SEND_DURABLE, "POST /api/v1/notifications/send?wait=0").body(CALL).status(201);
pub(super) const DELIVER: Endpoint =
    Endpoint::new(SEND, "POST /api/v1/notifications/send?wait=10").body(CALL).status(201);
pub(super) const READ: [Endpoint; 2] = [
    Endpoint::new("notifications/{id}", "GET /api/v1/notifications/{id}"),
    Endpoint::new("notifications/log", "GET /api/v1/notifications/log?source_app=bench&limit=20"),
];

/// Storing and reading them.
pub(super) async fn loads(door: &Door, wanted: &Wanted) -> Result<Vec<Subject>> {
    let satellite = Callers::satellite(door).word("text", BODY);
    let mut subjects = wanted.of(&[STORE], &satellite);
    if wanted.any(&READ) {
        let last = satellite.load(&STORE).times(STORED).await?;
        let id = last.json()?["id"].as_i64().context("a notification without an id")?;
        subjects.extend(wanted.of(&READ, &satellite.word("id", id.to_string())));
    }
    Ok(subjects)
}

/// Delivering them.
pub(super) async fn delivery(door: &Door, wanted: &Wanted) -> Result<Vec<Subject>> {
    let satellite = Callers::satellite(door).word("text", BODY);
    if wanted.any(&[DELIVER]) {
        // The room is made.
        satellite.load(&DELIVER).once().await?;
    }
    Ok(wanted.of(&[DELIVER], &satellite))
}
