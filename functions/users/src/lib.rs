//! Who is who in a tenant.
//!
//! ```text
//! GET /api/v1/users/me        the caller
//! GET /api/v1/users?q=&limit= the others of their tenant
//! ```

use axum::{
    Json, Router,
    extract::{RawQuery, State},
    routing::get,
};
use messenger_core::{
    Hub,
    id::{HubUserId, MatrixUserId},
    user::{Role, UserSummary},
};
use messenger_runtime::{App, Failed, caller::Caller, fields::Fields};
use serde::Serialize;

/// Longest search text, in characters.
const QUERY_MAX: usize = 255;

/// The routes of this function.
pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/users", get(search)).route("/api/v1/users/me", get(me))
}

#[derive(Serialize)]
struct Me {
    hub_user_id: HubUserId,
    display_name: String,
    matrix_user_id: MatrixUserId,
    role: Role,
    external_client_enabled: bool,
}

async fn me(State(hub): State<Hub>, Caller(caller): Caller) -> Json<Me> {
    let matrix_user_id = hub.matrix_id(&caller.user);
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
    State(hub): State<Hub>,
    Caller(caller): Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<UserSummary>>, Failed> {
    let mut fields = Fields::from_query(query.as_deref());
    let text = fields.optional_text("q", QUERY_MAX).unwrap_or_default();
    let limit = fields.number("limit", 50, 1, 200);
    fields.finish()?;
    Ok(Json(hub.find_users(&caller, &text, limit).await?))
}
