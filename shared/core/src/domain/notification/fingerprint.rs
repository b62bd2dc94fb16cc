//! Idempotency keys, and the fingerprint by which a repeated request is known as the same.

use serde::Serialize;

use crate::domain::{
    error::{Error, Result},
    id,
    notification::{Draft, Priority, Target},
};

/// Begins fingerprints of parsed requests.
const PARSED: &str = "v2:";

/// The length of a SHA-256 in hexadecimal.
const DIGEST: usize = 64;

/// A key that makes a retried call the same call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// At most 255 characters, unique for (token, tenant).
    pub key: String,
    /// Digest of the request: the same key with another request is a mistake.
    pub fingerprint: String,
}

/// A parsed request. A field that is added later must be left out where it has its default, so that fingerprints stay the
/// same.
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
}

impl Idempotency {
    /// Returns the key of a request. Its fingerprint is that of the parsed request, so the order of the fields and the
    /// spelling of values do not matter.
    pub fn of(key: String, draft: &Draft) -> Result<Self> {
        let request = serde_json::to_string(&Request {
            source_app: &draft.source_app,
            event_type: &draft.event_type,
            title: &draft.title,
            body: draft.body.as_deref(),
            target_type: draft.target_type(),
            entity: draft.entity().map(|(entity_type, entity_id)| (entity_type, entity_id.canonical())),
            target_user: match &draft.target {
                Target::Dm(user) => Some(user.as_str()),
                _ => None,
            },
            priority: draft.priority,
        });
        let request =
            request.map_err(|error| Error::invalid("", format!("cannot be written as JSON: {error}")))?;
        Ok(Self { key, fingerprint: format!("{PARSED}{}", id::digest(&request)) })
    }

    /// Whether this repeats a request that was stored with this fingerprint.
    ///
    /// Versions before stored the plain digest of the body's bytes, which cannot be compared with. The key alone decides
    /// then: a retry across the upgrade must not become a second notification. Keys are kept for a week.
    pub(crate) fn repeats(&self, first: &str) -> bool {
        let is_of_bytes = first.len() == DIGEST && first.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_of_bytes || self.fingerprint == first
    }
}
