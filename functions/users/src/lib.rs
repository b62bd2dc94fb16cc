//! The users of a tenant, and sign-in.
//!
//! ```text
//! GET  /api/v1/users/me                         the caller
//! GET  /api/v1/users?q=&limit=                  the other users of the tenant
//! GET  /api/v1/users/me/external-client         the caller's credentials for another Matrix client
//! POST /api/v1/users/me/external-client/rotate  the same, with a new password
//! POST /auth/hub-login {hub_token}              exchanges a token of the Hub for one of this service
//! ```

mod login;
mod response;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, RawQuery, State},
    routing::{get, post},
};
use messenger_core::{Messenger, user::UserSummary};
use messenger_runtime::{
    ApiError, App,
    caller::Authenticated,
    fields::{Fields, SMALL_BODY_MAX},
};
use tracing::instrument;

use crate::response::{ExternalClient, Listed, Me};

/// Longest search text, in characters.
const QUERY_MAX: usize = 255;

/// The routes of this function.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/users", get(search))
        .route("/api/v1/users/me", get(me))
        .route("/api/v1/users/me/external-client", get(external_client))
        .route("/api/v1/users/me/external-client/rotate", post(rotate))
        .route("/auth/hub-login", post(login::hub_login).layer(DefaultBodyLimit::max(SMALL_BODY_MAX)))
}

async fn me(State(messenger): State<Messenger>, Authenticated(caller): Authenticated) -> Json<Me> {
    let matrix_user_id = messenger.ids().of(&caller.user);
    let identity = caller.user.identity;
    Json(Me {
        hub_user_id: identity.hub_user_id,
        display_name: identity.display_name,
        matrix_user_id,
        role: identity.role,
        external_client_enabled: caller.user.external_client_enabled,
    })
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn search(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Listed>>, ApiError> {
    let mut fields = Fields::from_query(query.as_deref());
    let text = fields.optional_text("q", QUERY_MAX).unwrap_or_default();
    let limit = fields.number("limit", 50, 1, 200);
    fields.finish()?;
    let found = messenger.users().search(&caller, &text, limit).await?;
    let listed = found.into_iter().map(|UserSummary { hub_user_id, display_name, localpart }| Listed {
        matrix_user_id: messenger.ids().of_localpart(&localpart),
        hub_user_id,
        display_name,
    });
    Ok(Json(listed.collect()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn external_client(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
) -> Result<Json<ExternalClient>, ApiError> {
    Ok(Json(messenger.external_clients().credentials(&caller).await?.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn rotate(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
) -> Result<Json<ExternalClient>, ApiError> {
    Ok(Json(messenger.external_clients().rotate(&caller).await?.into()))
}
