//! `GET /auth/development` and `POST /auth/development`: the seeded users, and a token of the Hub for one of them.
//! Both exist only with `ENVIRONMENT=development`, where every secret may be a published one anyway.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequestParts, State},
    http::request::Parts,
};
use messenger_core::{Error, Result};
use messenger_runtime::{
    ApiError, App,
    fields::{Fields, SMALL_BODY_MAX},
    openapi::{
        Operation, ResponseObject,
        code::{NOT_FOUND, SSO_DISABLED},
    },
};
use schemars::JsonSchema;
use serde::Serialize;

const PATH: &str = "/auth/development";
const USERS: [SeededUser; 7] = [
    SeededUser { hub_user_id: "mueller", display_name: "Max Müller", role: "user" },
    SeededUser { hub_user_id: "schmidt", display_name: "Anna Schmidt", role: "user" },
    SeededUser { hub_user_id: "yilmaz", display_name: "Deniz Yılmaz", role: "user" },
    SeededUser { hub_user_id: "weber", display_name: "Bernd Weber", role: "manager" },
    SeededUser { hub_user_id: "chef", display_name: "Clara Chef", role: "admin" },
    SeededUser { hub_user_id: "zentrale", display_name: "Zoe Zentrale", role: "super_admin" },
    SeededUser { hub_user_id: "besuch", display_name: "Vera Besuch", role: "viewer" },
];

/// A user of the seed, with the role in the Hub.
#[derive(Serialize, JsonSchema)]
struct SeededUser {
    hub_user_id: &'static str,
    display_name: &'static str,
    role: &'static str,
}

/// The seeded users of a service in development.
#[derive(Serialize, JsonSchema)]
struct SeededUsers {
    users: &'static [SeededUser],
}

/// A token of the Hub for a seeded user.
#[derive(Serialize, JsonSchema)]
struct SeededToken {
    hub_token: String,
}

/// The refusal outside of development.
const NOWHERE: Error = Error::NotFound("path");

/// The proof that this is a service in development. In any other service the path does not exist.
struct InDevelopment;

impl FromRequestParts<App> for InDevelopment {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if app.config.web.has_seeded_users { Ok(Self) } else { Err(NOWHERE.into()) }
    }
}

pub(crate) fn list_operation() -> Operation {
    Operation::get(PATH, list, "getSeededUsers", "Lists the seeded users, in development only")
        .answer(ResponseObject::json::<SeededUsers>(200, "The seeded users."))
        .refuses(&[NOT_FOUND])
}

pub(crate) fn token_operation() -> Operation {
    Operation::post(PATH, token, "getSeededToken", "Issues a token for a seeded user, in development only")
        .json(user)
        .body_limit(SMALL_BODY_MAX)
        .answer(ResponseObject::json::<SeededToken>(200, "A token of the Hub."))
        .refuses(&[NOT_FOUND, SSO_DISABLED])
}

async fn list(_: InDevelopment) -> Json<SeededUsers> {
    Json(SeededUsers { users: &USERS })
}

async fn token(State(app): State<App>, _: InDevelopment, body: Bytes) -> Result<Json<SeededToken>, ApiError> {
    let id = user(Fields::from_json(&body)?)?;
    let user = USERS.iter().find(|user| user.hub_user_id == id).ok_or(Error::NotFound("seeded user"))?;
    let hub_token = app.auth.development_token(user.hub_user_id, user.display_name, user.role)?;
    Ok(Json(SeededToken { hub_token }))
}

/// Parses the body: the id of a seeded user.
fn user(mut fields: Fields) -> Result<String> {
    let id = fields.required_text("hub_user_id", 255);
    fields.finish()?;
    Ok(id)
}
