//! The requests of satellites, parsed into domain values. Every wrong field is named.

mod target;

use std::{ops::RangeInclusive, time::Duration};

use axum::http::HeaderMap;
use messenger_core::{
    Error, Result,
    notification::{Draft, Idempotency, LogQuery, Priority, Satellite, SendOptions},
    origin::Origin,
};
use messenger_runtime::fields::{Fields, JsonBody};

/// Longest `source_app`, `event_type` and `entity_type`, in characters.
const NAME_MAX: usize = 100;
const TITLE_MAX: usize = 500;
const BODY_MAX: usize = 20_000;
const KEY_MAX: usize = 255;
/// The default and the largest `?wait=`, in seconds.
const WAIT: (u32, u32) = (3, 10);
const LOG_LIMIT: RangeInclusive<i64> = 1..=500;

/// A request to send a notification, parsed.
pub(crate) struct SendRequest {
    pub(crate) draft: Draft,
    pub(crate) options: SendOptions,
    pub(crate) warnings: Vec<String>,
}

/// Parses `POST /notifications/send`.
pub(crate) fn send_request(
    satellite: &Satellite,
    query: Option<&str>,
    headers: &HeaderMap,
    origin: Origin,
    body: JsonBody,
) -> Result<SendRequest> {
    let wait = wait(query);
    let JsonBody { mut fields } = body;
    let (draft, mut warnings) = draft(&mut fields);
    let key = key(&mut fields, headers);
    let tenant = fields.whole("tenant_id", "a whole number");
    warnings.extend(target::misspelt(&mut fields, &draft.target));
    let unread = combine(wait.as_ref().err(), fields.finish())?;
    if let Some(tenant) = tenant.filter(|tenant| *tenant != satellite.tenant.0) {
        return Err(Error::Forbidden {
            code: "tenant_not_allowed",
            detail: format!(
                "this service token may not send for tenant {tenant}, only for {}",
                satellite.tenant
            )
            .into(),
        });
    }
    let idempotency = key.map(|key| Idempotency::of(key, &draft)).transpose()?;
    let unread = unread.iter().map(|name| format!("the field `{name}` is unknown and was ignored"));
    warnings.extend(unread);
    Ok(SendRequest { draft, options: SendOptions { wait: wait?, idempotency, origin }, warnings })
}

/// Parses the query of `GET /notifications/log`.
pub(crate) fn log_query(mut fields: Fields) -> Result<LogQuery> {
    let query = LogQuery {
        source_app: fields.optional_name("source_app", NAME_MAX),
        limit: fields.number("limit", 50, *LOG_LIMIT.start(), *LOG_LIMIT.end()),
        offset: fields.number("offset", 0, 0, 1_000_000_000),
    };
    fields.finish()?;
    Ok(query)
}

fn wait(query: Option<&str>) -> Result<Duration> {
    let mut fields = Fields::from_query(query);
    let wait = fields.seconds("wait", WAIT.0, WAIT.1);
    fields.finish()?;
    Ok(wait)
}

/// Returns the problems of the query and of the body as one error.
fn combine(query: Option<&Error>, body: Result<Vec<String>>) -> Result<Vec<String>> {
    match (query, body) {
        (Some(Error::Invalid(query)), Err(Error::Invalid(body))) => {
            Err(Error::Invalid(query.iter().cloned().chain(body).collect()))
        }
        (_, body) => body,
    }
}

/// Parses the notification. Also returns warnings about fields without effect.
fn draft(fields: &mut Fields) -> (Draft, Vec<String>) {
    let source_app = fields.required_name("source_app", NAME_MAX);
    let event_type = fields.required_name("event_type", NAME_MAX);
    let title = fields.required_text("title", TITLE_MAX);
    let body = fields.optional_text("body", BODY_MAX);
    let (target, warnings) = target::target(fields);
    let priority = priority(fields);
    (Draft { source_app, event_type, title, body, target, priority }, warnings)
}

fn priority(fields: &mut Fields) -> Priority {
    let Some(text) = fields.optional_text("priority", NAME_MAX) else { return Priority::Normal };
    Priority::parse(&text).unwrap_or_else(|| {
        fields.wrong("priority", "must be `normal` or `urgent`");
        Priority::Normal
    })
}

/// Parses the idempotency key. The header takes precedence over the field. A blank key is treated as absent:
/// otherwise every notification after the first would be deduplicated away.
fn key(fields: &mut Fields, headers: &HeaderMap) -> Option<String> {
    let key = |key: &str| Some(key.trim().to_owned()).filter(|key| !key.is_empty());
    let in_body = fields.optional_text("idempotency_key", KEY_MAX).as_deref().and_then(key);
    let Some(header) = headers.get("idempotency-key") else { return in_body };
    match header.to_str().map(key) {
        Ok(Some(key)) if key.len() > KEY_MAX => {}
        Ok(key) => return key.or(in_body),
        Err(_) => {}
    }
    fields.wrong("idempotency_key", "the header Idempotency-Key must have at most 255 ASCII characters");
    None
}
