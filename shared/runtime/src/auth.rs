//! Verification of tokens. Users send a JWT (RFC 7519) of the Hub or of this service, satellites the service
//! token.

mod claims;
mod development;
mod refusal;

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use messenger_core::{Error, Result, id::TenantId, notification::Satellite, user::Identity};
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Config;
use claims::Claims;

/// `iss` of the Hub's tokens.
pub const HUB_ISSUER: &str = "aesystek-hub";
/// `iss` of this service's tokens.
pub const LOCAL_ISSUER: &str = "messenger-service";
/// `aud` of the values of session cookies. No bearer token of this service has an audience.
pub(crate) const SESSION_AUDIENCE: &str = "session-cookie";
/// The tolerated difference of clocks, in seconds.
const LEEWAY: u64 = 30;

/// The keys that verify and sign tokens.
pub struct Auth {
    hub: Option<Issuer>,
    local: Issuer,
    session: Issuer,
    local_key: EncodingKey,
    local_token: Duration,
    outlives_hub: bool,
    service_token: [u8; 32],
    default_tenant: TenantId,
    /// `HUB_SECRET_KEY`; `None` without it, and outside of development.
    development_secret: Option<String>,
}

/// An issuer of tokens, with its key and rules.
struct Issuer {
    name: &'static str,
    key: DecodingKey,
    validation: Validation,
}

/// A verified bearer, and when the token ends.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The identity in the token.
    pub identity: Identity,
    /// `iat` of the token itself, with which a logout is compared; `None` if it has none.
    pub issued_at: Option<Timestamp>,
    /// `exp`.
    pub exp: Timestamp,
    /// `exp` plus the tolerated difference of clocks.
    pub expires_at: Timestamp,
    /// Whether the Hub issued the token, and not this service.
    pub by_hub: bool,
}

/// The value of a session cookie.
#[derive(Debug, Clone)]
pub struct SessionToken {
    /// The value.
    pub value: String,
    /// The time until it expires, in whole seconds; at least one.
    pub lifetime: Duration,
    /// `exp`.
    pub exp: Timestamp,
}

/// The claims of a token of this service.
#[derive(Serialize)]
struct LocalClaims<'a> {
    iss: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'static str>,
    sub: &'a str,
    /// With its fraction of a second: a token that is issued right after a logout is valid.
    iat: f64,
    exp: i64,
    /// `iat` of the newest token of the Hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    hub_iat: Option<f64>,
    role: &'static str,
    tenant_id: i64,
    display_name: &'a str,
}

