//! Held direct messages: their list, and another recipient for one.

use axum::{
    Json,
    extract::{RawQuery, State},
};
use jiff::Timestamp;
use messenger_core::{
    Result,
    admin::notifications::{HeldCursor, HeldMessage},
    id::{HUB_USER_ID_MAX, HubUserId, NotificationId},
    notification::Target,
    time::Rfc3339,
};
use messenger_runtime::{
    ApiError, App,
    caller::AdministratorCaller,
    fields::{Fields, JsonBody},
    openapi::{Caller, Operation, ResponseObject, code},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::page;

use super::{
    acts::{Id, id, of_one},
    response::AdminNotification,
};

const CURSOR_MAX: usize = 50;

/// Held direct messages, those first that expire first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HeldMessages")]
struct Page {
    held: Vec<Held>,
    /// The value of `cursor` for the next ones; null at the end.
    next_cursor: Option<String>,
}

/// A direct message whose recipient has never signed in.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HeldMessage")]
struct Held {
    id: NotificationId,
    target_user: Option<HubUserId>,
    title: String,
    source_app: String,
    age_seconds: u64,
    created_at: Rfc3339,
    expires_at: Option<Rfc3339>,
}

struct HeldQuery {
    after: Option<HeldCursor>,
    limit: i64,
}

/// Declares the list.
pub(crate) fn operation() -> Operation {
    let summary = "Lists direct messages whose recipients have never signed in";
    Operation::get("/api/v1/admin/held", held, "listHeldMessages", summary)
        .caller(Caller::Administrator)
        .query(query)
        .answer(ResponseObject::json::<Page>(200, "The messages."))
}

/// Declares the change of the recipient.
pub(crate) fn readdress_operation() -> Operation {
    of_one(Operation::post(
        "/api/v1/admin/notifications/{id}/readdress",
        readdress,
        "readdressNotification",
        "Moves a held direct message to another user",
    ))
    .json(readdress_body)
    .refuses(&[code::NOT_HELD, code::UNKNOWN_USER])
}

fn query(mut fields: Fields) -> Result<HeldQuery> {
    let text = fields.optional_name("cursor", CURSOR_MAX);
    let after = text.as_deref().and_then(cursor);
    if text.is_some() && after.is_none() {
        fields.wrong("cursor", "must be a `next_cursor` of this list");
    }
    let limit = fields.number("limit", 50, 1, 200);
    fields.finish()?;
    Ok(HeldQuery { after, limit })
}

fn readdress_body(mut fields: Fields) -> Result<HubUserId> {
    let name = fields.required_name("target_user", HUB_USER_ID_MAX);
    fields.refuse_half("target_user");
    let user = HubUserId::parse(&name);
    if let Err(problem) = &user {
        fields.wrong("target_user", problem);
    }
    fields.finish()?;
    Ok(user.unwrap_or_else(|_| HubUserId::new("")))
}

async fn held(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, ApiError> {
    let HeldQuery { after, limit } = self::query(Fields::from_query(query.as_deref()))?;
    let held = app.administration()?.notifications().held(&administrator, after, limit).await?;
    let next_cursor = page::last_if_full(&held, limit).and_then(|last| next(&last.notification));
    Ok(Json(Page { held: held.into_iter().map(Held::from).collect(), next_cursor }))
}

async fn readdress(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    id: Id,
    body: JsonBody,
) -> Result<Json<AdminNotification>, ApiError> {
    let (id, to) = (self::id(id)?, readdress_body(body.fields)?);
    Ok(Json(app.administration()?.notifications().readdress(&administrator, id, &to).await?.into()))
}

/// Returns the cursor after a message.
fn next(last: &messenger_core::notification::Notification) -> Option<String> {
    last.expires_at.map(|expires_at| format!("{}-{}", expires_at.as_microsecond(), last.id))
}

fn cursor(text: &str) -> Option<HeldCursor> {
    let (expires_at, id) = text.split_once('-')?;
    let expires_at = Timestamp::from_microsecond(expires_at.parse().ok()?).ok()?;
    Some(HeldCursor { expires_at, id: NotificationId(id.parse().ok()?) })
}

impl From<HeldMessage> for Held {
    fn from(held: HeldMessage) -> Self {
        let HeldMessage { notification, age } = held;
        Self {
            id: notification.id,
            title: notification.draft.shown_title(),
            target_user: match notification.draft.target {
                Target::Dm(user) => Some(user),
                _ => None,
            },
            source_app: notification.draft.source_app,
            age_seconds: age.as_secs(),
            created_at: Rfc3339(notification.created_at),
            expires_at: notification.expires_at.map(Rfc3339),
        }
    }
}
