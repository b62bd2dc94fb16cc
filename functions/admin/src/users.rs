//! The users of a tenant.

mod request;
mod response;
mod routes;

use axum::{
    Json,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::header::ETAG;
use messenger_core::{Error, Result, id::HubUserId};
use messenger_runtime::{
    ApiError, App,
    caller::AdministratorCaller,
    fields::{Fields, JsonBody, Path},
    if_match::{IfMatch, etag},
};

pub(crate) use routes::operations;

use crate::page;
use response::User;

async fn list(
    State(app): State<App>,
    AdministratorCaller(by): AdministratorCaller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut query = request::list(Fields::from_query(query.as_deref()))?;
    let limit = usize::try_from(query.limit).unwrap_or_default();
    // One more than a page has: whether there is a next page.
    query.limit += 1;
    let mut users = app.administration()?.users().list(&by, query).await?;
    let has_more = users.len() > limit;
    users.truncate(limit);
    let next = users.last().filter(|_| has_more).map(|last| request::cursor(&last.cursor()));
    let users: Vec<_> = users.into_iter().map(|user| User::of(user, app.messenger.ids())).collect();
    Ok(page::answer(&users, next))
}

async fn find(
    State(app): State<App>,
    AdministratorCaller(by): AdministratorCaller,
    Path(user): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let user = app.administration()?.users().find(&by, &id(&user)?).await?;
    Ok(tagged(User::of(user, app.messenger.ids())))
}

async fn rename(
    State(app): State<App>,
    AdministratorCaller(by): AdministratorCaller,
    Path(user): Path<String>,
    IfMatch(expected): IfMatch,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let name = request::name(body.fields)?;
    let user = app.administration()?.users().rename(&by, &id(&user)?, &expected, name).await?;
    Ok(tagged(User::of(user, app.messenger.ids())))
}

async fn set_external_access(
    State(app): State<App>,
    AdministratorCaller(by): AdministratorCaller,
    Path(user): Path<String>,
    IfMatch(expected): IfMatch,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let enabled = request::enabled(body.fields)?;
    let users = app.administration()?.users();
    let (user, withdrawal) = users.set_external_access(&by, &id(&user)?, &expected, enabled).await?;
    Ok(tagged(User::of(user, app.messenger.ids()).withdrawn(withdrawal)))
}

async fn log_out(
    State(app): State<App>,
    AdministratorCaller(by): AdministratorCaller,
    Path(user): Path<String>,
    IfMatch(expected): IfMatch,
) -> Result<impl IntoResponse, ApiError> {
    let (user, withdrawal) = app.administration()?.users().log_out(&by, &id(&user)?, &expected).await?;
    Ok(tagged(User::of(user, app.messenger.ids()).withdrawn(withdrawal)))
}

/// Returns the answer with a user and their version.
fn tagged(user: User) -> impl IntoResponse {
    ([(ETAG, etag(user.version))], Json(user))
}

/// Parses a user id. A text that cannot be one names no user.
fn id(user: &str) -> Result<HubUserId> {
    HubUserId::parse(user).map_err(|_| Error::NotFound("user"))
}
