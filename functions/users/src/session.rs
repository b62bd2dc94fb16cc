//! `POST /auth/session` and `DELETE /auth/session`: the session cookie of pages of the service's own origin.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::SET_COOKIE},
};
use messenger_core::time::Rfc3339;
use messenger_runtime::{
    ApiError, App, bearer,
    caller::Authenticated,
    openapi::{Caller, Operation, ResponseObject, code},
    origin::TrustedOrigin,
};
use serde_json::json;

use crate::response::Session;

const PATH: &str = "/auth/session";
type SetCookie = [(HeaderName, HeaderValue); 1];

pub(crate) fn begin_operation() -> Operation {
    let summary = "Sets the session cookie, for streams, polls and files";
    let answer = ResponseObject::json::<Session>(200, "The session.");
    Operation::post(PATH, begin, "beginSession", summary)
        .caller(Caller::User)
        .answer(with_cookie(answer, "`HttpOnly; SameSite=Strict`; it ends with the token at the latest."))
        .refuses(&[code::ORIGIN_NOT_ALLOWED])
}

pub(crate) fn end_operation() -> Operation {
    let answer = ResponseObject::empty(204, "The browser has no session cookie any more.");
    Operation::delete(PATH, end, "endSession", "Deletes the session cookie")
        .answer(with_cookie(answer, "The cookie without a value, with `Max-Age=0`."))
        .refuses(&[code::ORIGIN_NOT_ALLOWED])
}

fn with_cookie(answer: ResponseObject, description: &'static str) -> ResponseObject {
    answer.header("Set-Cookie", json!({ "type": "string" }), description)
}

async fn begin(
    State(app): State<App>,
    _: TrustedOrigin,
    Authenticated(caller): Authenticated,
    headers: HeaderMap,
) -> Result<(SetCookie, Json<Session>), ApiError> {
    let shown = app.auth.user(bearer(&headers).unwrap_or_default())?;
    let session = app.begin_session(&shown, &caller.user)?;
    Ok(([(SET_COOKIE, session.cookie)], Json(Session { expires_at: Rfc3339(session.expires_at) })))
}

async fn end(State(app): State<App>, _: TrustedOrigin) -> Result<(StatusCode, SetCookie), ApiError> {
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, app.end_session()?)]))
}
