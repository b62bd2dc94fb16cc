//! Tokens: who their bearer is. Users bring a JWT (RFC 7519) of the Hub or of ours, services the shared token.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind,
};
use messenger_core::{
    Error, Result,
    error::{Failure, System},
    id::{HubUserId, TenantId},
    notification::Satellite,
    user::{Identity, Role},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Config;

/// `iss` of the Hub's tokens.
pub const HUB_ISSUER: &str = "aesystek-hub";
/// `iss` of ours.
pub const LOCAL_ISSUER: &str = "messenger-service";
/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 30;
/// How long a token of ours is good for.
const LOCAL_TOKEN: Duration = Duration::from_hours(12);
/// Longest display name, in characters; a longer one is cut.
const DISPLAY_NAME_MAX: usize = 255;

/// Verifies tokens.
pub struct Auth {
    hub: Option<(DecodingKey, Validation)>,
    local: (DecodingKey, Validation),
    local_key: EncodingKey,
    service_token: [u8; 32],
    default_tenant: TenantId,
}

/// A verified bearer, and when the token ends.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Who.
    pub identity: Identity,
    /// `exp`, with the leeway.
    pub expires_at: Timestamp,
    /// Whether the Hub itself says so, and not a token of ours.
    pub by_hub: bool,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: serde_json::Number,
    role: Option<String>,
    tenant_id: Option<Tenant>,
    display_name: Option<String>,
}

/// What a token of ours says.
#[derive(Serialize)]
struct LocalClaims<'a> {
    iss: &'static str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    role: &'static str,
    tenant_id: i64,
    display_name: &'a str,
}

/// A number, or a number in quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tenant {
    Number(i64),
    Text(String),
}

impl Auth {
    /// Prepares the keys.
    pub fn new(config: &Config) -> Self {
        Self {
            hub: config.hub_secret_key.as_deref().map(|secret| issuer(secret, HUB_ISSUER)),
            local: issuer(&config.secret_key, LOCAL_ISSUER),
            local_key: EncodingKey::from_secret(config.secret_key.as_bytes()),
            service_token: Sha256::digest(config.service_token.as_bytes()).into(),
            default_tenant: config.settings.default_tenant,
        }
    }

    /// Verifies a user's token, the Hub's or ours.
    pub fn user(&self, token: &str) -> Result<Verified> {
        self.verify(token, self.hub.iter().chain([&self.local]))
    }

    /// Verifies a user's token of the Hub.
    pub fn hub_user(&self, token: &str) -> Result<Verified> {
        if self.hub.is_none() {
            return Err(Error::Forbidden {
                code: "sso_disabled",
                detail: "single sign-on is off: the service has no HUB_SECRET_KEY".into(),
            });
        }
        self.verify(token, self.hub.iter())
    }

    /// A token of ours for a user.
    pub fn local_token(&self, identity: &Identity, now: Timestamp) -> Result<String> {
        let iat = now.as_second();
        let claims = LocalClaims {
            iss: LOCAL_ISSUER,
            sub: identity.hub_user_id.as_str(),
            iat,
            exp: iat.saturating_add_unsigned(LOCAL_TOKEN.as_secs()),
            role: identity.role.as_str(),
            tenant_id: identity.tenant.0,
            display_name: &identity.display_name,
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.local_key)
            .map_err(|error| Error::fault(System::Database, Failure::Broken, "signing a token", error))
    }

    fn verify<'a>(
        &self,
        token: &str,
        issuers: impl Iterator<Item = &'a (DecodingKey, Validation)>,
    ) -> Result<Verified> {
        let mut expired = false;
        for (key, validation) in issuers {
            match decode::<Claims>(token, key, validation) {
                Ok(token) => return self.verified(token.claims),
                Err(error) => expired |= matches!(error.kind(), ErrorKind::ExpiredSignature),
            }
        }
        Err(if expired {
            refused("token_expired", "the token has expired: sign in again")
        } else {
            refused(
                "token_invalid",
                "the token is not valid: a JWT (HS256) of the Hub with `iss`, `sub` and `exp` is needed",
            )
        })
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

    fn verified(&self, claims: Claims) -> Result<Verified> {
        let hub_user_id = HubUserId::parse(&claims.sub)
            .map_err(|problem| refused_because(format!("the token's `sub` {problem}")))?;
        let tenant =
            match claims.tenant_id {
                None => self.default_tenant,
                Some(Tenant::Number(number)) => TenantId(number),
                Some(Tenant::Text(text)) => TenantId(text.parse().map_err(|_| {
                    refused_because("the token's `tenant_id` must be a whole number".to_owned())
                })?),
            };
        let expires_at = expiry(&claims.exp);
        let display_name: String = claims
            .display_name
            .iter()
            .flat_map(|name| name.trim().chars())
            .filter(|c| !c.is_control())
            .take(DISPLAY_NAME_MAX)
            .collect();
        let display_name =
            if display_name.is_empty() { hub_user_id.as_str().to_owned() } else { display_name };
        let role = Role::from_hub(claims.role.as_deref().unwrap_or_default());
        let identity = Identity { hub_user_id, tenant, display_name, role };
        Ok(Verified { identity, expires_at, by_hub: claims.iss == HUB_ISSUER })
    }
}

/// When a token ends. `exp` may have a fraction (RFC 7519, `NumericDate`); one beyond the calendar never comes.
fn expiry(exp: &serde_json::Number) -> Timestamp {
    let seconds = exp.as_i64().or_else(|| {
        let whole = Duration::try_from_secs_f64(exp.as_f64()?).ok()?.as_secs();
        i64::try_from(whole).ok()
    });
    seconds
        .and_then(|seconds| Timestamp::from_second(seconds.saturating_add(LEEWAY.cast_signed())).ok())
        .unwrap_or(Timestamp::MAX)
}

fn issuer(secret: &str, issuer: &str) -> (DecodingKey, Validation) {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[issuer]);
    validation.set_required_spec_claims(&["exp", "iss", "sub"]);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.validate_aud = false;
    (DecodingKey::from_secret(secret.as_bytes()), validation)
}

pub(crate) fn refused(code: &'static str, detail: &'static str) -> Error {
    Error::Unauthenticated { code, detail: detail.into() }
}

fn refused_because(detail: String) -> Error {
    Error::Unauthenticated { code: "token_invalid", detail: detail.into() }
}
