//! What the homeserver tells us (Matrix specification, "Application Service API").
//!
//! ```text
//! PUT  /_matrix/app/v1/transactions/{txnId}   events of our rooms, who types in them, and who has read them
//! GET  /_matrix/app/v1/users/{userId}         do we know this user? (accounts are made at sign-in, so: no)
//! GET  /_matrix/app/v1/rooms/{alias}          do we know this room? (likewise)
//! POST /_matrix/app/v1/ping                   are we here?
//! ```

mod throttle;
mod transaction;

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequestParts, State},
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
    routing::{get, post, put},
};
use messenger_core::{Error, Messenger};
use messenger_runtime::{ApiError, App, Connection, fields::query_value};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::{throttle::PushThrottle, transaction::Transaction};

/// A transaction has at most 100 events of at most 64 KiB.
const TRANSACTION_MAX: usize = 16 << 20;

/// The routes of this function.
pub fn routes() -> Router<App> {
    Router::new()
        .route(
            "/_matrix/app/v1/transactions/{txn_id}",
            put(transaction).layer(Extension(Arc::new(PushThrottle::new()))),
        )
        .route("/_matrix/app/v1/users/{user_id}", get(unknown))
        .route("/_matrix/app/v1/rooms/{alias}", get(unknown))
        .route("/_matrix/app/v1/ping", post(ping))
        .layer(DefaultBodyLimit::max(TRANSACTION_MAX))
}

/// The homeserver, shown by its `hs_token`: in the header, or by Conduit also in the query.
struct FromHomeserver;

impl FromRequestParts<App> for FromHomeserver {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = bearer(&parts.headers).or_else(|| query_value(parts.uri.query(), "access_token"));
        let token = token.ok_or(Error::Unauthenticated {
            code: "hs_token_missing",
            detail: "the homeserver's token is missing".into(),
        })?;
        if bool::from(token.as_bytes().ct_eq(app.config.hs_token.as_bytes())) {
            Ok(Self)
        } else {
            let detail = "the homeserver's token is wrong: it must be MATRIX_HS_TOKEN".into();
            let refusal = Error::Forbidden { code: "hs_token_wrong", detail };
            Err(app.limits.refused(app.limits.client(parts), refusal).into())
        }
    }
}

/// Takes over the events of a transaction. The transaction id says nothing (Synapse counts anew after a restart):
/// each event counts once by its own id.
async fn transaction(
    State(messenger): State<Messenger>,
    Extension(throttle): Extension<Arc<PushThrottle>>,
    connection: Option<Extension<Connection>>,
    _: FromHomeserver,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let Transaction { events, typing, receipts } = Transaction::parse(&body)?;
    messenger.push().receive(connection.map(|Extension(Connection(number))| number), events).await?;
    messenger.typing().publish(typing).await;
    // After the events, which they name.
    messenger.receipts().ingest_pushed(receipts).await;
    throttle.keep(messenger.echoes().are_awaited()).await;
    Ok(Json(json!({})))
}

async fn unknown(_: FromHomeserver) -> ApiError {
    Error::NotFound("account or room").into()
}

async fn ping(_: FromHomeserver) -> Json<Value> {
    Json(json!({}))
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::to_owned)
}
