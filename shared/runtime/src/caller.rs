//! Extractors: who is calling, already verified and signed in.

use axum::extract::FromRequestParts;
use http::{HeaderMap, header::AUTHORIZATION, request::Parts};
use messenger_core::{Result, notification::Satellite, user};

use crate::{App, Failed, auth::refused, fields::query_value};

/// The header of service tokens.
const SERVICE_TOKEN: &str = "x-service-token";

/// A user who is signed in by `Authorization: Bearer` (RFC 6750).
pub struct Caller(pub user::Caller);

/// The same, with `?token=` accepted too: an `EventSource` cannot set headers.
pub struct UrlCaller(pub user::Caller);

/// A satellite with a valid `X-Service-Token`.
pub struct FromSatellite(pub Satellite);

impl FromRequestParts<App> for Caller {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let token =
            bearer(&parts.headers).ok_or_else(|| missing("send it as `Authorization: Bearer <JWT>`"))?;
        Ok(Self(sign_in(app, token).await?))
    }
}

impl FromRequestParts<App> for UrlCaller {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let in_url = query_value(parts.uri.query(), "token");
        let token = bearer(&parts.headers).or(in_url.as_deref());
        let token =
            token.ok_or_else(|| missing("send it as `?token=<JWT>` or `Authorization: Bearer <JWT>`"))?;
        Ok(Self(sign_in(app, token).await?))
    }
}

impl FromRequestParts<App> for FromSatellite {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let token = parts.headers.get(SERVICE_TOKEN).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| {
            refused(
                "service_token_missing",
                "the header X-Service-Token is missing: it must be the value of MESSENGER_SERVICE_TOKEN",
            )
        })?;
        // One that is no text is no token of ours either: it is compared, and is wrong.
        Ok(Self(app.auth.satellite(&String::from_utf8_lossy(token.as_bytes()))?))
    }
}

async fn sign_in(app: &App, token: &str) -> Result<user::Caller> {
    let verified = app.auth.user(token)?;
    let user = if verified.by_hub {
        app.hub.sign_in(verified.identity).await?
    } else {
        app.hub.recognise(verified.identity).await?
    };
    Ok(user::Caller { user, expires_at: verified.expires_at })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn missing(how: &'static str) -> messenger_core::Error {
    messenger_core::Error::Unauthenticated {
        code: "token_missing",
        detail: format!("the user's token is missing: {how}").into(),
    }
}
