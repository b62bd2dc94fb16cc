//! The endpoints that the homeserver calls (Matrix specification, "Application Service API").
//!
//! ```text
//! PUT  /_matrix/app/v1/transactions/{txnId}   receives events, typing notifications and read receipts
//! GET  /_matrix/app/v1/users/{userId}         always 404: accounts are created at sign-in, not on request
//! GET  /_matrix/app/v1/rooms/{alias}          always 404, likewise
//! POST /_matrix/app/v1/ping                   confirms that the homeserver reaches this service
//! ```

mod throttle;

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use messenger_core::{Error, Messenger};
use messenger_runtime::{
    ApiError, Connection, Routes,
    homeserver::{HomeserverCaller, Pushed},
    openapi::{Caller, Operation, ResponseObject, code},
};
use serde_json::{Value, json};

use crate::throttle::PushThrottle;

/// Most bytes of a transaction, which has at most 100 events of at most 64 KiB.
const TRANSACTION_MAX: usize = 16 << 20;

/// Returns the routes of this function.
pub fn routes() -> Routes {
    let done = || ResponseObject::media(200, &["application/json"], "Done.");
    let query = |path, id, summary| {
        Operation::get(path, not_found, id, summary).caller(Caller::Homeserver).refuses(&[code::NOT_FOUND])
    };
    let events = json!({ "type": "object", "properties": { "events": { "type": "array" } } });
    Routes::new("Homeserver", "The Application Service API of the Matrix specification")
        .declare(
            Operation::put(
                "/_matrix/app/v1/transactions/{txn_id}",
                receive_transaction,
                "receiveTransaction",
                "Receives events, typing notifications and read receipts",
            )
            .route(|route| route.layer(Extension(Arc::new(PushThrottle::new()))))
            .caller(Caller::Homeserver)
            .any_json(events)
            .body_limit(TRANSACTION_MAX)
            .answer(done())
            .refuses(&[code::DATABASE_UNAVAILABLE]),
        )
        .declare(query(
            "/_matrix/app/v1/users/{user_id}",
            "queryUser",
            "Never finds: accounts are made at sign-in",
        ))
        .declare(query(
            "/_matrix/app/v1/rooms/{alias}",
            "queryRoom",
            "Never finds: rooms are made by the service",
        ))
        .declare(
            Operation::post("/_matrix/app/v1/ping", ping, "ping", "Confirms that the service is reached")
                .caller(Caller::Homeserver)
                .body_limit(TRANSACTION_MAX)
                .answer(done()),
        )
}

/// Ingests the events of a transaction. The transaction id is ignored, because Synapse starts to count again
/// after a restart: each event is ingested once by its own id.
async fn receive_transaction(
    State(messenger): State<Messenger>,
    Extension(throttle): Extension<Arc<PushThrottle>>,
    connection: Option<Extension<Connection>>,
    _: HomeserverCaller,
    Pushed(transaction): Pushed,
) -> Result<Json<Value>, ApiError> {
    let connection = connection.map(|Extension(Connection(number))| number);
    messenger.push().receive(connection, transaction.events).await?;
    messenger.typing().publish(transaction.typing).await;
    // Receipts name events, so they are processed after the events.
    messenger.receipts().ingest_pushed(transaction.receipts).await;
    throttle.wait(messenger.echoes().are_awaited()).await;
    Ok(Json(json!({})))
}

async fn not_found(_: HomeserverCaller) -> ApiError {
    Error::NotFound("account or room").into()
}

async fn ping(_: HomeserverCaller) -> Json<Value> {
    Json(json!({}))
}
