//! Idempotency keys, and the fingerprint by which a repeated request is recognised.

use std::time::Duration;

use serde::Serialize;

use crate::domain::{
    alarm::{Action, NewAlarmInput},
    error::{Error, Result},
    id::{self, HubUserId},
    notification::{Draft, Priority},
    time::Rfc3339,
};

/// The prefix of fingerprints of parsed requests.
const PARSED: &str = "v2:";

/// The length of a SHA-256 in hexadecimal.
const DIGEST: usize = 64;

/// An idempotency key with the fingerprint of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The key: at most 255 characters, unique for (token, tenant).
    pub key: String,
    /// The digest of the request. The same key with another fingerprint is refused.
    pub fingerprint: String,
}

/// The hashed fields of a request. A field that is added later must be omitted at its default, so that
/// existing fingerprints stay valid.
#[derive(Serialize)]
struct Request<'a> {
    source_app: &'a str,
    event_type: &'a str,
    title: &'a str,
    body: Option<&'a str>,
    target_type: &'static str,
    entity: Option<(&'a str, String)>,
    target_user: Option<&'a str>,
    priority: Priority,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm: Option<AlarmRequest<'a>>,
}

/// The hashed fields of the input of an alarm.
#[derive(Serialize)]
struct AlarmRequest<'a> {
    dedup_key: Option<&'a str>,
    event_action: &'static str,
    ack_required: bool,
    ack_expires_after: Option<Duration>,
    resolve_after: Option<Duration>,
    occurred_at: Option<Rfc3339>,
}

impl Idempotency {
    /// Returns the key with the fingerprint of the parsed request. The order of JSON fields and the notation
    /// of values do not matter.
    pub fn of(key: String, draft: &Draft, alarm: Option<&NewAlarmInput>) -> Result<Self> {
        let request = serde_json::to_string(&Request {
            source_app: &draft.source_app,
            event_type: &draft.event_type,
            title: &draft.title,
            body: draft.body.as_deref(),
            target_type: draft.target_type(),
            entity: draft.entity().map(|(entity_type, entity_id)| (entity_type, entity_id.canonical())),
            target_user: draft.recipient().map(HubUserId::as_str),
            priority: draft.priority,
            alarm: alarm.map(AlarmRequest::from),
        });
        let request =
            request.map_err(|error| Error::invalid("", format!("cannot be written as JSON: {error}")))?;
        Ok(Self { key, fingerprint: format!("{PARSED}{}", id::digest(&request)) })
    }

    /// Returns whether this request repeats the one that was stored with the fingerprint `first`.
    ///
    /// Earlier versions stored a plain digest of the body's bytes, which cannot be compared. The key alone
    /// decides then, so that a retry across the upgrade becomes no second notification. Keys are kept for a
    /// week.
    pub(crate) fn repeats(&self, first: &str) -> bool {
        let is_of_bytes = first.len() == DIGEST && first.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_of_bytes || self.fingerprint == first
    }
}

impl<'a> From<&'a NewAlarmInput> for AlarmRequest<'a> {
    fn from(input: &'a NewAlarmInput) -> Self {
        let trigger = match &input.action {
            Action::Trigger(trigger) => Some(trigger),
            _ => None,
        };
        Self {
            dedup_key: input.dedup_key.as_deref(),
            event_action: input.action.kind().as_str(),
            ack_required: trigger.is_some_and(|trigger| trigger.ack.is_required),
            ack_expires_after: trigger.and_then(|trigger| trigger.ack.expires_after),
            resolve_after: trigger.and_then(|trigger| trigger.resolve_after),
            occurred_at: input.occurred_at.map(Rfc3339),
        }
    }
}
