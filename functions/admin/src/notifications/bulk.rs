//! Acts on many notifications: the number first, then the act, call by call.

use axum::{Json, extract::State, http::HeaderMap};
use messenger_core::{
    Error, Result,
    admin::{
        Administrator,
        notifications::{
            ActResult, BULK_MAX, BulkRequest, BulkResult, MatchCount, NotificationAct, NotificationFilter,
        },
    },
    id::NotificationId,
    notification::Status,
};
use messenger_runtime::{
    ApiError, App,
    caller::AdministratorCaller,
    fields::{Fields, JsonBody},
    openapi::{Caller, Operation, ResponseObject, code},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::filter;

/// Longest `Idempotency-Key`, in characters.
const KEY_MAX: usize = 255;

/// The number of matching notifications, or the progress of the act.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "BulkAct")]
enum BulkAnswer {
    Count(Count),
    Progress(Progress),
}

/// The number of matching notifications.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BulkCount")]
struct Count {
    matched: i64,
    /// False if there are more: the filter has to be narrowed.
    is_exact: bool,
}

/// The progress of an act on many notifications.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BulkProgress")]
struct Progress {
    /// The number of matching notifications at the beginning.
    total: i64,
    done: i64,
    /// 0 at the end: until then, repeat the call.
    remaining: i64,
    changed: i64,
    skipped: i64,
    /// The results of this call.
    results: Vec<Row>,
}

/// The result for one notification.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BulkResult")]
struct Row {
    id: NotificationId,
    #[schemars(extend("enum" = ["retried", "cancelled", "skipped"]))]
    result: &'static str,
    /// Its status now.
    status: Status,
    /// The code of the refusal, if it was skipped.
    reason: Option<&'static str>,
}

/// The body, parsed.
struct Body {
    filter: NotificationFilter,
    /// The number of the dry run; `None` for a dry run.
    expected: Option<i64>,
}

/// Declares the retry.
pub(crate) fn retry_operation() -> Operation {
    declare(Operation::post(
        "/api/v1/admin/notifications/retry",
        retry,
        "retryNotifications",
        "Delivers matching notifications again that failed, expired or were cancelled",
    ))
}

/// Declares the cancellation.
pub(crate) fn cancel_operation() -> Operation {
    declare(Operation::post(
        "/api/v1/admin/notifications/cancel",
        cancel,
        "cancelNotifications",
        "Ends the delivery of matching pending notifications",
    ))
}

fn declare(operation: Operation) -> Operation {
    let key = json!({ "type": "string", "maxLength": KEY_MAX });
    operation
        .caller(Caller::Administrator)
        .parameter(
            "header",
            "Idempotency-Key",
            key,
            "Required for the act: repeated calls with it are one act.",
        )
        .json(body)
        .answer(ResponseObject::json::<BulkAnswer>(200, "The number, or the progress of the act."))
        .refuses(&[code::NUMBER_CHANGED, code::IDEMPOTENCY_MISMATCH])
}

fn body(mut fields: Fields) -> Result<Body> {
    let filter = fields.required_object("filter", filter::object).unwrap_or_default();
    let expected = fields.whole("expected");
    let is_dry_run = fields.optional_flag("dry_run").unwrap_or_default();
    if !is_dry_run && !expected.is_some_and(|expected| (0..=BULK_MAX).contains(&expected)) {
        let message = format!("must be the `matched` of a call with `dry_run`, from 0 to {BULK_MAX}");
        fields.wrong("expected", &message);
    }
    // A misspelt `dry_run` would begin the act.
    fields.refuse_misspelt();
    fields.finish()?;
    Ok(Body { filter, expected: expected.filter(|_| !is_dry_run) })
}

async fn retry(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Json<BulkAnswer>, ApiError> {
    Ok(Json(answer(&app, &administrator, NotificationAct::Retry, &headers, body).await?))
}

async fn cancel(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Json<BulkAnswer>, ApiError> {
    Ok(Json(answer(&app, &administrator, NotificationAct::Cancel, &headers, body).await?))
}

async fn answer(
    app: &App,
    administrator: &Administrator,
    act: NotificationAct,
    headers: &HeaderMap,
    body: JsonBody,
) -> Result<BulkAnswer> {
    let Body { filter, expected } = self::body(body.fields)?;
    let acts = app.administration()?.bulk_acts();
    let Some(expected) = expected else {
        let MatchCount { matched, is_exact } = acts.count(administrator, &filter).await?;
        return Ok(BulkAnswer::Count(Count { matched, is_exact }));
    };
    let request = BulkRequest { key: key(headers)?, act, filter, expected };
    let BulkResult { progress, results } = acts.run(administrator, &request).await?;
    Ok(BulkAnswer::Progress(Progress {
        total: progress.total,
        done: progress.changed + progress.skipped,
        remaining: progress.remaining(),
        changed: progress.changed,
        skipped: progress.skipped,
        results: results.into_iter().map(|result| row(act, result)).collect(),
    }))
}

fn row(act: NotificationAct, result: ActResult) -> Row {
    let ActResult { id, before, changed } = result;
    match (changed, act) {
        (true, NotificationAct::Retry) => Row { id, result: "retried", status: act.result(), reason: None },
        (true, NotificationAct::Cancel) => {
            Row { id, result: "cancelled", status: act.result(), reason: None }
        }
        (false, _) => Row { id, result: "skipped", status: before, reason: Some(act.refusal()) },
    }
}

/// Returns the key in the headers.
fn key(headers: &HeaderMap) -> Result<String> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::trim);
    match key {
        Some(key) if (1..=KEY_MAX).contains(&key.len()) => Ok(key.to_owned()),
        _ => Err(Error::invalid(
            "/idempotency_key",
            "the header Idempotency-Key is required: at most 255 ASCII characters, new for each act",
        )),
    }
}
