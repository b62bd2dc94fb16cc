//! `POST /notifications/batch`: several notifications with one call. Each has a result of its own.

use std::time::Duration;

use axum::{Json, extract::State, http::HeaderMap};
use messenger_core::{Messenger, Result, notification::SendOptions};
use messenger_runtime::{
    ApiError, App,
    caller::{Sending, ServiceCaller},
    fields::{Fields, JsonBody},
    notifications::Notification,
    openapi::{Caller, Operation, ResponseObject, code},
    problem::PartialProblem,
    traces::RequestOrigin,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    answer,
    request::{SendBody, SendRequest, send_body},
};

/// The most notifications of a call.
const BATCH_MAX: usize = 100;
/// Largest body of a call, in bytes.
const BODY_MAX: usize = 4 << 20;

/// `POST /notifications/batch`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NotificationBatch")]
pub(crate) struct Batch {
    /// One result for each notification, in their order.
    results: Vec<BatchResult>,
}

/// The result of one notification.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "NotificationBatchResult")]
enum BatchResult {
    /// It is stored and will be delivered.
    Stored {
        /// The status of `send`.
        #[schemars(extend("const" = 201))]
        status: u16,
        /// The notification.
        notification: Box<Notification>,
        /// Whether an earlier call with its idempotency key stored it.
        replayed: bool,
    },
    /// It is not stored.
    Refused {
        /// The status of `send`.
        status: u16,
        /// The reason.
        problem: PartialProblem,
    },
}

pub(crate) fn operation() -> Operation {
    let summary = "Stores several notifications, which are delivered in the background";
    Operation::post("/api/v1/notifications/batch", batch, "sendNotifications", summary)
        .caller(Caller::Satellite)
        .json(body)
        .body_limit(BODY_MAX)
        .answer(ResponseObject::json::<Batch>(200, "One result for each notification, in their order."))
        .refuses(&[code::DATABASE_UNAVAILABLE])
}

async fn batch(
    State(app): State<App>,
    State(messenger): State<Messenger>,
    Sending(ServiceCaller(satellite)): Sending<ServiceCaller>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody { fields }: JsonBody,
) -> Result<Json<Batch>, ApiError> {
    let bodies = body(fields)?;
    for _ in 1..bodies.len() {
        app.limits.notification(&satellite)?;
    }
    let mut parsed = Vec::with_capacity(bodies.len());
    let mut requests = Vec::with_capacity(bodies.len());
    for body in bodies {
        let options = SendOptions {
            wait: Duration::ZERO,
            idempotency: None,
            origin: origin.clone(),
            administrator: None,
        };
        parsed.push(body.and_then(|body| body.request(&satellite, options)).map(|request| {
            let SendRequest { draft, alarm, options, warnings } = request;
            let occurred_at = alarm.as_ref().and_then(|alarm| alarm.occurred_at);
            requests.push((draft, alarm, options));
            (occurred_at, warnings)
        }));
    }
    let mut results = messenger.notifications().send_all(&satellite, requests).await.into_iter();
    let results = parsed.into_iter().map(|parsed| {
        let (occurred_at, warnings) = parsed?;
        let missing = || messenger_core::Error::internal("sending notifications", "a result is missing");
        let result = results.next().unwrap_or_else(|| Err(missing()))?;
        let replayed = result.replayed;
        Ok((answer(result, occurred_at, warnings), replayed))
    });
    Ok(Json(Batch { results: results.map(BatchResult::from).collect() }))
}

/// Parses the body.
fn body(mut fields: Fields) -> Result<Vec<Result<SendBody>>> {
    let read = |fields| send_body(fields, &HeaderMap::new());
    let bodies = fields.objects("notifications", "notifications", BATCH_MAX, read);
    fields.refuse_misspelt();
    fields.finish()?;
    Ok(bodies)
}

impl From<Result<(Notification, bool)>> for BatchResult {
    fn from(result: Result<(Notification, bool)>) -> Self {
        match result {
            Ok((notification, replayed)) => {
                Self::Stored { status: 201, notification: Box::new(notification), replayed }
            }
            Err(error) => {
                let problem = PartialProblem::from(error);
                Self::Refused { status: problem.status, problem }
            }
        }
    }
}
