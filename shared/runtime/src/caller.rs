//! Extractors of the caller, already verified and signed in.

use std::{convert::Infallible, net::IpAddr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use messenger_core::{
    Error, Result,
    admin::Administrator,
    id::TenantId,
    notification::Satellite,
    user::{Caller, User},
};

use crate::{
    ApiError, App,
    auth::{Verified, refused},
    bearer,
    fields::query_value,
    origin,
    request_log::RequestLog,
    session,
    traces::RequestOrigin,
};

/// The header of service tokens.
const SERVICE_TOKEN: &str = "x-service-token";
/// The parameter that names the administered tenant.
pub(crate) const TENANT: &str = "tenant_id";

/// A user who is signed in by `Authorization: Bearer` (RFC 6750).
pub struct Authenticated(pub Caller);

/// A user who is signed in by `Authorization: Bearer`, by `?token=`, or by the session cookie, in this order: an
/// `EventSource` and an `<img>` cannot set headers. The cookie counts for `GET` and `HEAD` of a trusted origin.
pub struct AuthenticatedByUrl(pub Caller);

/// A satellite with a valid `X-Service-Token`.
pub struct ServiceCaller(pub Satellite);

/// An administrator with `Authorization: Bearer`, and the tenant that the request is about: their own one, or
/// that of `?tenant_id=`, which only a super administrator may name.
pub struct AdministratorCaller(pub Administrator);

/// A caller whose sending is counted. Callers who send too much get 429, before the body is read.
pub struct Sending<C>(pub C);

/// The address of the client, as far as it is known.
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<App> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token =
            bearer(&parts.headers).ok_or_else(|| missing("send it as `Authorization: Bearer <JWT>`"))?;
        Ok(Self(sign_in(app, parts, token).await?))
    }
}

impl FromRequestParts<App> for AuthenticatedByUrl {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let in_url = query_value(parts.uri.query(), "token");
        if let Some(token) = bearer(&parts.headers).or(in_url.as_deref()) {
            return Ok(Self(sign_in(app, parts, token).await?));
        }
        let cookie = session::cookie(&app.config, &parts.headers).filter(|_| parts.method.is_safe());
        let value = cookie.ok_or_else(|| {
            missing(
                "send it as `Authorization: Bearer <JWT>` or `?token=<JWT>`, or sign in by `POST /auth/session`",
            )
        })?;
        origin::check(app, parts)?;
        Ok(Self(admit(app, parts, app.auth.session_user(value)).await?))
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
        // A token that is not UTF-8 is compared as well, and is wrong.
        let satellite = app.auth.satellite(&String::from_utf8_lossy(token.as_bytes()));
        let satellite = satellite.map_err(|refusal| app.limits.refused(app.limits.client(parts), refusal))?;
        RequestLog::record_tenant(parts, satellite.tenant);
        Ok(Self(satellite))
    }
}

impl FromRequestParts<App> for AdministratorCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Authenticated(caller) = Authenticated::from_request_parts(parts, app).await?;
        let Ok(RequestOrigin(origin)) = RequestOrigin::from_request_parts(parts, app).await;
        let tenant = query_value(parts.uri.query(), TENANT).map(|text| tenant(&text)).transpose()?;
        let address = app.limits.client(parts);
        let access = app.administration()?.access();
        let administrator = access.authorize(&caller, tenant, address, origin.request_id).await?;
        RequestLog::record_tenant(parts, administrator.tenant);
        Ok(Self(administrator))
    }
}

/// Parses `?tenant_id=`.
fn tenant(text: &str) -> Result<TenantId> {
    let tenant = text.trim().parse().map(TenantId);
    tenant.map_err(|_| Error::invalid("?tenant_id", "must be the number of a tenant"))
}

impl FromRequestParts<App> for Sending<Authenticated> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = Authenticated::from_request_parts(parts, app).await?;
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

/// Verifies a user's token and signs its bearer in.
async fn sign_in(app: &App, parts: &Parts, token: &str) -> Result<Caller> {
    admit(app, parts, app.auth.user(token)).await
}

/// Signs the bearer of a verified token in. Counts refused credentials.
async fn admit(app: &App, parts: &Parts, verified: Result<Verified>) -> Result<Caller> {
    let verified = verified.map_err(|refusal| app.limits.refused(app.limits.client(parts), refusal))?;
    RequestLog::record_tenant(parts, verified.identity.tenant);
    let user = app.admit(&verified).await?;
    Ok(Caller { user, expires_at: verified.expires_at })
}

impl App {
    /// Signs the bearer of a verified token in, unless too many users are new to their tenant. Every token of
    /// a user passes here.
    pub async fn admit(&self, verified: &Verified) -> Result<User> {
        let identity = verified.identity.clone();
        let key = (identity.tenant, identity.hub_user_id.clone());
        let sign_in = async {
            if verified.by_hub {
                self.messenger.users().sign_in(identity).await
            } else {
                self.messenger.users().recognise(identity, verified.issued_at).await
            }
        };
        let user = self.limits.admit(&self.messenger, key, sign_in).await?;
        if let Ok(administration) = self.administration() {
            administration.last_seen().note(user.id());
        }
        Ok(user)
    }
}

fn missing(how: &'static str) -> Error {
    Error::Unauthenticated {
        code: "token_missing",
        detail: format!("the user's token is missing: {how}").into(),
    }
}
