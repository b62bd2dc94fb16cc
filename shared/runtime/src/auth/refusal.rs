//! The reason for which a token is refused, in words that its bearer or an operator can act on.
//!
//! Claims are checked only after the signature, so that an attacker learns nothing from claims about the key.

use std::{collections::BTreeMap, fmt::Display};

use jsonwebtoken::{Algorithm, dangerous::insecure_decode_claims, decode_header, errors::ErrorKind};
use messenger_core::{Error, json};
use serde_json::value::RawValue;

use super::{HUB_ISSUER, Issuer, LOCAL_ISSUER, refused};

/// The code of a refusal because the configuration accepts no tokens of the Hub.
pub(super) const SSO_DISABLED: &str = "sso_disabled";
pub(super) const SSO_IS_OFF: &str = "single sign-on is off: the service has no HUB_SECRET_KEY";

/// Returns the reason for which none of these issuers accepts the token.
pub(super) fn explain<'a>(
    token: &str,
    mut issuers: impl Iterator<Item = &'a Issuer>,
    is_sso_on: bool,
) -> Error {
    let Ok(claims) = insecure_decode_claims::<BTreeMap<String, Box<RawValue>>>(token) else {
        return invalid("the token is not a JWT: three parts in Base64url with dots between them are needed");
    };
    if decode_header(token).map(|header| header.alg).ok() != Some(Algorithm::HS256) {
        return invalid("the token's algorithm (`alg` of its header) is not HS256");
    }
    match claims.get("iss").and_then(|issuer| json::text(issuer)).as_deref() {
        None => invalid(format!("the token has no `iss`: a token of the Hub has `{HUB_ISSUER}`")),
        Some(HUB_ISSUER) if !is_sso_on => refused(SSO_DISABLED, SSO_IS_OFF),
        Some(name) => match issuers.find(|issuer| issuer.name == name) {
            Some(issuer) => explain_error(issuer, token),
            None if name == LOCAL_ISSUER => {
                invalid("the token is one of this service: a token of the Hub is needed here")
            }
            None => {
                invalid(format!("the token's `iss` is not `{HUB_ISSUER}`: it was issued by somebody else"))
            }
        },
    }
}

fn explain_error(issuer: &Issuer, token: &str) -> Error {
    let error = issuer.decode(token).err();
    match error.as_ref().map(jsonwebtoken::errors::Error::kind) {
        Some(ErrorKind::ExpiredSignature) => refused("token_expired", "the token has expired: sign in again"),
        Some(ErrorKind::ImmatureSignature) => refused(
            "token_not_yet_valid",
            "the token's `nbf` is in the future: try later, and compare the clocks of the Hub and of this service",
        ),
        Some(ErrorKind::InvalidSignature) => invalid(
            "the token's signature is wrong: it was signed with another key than that of its issuer, or was changed",
        ),
        Some(ErrorKind::InvalidAudience) => {
            invalid("the token has an `aud`: the value of a session cookie is no bearer token")
        }
        Some(ErrorKind::MissingRequiredClaim(claim)) if claim == "sub" => {
            invalid("the token has no `sub`, or one that is not text")
        }
        Some(ErrorKind::MissingRequiredClaim(claim)) => invalid(format!(
            "the token has no `{claim}`, or one that is not a number: seconds since 1970 (RFC 7519)"
        )),
        Some(ErrorKind::InvalidClaimFormat(claim)) => {
            invalid(format!("the token's `{claim}` must be a number: seconds since 1970 (RFC 7519)"))
        }
        _ => invalid("the token cannot be read"),
    }
}

/// Returns the reason for which the value of a session cookie is refused.
pub(super) fn explain_session(error: &jsonwebtoken::errors::Error) -> Error {
    match error.kind() {
        ErrorKind::ExpiredSignature => refused(
            "token_expired",
            "the session has expired: send a token as `Authorization: Bearer` to `POST /auth/session`",
        ),
        _ => invalid(
            "the session cookie has a value that `POST /auth/session` did not set: call it again with a token as \
             `Authorization: Bearer`",
        ),
    }
}

pub(super) fn invalid(detail: impl Display) -> Error {
    Error::Unauthenticated { code: "token_invalid", detail: detail.to_string().into() }
}
