//! What satellites send, parsed: every wrong field is named.

use std::{ops::RangeInclusive, time::Duration};

use axum::http::HeaderMap;
use messenger_core::{
    Error, Result,
    id::{HUB_USER_ID_MAX, HubUserId},
    notification::{Draft, EntityId, Idempotency, LogQuery, Priority, Satellite, Target, Terms},
};
use messenger_runtime::fields::{Fields, JsonBody};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Longest `source_app`, `event_type` and `entity_type`, in characters.
const NAME_MAX: usize = 100;
const TITLE_MAX: usize = 500;
const BODY_MAX: usize = 20_000;
const ENTITY_ID_MAX: usize = 200;
const KEY_MAX: usize = 255;
/// `?wait=` in seconds: default and most.
const WAIT: (u32, u32) = (3, 10);
const LOG_LIMIT: RangeInclusive<i64> = 1..=500;

/// A request to send, parsed.
pub(crate) struct Send {
    pub(crate) draft: Draft,
    pub(crate) terms: Terms,
    pub(crate) warnings: Vec<String>,
}

/// Parses `POST /notifications/send`.
pub(crate) fn send(
    satellite: &Satellite,
    query: Option<&str>,
    headers: &HeaderMap,
    body: JsonBody,
) -> Result<Send> {
    let wait = wait(query);
    let JsonBody { mut fields, bytes } = body;
    let draft = draft(&mut fields);
    let key = key(&mut fields, headers);
    let tenant = fields.value("tenant_id");
    if tenant.as_ref().is_some_and(|tenant| !tenant.is_i64()) {
        fields.wrong("tenant_id", "must be a whole number");
    }
    let unread = combine(wait.as_ref().err(), fields.finish())?;
    if let Some(tenant) = tenant.filter(|tenant| tenant.as_i64() != Some(satellite.tenant.0)) {
        return Err(Error::Forbidden {
            code: "tenant_not_allowed",
            detail: format!(
                "this service token may not send for tenant {tenant}, only for {}",
                satellite.tenant
            )
            .into(),
        });
    }
    let fingerprint = hex::encode(Sha256::digest(&bytes));
    let idempotency = key.map(|key| Idempotency { key, fingerprint });
    let warnings =
        unread.iter().map(|name| format!("the field `{name}` is unknown and was ignored")).collect();
    Ok(Send { draft, terms: Terms { wait: wait?, idempotency }, warnings })
}

/// Parses the query of `GET /notifications/log`.
pub(crate) fn log_query(mut fields: Fields) -> Result<LogQuery> {
    let query = LogQuery {
        source_app: fields.optional_text("source_app", NAME_MAX).filter(|app| !app.is_empty()),
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

/// The problems of the query and of the body, told together.
fn combine(query: Option<&Error>, body: Result<Vec<String>>) -> Result<Vec<String>> {
    match (query, body) {
        (Some(Error::Invalid(query)), Err(Error::Invalid(body))) => {
            Err(Error::Invalid(query.iter().cloned().chain(body).collect()))
        }
        (_, body) => body,
    }
}

fn draft(fields: &mut Fields) -> Draft {
    Draft {
        source_app: fields.required_text("source_app", NAME_MAX),
        event_type: fields.required_text("event_type", NAME_MAX),
        title: fields.required_text("title", TITLE_MAX),
        body: fields.optional_text("body", BODY_MAX),
        target: target(fields),
        priority: priority(fields),
    }
}

fn priority(fields: &mut Fields) -> Priority {
    let Some(text) = fields.optional_text("priority", NAME_MAX) else { return Priority::Normal };
    Priority::parse(&text).unwrap_or_else(|| {
        fields.wrong("priority", "must be `normal` or `urgent`");
        Priority::Normal
    })
}

fn target(fields: &mut Fields) -> Target {
    let target = fields.optional_text("target_type", NAME_MAX);
    let entity_type = fields.optional_text("entity_type", NAME_MAX);
    let entity_id = entity_id(fields);
    let target_user = fields.optional_text("target_user", HUB_USER_ID_MAX);
    match target.as_deref() {
        None | Some("general") => Target::General,
        Some("service_room") => Target::Service,
        Some("entity_room") => {
            let entity_type = entity_type.filter(|name| !name.trim().is_empty());
            if entity_type.is_none() {
                fields.wrong(
                    "entity_type",
                    "is required for `entity_room`: the kind of thing, as in `machine`",
                );
            }
            if entity_id.is_none() {
                fields.wrong("entity_id", "is required for `entity_room`: a whole number, or text");
            }
            Target::Entity {
                entity_type: entity_type.unwrap_or_default(),
                entity_id: entity_id.unwrap_or(EntityId::Number(0)),
            }
        }
        Some("dm") => {
            match target_user.as_deref().map_or(Err("is required for `dm`: a Hub user id"), HubUserId::parse)
            {
                Ok(user) => Target::Dm(user),
                Err(problem) => {
                    fields.wrong("target_user", problem);
                    Target::General
                }
            }
        }
        Some(other) => {
            let message = format!("must be `general`, `entity_room`, `dm` or `service_room`, is `{other}`");
            fields.wrong_as("target_type", "invalid_target", &message);
            Target::General
        }
    }
}

fn entity_id(fields: &mut Fields) -> Option<EntityId> {
    match fields.value("entity_id")? {
        Value::Number(number) if number.is_i64() => number.as_i64().map(EntityId::Number),
        Value::String(_) => fields
            .optional_text("entity_id", ENTITY_ID_MAX)
            .filter(|id| !id.trim().is_empty())
            .map(EntityId::Text),
        _ => {
            fields.wrong("entity_id", "must be a whole number, or text");
            None
        }
    }
}

/// The header wins over the field of the same meaning.
fn key(fields: &mut Fields, headers: &HeaderMap) -> Option<String> {
    let in_body = fields.optional_text("idempotency_key", KEY_MAX);
    let Some(header) = headers.get("idempotency-key") else { return in_body.filter(|key| !key.is_empty()) };
    match header.to_str() {
        Ok(key) if (1..=KEY_MAX).contains(&key.len()) => Some(key.to_owned()),
        _ => {
            fields.wrong("idempotency_key", "the header Idempotency-Key must have 1 to 255 ASCII characters");
            None
        }
    }
}
