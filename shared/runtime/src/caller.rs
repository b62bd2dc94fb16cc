//! Extractors: who is calling, already verified and signed in.

use std::{convert::Infallible, net::IpAddr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use messenger_core::{
    Result,
    notification::Satellite,
    user::{self, Identity, User},
};

use crate::{ApiError, App, auth::refused, bearer, fields::query_value};

/// The header of service tokens.
const SERVICE_TOKEN: &str = "x-service-token";

/// A user who is signed in by `Authorization: Bearer` (RFC 6750).
pub struct Caller(pub user::Caller);

/// The same, with `?token=` accepted too: an `EventSource` cannot set headers.
pub struct UrlCaller(pub user::Caller);

/// A satellite with a valid `X-Service-Token`.
pub struct ServiceCaller(pub Satellite);

/// A caller whose sending is counted: 429 if they send too much, before anything of the body is read.
pub struct Sending<C>(pub C);

/// The address of the client, as far as it is known.
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token =
            bearer(&parts.headers).ok_or_else(|| missing("send it as `Authorization: Bearer <JWT>`"))?;
        Ok(Self(sign_in(app, parts, token).await?))
    }
}

impl FromRequestParts<App> for UrlCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let in_url = query_value(parts.uri.query(), "token");
        let token = bearer(&parts.headers).or(in_url.as_deref());
        let token =
            token.ok_or_else(|| missing("send it as `?token=<JWT>` or `Authorization: Bearer <JWT>`"))?;
        Ok(Self(sign_in(app, parts, token).await?))
    }
}

impl FromRequestParts<App> for ServiceCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = parts.headers.get(SERVICE_TOKEN).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| {
            refused(
                "service_token_missing",
                "the header X-Service-Token is missing: it must be the value of MESSENGER_SERVICE_TOKEN",
            )
        })?;
        // One that is no text is no token of ours either: it is compared, and is wrong.
        let satellite = app.auth.satellite(&String::from_utf8_lossy(token.as_bytes()));
        Ok(Self(satellite.map_err(|refusal| app.limits.refused(app.limits.client(parts), refusal))?))
    }
}

impl FromRequestParts<App> for Sending<Caller> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        app.limits.send(&caller.0)?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<App> for Sending<ServiceCaller> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let satellite = ServiceCaller::from_request_parts(parts, app).await?;
        app.limits.notification(&satellite.0)?;
        Ok(Self(satellite))
    }
}

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(app.limits.client(parts)))
    }
}

async fn sign_in(app: &App, parts: &Parts, token: &str) -> Result<user::Caller> {
    let verified =
        app.auth.user(token).map_err(|refusal| app.limits.refused(app.limits.client(parts), refusal))?;
    let (expires_at, by_hub) = (verified.expires_at, verified.by_hub);
    let user = app.admit(verified.identity, by_hub).await?;
    Ok(user::Caller { user, expires_at })
}

impl App {
    /// Lets the bearer of a verified token in, unless too many people are new to their tenant.
    pub async fn admit(&self, identity: Identity, by_hub: bool) -> Result<User> {
        let who = (identity.tenant, identity.hub_user_id.clone());
        let sign_in = async {
            if by_hub {
                self.messenger.users().sign_in(identity).await
            } else {
                self.messenger.users().recognise(identity).await
            }
        };
        self.limits.admit(&self.messenger, who, sign_in).await
    }
}

fn missing(how: &'static str) -> messenger_core::Error {
    messenger_core::Error::Unauthenticated {
        code: "token_missing",
        detail: format!("the user's token is missing: {how}").into(),
    }
}
