//! The requests of satellites, parsed into domain values. Every wrong field is named.

use std::{ops::RangeInclusive, time::Duration};

use axum::http::HeaderMap;
use messenger_core::{
    Error, Result,
    alarm::NewAlarmInput,
    error::Problem,
    notification::{Draft, Idempotency, LogQuery, Priority, Satellite, SendOptions},
    origin::Origin,
};
use messenger_runtime::fields::{Fields, JsonBody, target};

use crate::alarm_input::AlarmFields;

/// Longest `source_app` and `event_type`, in characters.
const NAME_MAX: usize = 100;
const TITLE_MAX: usize = 500;
const BODY_MAX: usize = 20_000;
pub(crate) const KEY_MAX: usize = 255;
/// The default and the largest `?wait=`, in seconds.
const WAIT: (u32, u32) = (3, 10);
const LOG_LIMIT: RangeInclusive<i64> = 1..=500;

/// A request to send a notification, parsed.
pub(crate) struct SendRequest {
    pub(crate) draft: Draft,
    /// The input of an alarm that the notification is.
    pub(crate) alarm: Option<NewAlarmInput>,
    pub(crate) options: SendOptions,
    pub(crate) warnings: Vec<String>,
}

/// The body of `POST /notifications/send`, parsed.
pub(crate) struct SendBody {
    draft: Draft,
    alarm: Option<NewAlarmInput>,
    key: Option<String>,
    tenant: Option<i64>,
    warnings: Vec<String>,
    /// The names of unknown fields.
    unread: Vec<String>,
}

/// Parses `POST /notifications/send`.
pub(crate) fn send_request(
    satellite: &Satellite,
    query: Option<&str>,
    headers: &HeaderMap,
    origin: Origin,
    body: JsonBody,
) -> Result<SendRequest> {
    let wait = wait(Fields::from_query(query));
    let JsonBody { fields } = body;
    let parsed = send_body(fields, headers);
    let body = combine(wait.as_ref().err(), parsed)?;
    let options = SendOptions { wait: wait?, idempotency: None, origin, administrator: None };
    body.request(satellite, options)
}

impl SendBody {
    /// Returns the request of a satellite. The idempotency key is added to the options.
    pub(crate) fn request(self, satellite: &Satellite, options: SendOptions) -> Result<SendRequest> {
        let Self { draft, alarm, key, tenant, mut warnings, unread } = self;
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
        let idempotency = key.map(|key| Idempotency::of(key, &draft, alarm.as_ref())).transpose()?;
        let unread = unread.iter().map(|name| format!("the field `{name}` is unknown and was ignored"));
        warnings.extend(unread);
        Ok(SendRequest { draft, alarm, options: SendOptions { idempotency, ..options }, warnings })
    }
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

/// Parses the body. A key in the headers takes precedence over that of the body.
pub(crate) fn send_body(mut fields: Fields, headers: &HeaderMap) -> Result<SendBody> {
    let alarm = AlarmFields::read(&mut fields);
    let (draft, mut warnings) = draft(&mut fields, &alarm);
    let key = key(&mut fields, headers);
    let tenant = fields.whole("tenant_id");
    warnings.extend(target::misspelt(&mut fields, &draft.target));
    warnings.extend(alarm.check(&mut fields));
    let alarm = alarm.input(&draft);
    Ok(SendBody { draft, alarm, key, tenant, warnings, unread: fields.finish()? })
}

/// Parses the query of `POST /notifications/send`.
pub(crate) fn wait(mut fields: Fields) -> Result<Duration> {
    let wait = fields.seconds("wait", WAIT.0, WAIT.1);
    fields.finish()?;
    Ok(wait)
}

/// Returns the problems of the query and of the body as one error.
fn combine<T>(query: Option<&Error>, body: Result<T>) -> Result<T> {
    match (query, body) {
        (Some(Error::Invalid(query)), Err(Error::Invalid(body))) => {
            Err(Error::Invalid(query.iter().cloned().chain(body).collect()))
        }
        (_, body) => body,
    }
}

/// Parses the notification. Also returns warnings about fields without effect.
fn draft(fields: &mut Fields, alarm: &AlarmFields) -> (Draft, Vec<String>) {
    let source_app = fields.required_name("source_app", NAME_MAX);
    let event_type = fields.name_if_needed("event_type", NAME_MAX, alarm.needs_text());
    let event_type = event_type.unwrap_or_else(|| alarm.default_event_type());
    let title = fields.text_if_needed("title", TITLE_MAX, alarm.needs_text());
    let title = title.unwrap_or_else(|| alarm.default_title());
    let body = fields.optional_text("body", BODY_MAX);
    let (target, warnings) = target::target(fields);
    let priority = priority(fields);
    (Draft { source_app, event_type, title, body, target, priority }, warnings)
}

fn priority(fields: &mut Fields) -> Priority {
    let text = fields.one_of("priority", &Priority::ALL.map(Priority::as_str), Problem::INVALID);
    text.and_then(Priority::parse).unwrap_or(Priority::Normal)
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
