//! The inbox of a user: the notifications of which the user is the audience, with their read state.

mod request;
mod response;

use axum::{
    Json,
    extract::{RawQuery, State},
};
use messenger_core::Messenger;
use messenger_runtime::{
    ApiError, Routes,
    caller::Authenticated,
    fields::{Fields, JsonBody, SMALL_BODY_MAX},
    openapi::{Caller, Operation, ResponseObject, code},
};
use tracing::instrument;

use self::{
    request::{page_query, read_body},
    response::{Inbox, Unread},
};

/// Returns the routes of the inbox.
pub(crate) fn routes() -> Routes {
    Routes::new("Notifications", "Notifications of satellites, and the inbox of their readers")
        .declare(
            Operation::get(
                "/api/v1/notifications/inbox",
                page,
                "getInbox",
                "Returns the notifications of the caller, newest first",
            )
            .caller(Caller::User)
            .query(page_query)
            .answer(ResponseObject::json::<Inbox>(200, "A page of the inbox.")),
        )
        .declare(
            Operation::post(
                "/api/v1/notifications/inbox/read",
                read,
                "readInbox",
                "Marks notifications of the caller as read, on all devices",
            )
            .caller(Caller::User)
            .json(read_body)
            .body_limit(SMALL_BODY_MAX)
            .answer(ResponseObject::json::<Unread>(200, "They are read."))
            .refuses(&[code::NOT_FOUND]),
        )
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn page(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<Inbox>, ApiError> {
    let query = page_query(Fields::from_query(query.as_deref()))?;
    Ok(Json(messenger.inbox().page(&caller, &query).await?.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn read(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    body: JsonBody,
) -> Result<Json<Unread>, ApiError> {
    let read = read_body(body.fields)?;
    Ok(Json(Unread { unread_count: messenger.inbox().read(&caller, &read).await? }))
}
