//! The users of a tenant, and sign-in.
//!
//! ```text
//! GET  /api/v1/users/me                         the caller
//! GET  /api/v1/users?q=&limit=                  the other users of the tenant
//! GET  /api/v1/users/me/external-client         the caller's credentials for another Matrix client
//! POST /api/v1/users/me/external-client/rotate  the same, with a new password
//! POST   /auth/hub-login {hub_token}            exchanges a token, or a `hub_code`, for a token of this service
//! POST   /auth/session                          sets the session cookie
//! DELETE /auth/session                          deletes it
//! GET  /auth/development                        the seeded users, in development only
//! POST /auth/development {hub_user_id}          a token of the Hub for one of them
//! ```

mod development;
mod login;
mod response;
mod session;

use axum::{
    Json,
    extract::{RawQuery, State},
};
use messenger_core::{Messenger, Result, user::UserSummary};
use messenger_runtime::{
    ApiError, Routes,
    caller::Authenticated,
    fields::{Fields, SMALL_BODY_MAX},
    openapi::{
        Caller, Operation, ResponseObject,
        code::{self, HOMESERVER},
    },
};
use serde_json::json;
use tracing::instrument;

use crate::response::{ExternalClient, Listed, Login, Me};

/// Longest search text, in characters.
const QUERY_MAX: usize = 255;

/// Returns the routes of this function.
pub fn routes() -> Routes {
    const EXTERNAL: &str = "/api/v1/users/me/external-client";
    const ROTATE: &str = "/api/v1/users/me/external-client/rotate";
    Routes::new("Users", "The users of a tenant, and sign-in")
        .declare(
            Operation::get("/api/v1/users", search, "searchUsers", "Finds other users of the tenant")
                .caller(Caller::User)
                .query(query)
                .answer(ResponseObject::json::<Vec<Listed>>(200, "The users.")),
        )
        .declare(
            Operation::get("/api/v1/users/me", me, "getMe", "Returns the caller")
                .caller(Caller::User)
                .answer(ResponseObject::json::<Me>(200, "The caller.")),
        )
        .declare(external(Operation::get(
            EXTERNAL,
            external_client,
            "getExternalClient",
            "Returns the caller's credentials for another Matrix client",
        )))
        .declare(external(Operation::post(
            ROTATE,
            rotate,
            "rotatePassword",
            "Sets another password and returns it",
        )))
        .declare(login_operation())
        .declare(session::begin_operation())
        .declare(session::end_operation())
        .declare(development::list_operation())
        .declare(development::token_operation())
}

fn external(operation: Operation) -> Operation {
    operation
        .caller(Caller::User)
        .answer(ResponseObject::json::<ExternalClient>(200, "The values to enter."))
        .refuses(&[
            code::EXTERNAL_ACCESS_DISABLED,
            code::ACCOUNT_DEACTIVATED,
            code::ACCOUNT_SUSPENDED,
            code::MATRIX_ACCOUNT_TAKEN,
        ])
        .refuses(HOMESERVER)
}

fn login_operation() -> Operation {
    let summary = "Exchanges a token or a code of the Hub for a token of this service";
    Operation::post("/auth/hub-login", login::hub_login, "logIn", summary)
        .parameter("query", "hub_token", json!({ "type": "string" }), "The Hub token, in place of the body.")
        .optional_json(login::body)
        .body_limit(SMALL_BODY_MAX)
        .answer(ResponseObject::json::<Login>(200, "A token of this service."))
        .refuses(&[
            code::TOKEN_MISSING,
            code::TOKEN_INVALID,
            code::TOKEN_EXPIRED,
            code::TOKEN_NOT_YET_VALID,
            code::TOKEN_SUPERSEDED,
            code::SSO_DISABLED,
            code::HUB_CODE_INVALID,
            code::HUB_CODES_OFF,
            code::HUB_ERROR,
            code::HUB_UNAVAILABLE,
            code::RATE_LIMITED,
            code::DATABASE_UNAVAILABLE,
        ])
}

/// Parses the query of `GET /users`: the text and the most users.
fn query(mut fields: Fields) -> Result<(String, i64)> {
    let text = fields.optional_text("q", QUERY_MAX).unwrap_or_default();
    let limit = fields.number("limit", 50, 1, 200);
    fields.finish()?;
    Ok((text, limit))
}

async fn me(State(messenger): State<Messenger>, Authenticated(caller): Authenticated) -> Json<Me> {
    let matrix_user_id = messenger.ids().of(&caller.user);
    let identity = caller.user.identity;
    Json(Me {
        hub_user_id: identity.hub_user_id,
        display_name: caller.user.display_name,
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
    let (text, limit) = self::query(Fields::from_query(query.as_deref()))?;
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
