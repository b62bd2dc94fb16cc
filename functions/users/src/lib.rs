//! Who is who in a tenant.
//!
//! ```text
//! GET  /api/v1/users/me                         the caller
//! GET  /api/v1/users?q=&limit=                  the others of their tenant
//! GET  /api/v1/users/me/external-client         how they sign in with another Matrix client, if they may
//! POST /api/v1/users/me/external-client/rotate  the same with another password
//! POST /auth/hub-login {hub_token}              a token of the Hub becomes one of ours
//! ```

mod login;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, RawQuery, State},
    routing::{get, post},
};
use messenger_core::{
    Messenger,
    external::ExternalClient,
    id::{HubUserId, MatrixUserId},
    user::{Role, UserSummary},
};
use messenger_runtime::{
    ApiError, App,
    caller::Caller,
    fields::{Fields, SMALL_BODY_MAX},
};
use serde::Serialize;

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

#[derive(Serialize)]
struct Me {
    hub_user_id: HubUserId,
    display_name: String,
    matrix_user_id: MatrixUserId,
    role: Role,
    external_client_enabled: bool,
}

/// One line of the list from which people pick somebody to write to.
#[derive(Serialize)]
struct Listed {
    hub_user_id: HubUserId,
    display_name: String,
    matrix_user_id: MatrixUserId,
}

async fn me(State(messenger): State<Messenger>, Caller(caller): Caller) -> Json<Me> {
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

async fn search(
    State(messenger): State<Messenger>,
    Caller(caller): Caller,
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

async fn external_client(
    State(messenger): State<Messenger>,
    Caller(caller): Caller,
) -> Result<Json<ExternalClient>, ApiError> {
    Ok(Json(messenger.external_clients().credentials(&caller).await?))
}

async fn rotate(
    State(messenger): State<Messenger>,
    Caller(caller): Caller,
) -> Result<Json<ExternalClient>, ApiError> {
    Ok(Json(messenger.external_clients().rotate(&caller).await?))
}
