//! Tokens of the Hub for seeded users, in development only.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use messenger_core::{Error, Result};
use serde::Serialize;

use super::{Auth, HUB_ISSUER, claims::numeric_date, refusal, system_time};

/// The lifetime of such a token, in seconds.
const LIFETIME: i64 = 12 * 3600;

#[derive(Serialize)]
struct HubClaims<'a> {
    iss: &'static str,
    sub: &'a str,
    role: &'a str,
    tenant_id: i64,
    display_name: &'a str,
    iat: f64,
    exp: i64,
}

impl Auth {
    /// Issues a token as the Hub would, for a user of the default tenant. It is an error outside of
    /// development: only there this service signs for the Hub. Its time is that of the system, as in the
    /// verification.
    pub fn development_token(&self, id: &str, name: &str, role: &str) -> Result<String> {
        let secret = self
            .development_secret
            .as_deref()
            .ok_or(Error::Forbidden { code: refusal::SSO_DISABLED, detail: refusal::SSO_IS_OFF.into() })?;
        let now = system_time();
        let claims = HubClaims {
            iss: HUB_ISSUER,
            sub: id,
            role,
            tenant_id: self.default_tenant.0,
            display_name: name,
            iat: numeric_date(now),
            exp: now.as_second() + LIFETIME,
        };
        let key = EncodingKey::from_secret(secret.as_bytes());
        encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(|error| Error::internal("signing a token", error))
    }
}