impl Auth {
    /// Derives the keys from the configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            hub: config.hub_secret_key.as_deref().map(|secret| Issuer::new(HUB_ISSUER, secret)),
            local: Issuer::local(&config.secret_key),
            session: Issuer::session(&config.secret_key),
            local_key: EncodingKey::from_secret(config.secret_key.as_bytes()),
            local_token: config.local_token,
            outlives_hub: config.local_token_outlives_hub,
            service_token: Sha256::digest(config.service_token.as_bytes()).into(),
            default_tenant: config.settings.default_tenant,
            development_secret: config.hub_secret_key.clone().filter(|_| config.web.has_seeded_users),
        }
    }

    /// Verifies a user's token, of the Hub or of this service.
    pub fn user(&self, token: &str) -> Result<Verified> {
        self.verify(token, self.hub.iter().chain([&self.local]))
    }

    /// Verifies a user's token of the Hub.
    pub fn hub_user(&self, token: &str) -> Result<Verified> {
        if self.hub.is_none() {
            return Err(Error::Forbidden { code: refusal::SSO_DISABLED, detail: refusal::SSO_IS_OFF.into() });
        }
        self.verify(token, self.hub.iter())
    }

    /// Issues a token of this service for the bearer of a token of the Hub. It expires with the Hub's, unless
    /// the configuration lets it live longer.
    pub fn local_token(&self, hub_token: &Verified, identity: &Identity, now: Timestamp) -> Result<String> {
        let own = now.as_second().saturating_add_unsigned(self.local_token.as_secs());
        let exp = if self.outlives_hub { own } else { own.min(hub_token.exp.as_second()) };
        self.sign(identity, None, now, exp)
    }

    /// Issues the value of a session cookie for the bearer of a token. It expires with that token, and after
    /// the longest lifetime of a token of this service at the latest. One that is made from a token of this
    /// service keeps its time of issue, so that a logout ends both. Its time is that of the system, as in the
    /// verification.
    pub fn session_token(&self, shown: &Verified, identity: &Identity) -> Result<SessionToken> {
        let now = system_time();
        let longest = now.as_second().saturating_add_unsigned(self.local_token.as_secs());
        let exp = shown.expires_at.as_second().saturating_sub_unsigned(LEEWAY).min(longest);
        let issued_at = shown.issued_at.filter(|_| !shown.by_hub).unwrap_or(now);
        let value = self.sign(identity, Some(SESSION_AUDIENCE), issued_at, exp)?;
        // A token may be accepted by the tolerance of clocks alone.
        let lifetime = Duration::from_secs(exp.saturating_sub(now.as_second()).max(1).unsigned_abs());
        Ok(SessionToken { value, lifetime, exp: Timestamp::from_second(exp).unwrap_or(Timestamp::MAX) })
    }

    /// Verifies the value of a session cookie.
    pub fn session_user(&self, value: &str) -> Result<Verified> {
        match self.session.decode(value) {
            Ok(claims) => claims.verified(self.default_tenant),
            Err(error) => Err(refusal::explain_session(&error)),
        }
    }

    fn sign(
        &self,
        identity: &Identity,
        aud: Option<&'static str>,
        now: Timestamp,
        exp: i64,
    ) -> Result<String> {
        let claims = LocalClaims {
            iss: LOCAL_ISSUER,
            aud,
            sub: identity.hub_user_id.as_str(),
            iat: claims::numeric_date(now),
            exp,
            hub_iat: identity.issued_at.map(claims::numeric_date),
            role: identity.role.as_str(),
            tenant_id: identity.tenant.0,
            display_name: &identity.display_name,
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.local_key)
            .map_err(|error| Error::internal("signing a token", error))
    }

    fn verify<'a>(&self, token: &str, issuers: impl Iterator<Item = &'a Issuer> + Clone) -> Result<Verified> {
        for issuer in issuers.clone() {
            if let Ok(token) = issuer.decode(token) {
                return token.verified(self.default_tenant);
            }
        }
        Err(refusal::explain(token, issuers, self.hub.is_some()))
    }

    /// Verifies a service token.
    pub fn satellite(&self, token: &str) -> Result<Satellite> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if bool::from(digest.ct_eq(&self.service_token)) {
            Ok(Satellite { token: "legacy".to_owned(), tenant: self.default_tenant })
        } else {
            Err(Error::Forbidden {
                code: "service_token_wrong",
                detail: "the service token is wrong: it must be the value of MESSENGER_SERVICE_TOKEN".into(),
            })
        }
    }
}

impl Issuer {
    fn new(name: &'static str, secret: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[name]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.validate_aud = false;
        Self { name, key: DecodingKey::from_secret(secret.as_bytes()), validation }
    }

    /// Returns the issuer of bearer tokens of this service. Refuses every token with an audience.
    fn local(secret: &str) -> Self {
        let mut issuer = Self::new(LOCAL_ISSUER, secret);
        issuer.validation.validate_aud = true;
        issuer
    }

    /// Returns the issuer of session cookies.
    fn session(secret: &str) -> Self {
        let mut issuer = Self::local(secret);
        issuer.validation.set_audience(&[SESSION_AUDIENCE]);
        issuer.validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
        issuer
    }

    fn decode(&self, token: &str) -> jsonwebtoken::errors::Result<Claims> {
        decode(token, &self.key, &self.validation).map(|token| token.claims)
    }
}

/// Returns the time by which tokens are verified.
#[expect(clippy::disallowed_methods, reason = "tokens are checked against the system's clock")]
fn system_time() -> Timestamp {
    Timestamp::now()
}

pub(crate) fn refused(code: &'static str, detail: &'static str) -> Error {
    Error::Unauthenticated { code, detail: detail.into() }
}
