//! Hub tokens of many users, signed here.
use anyhow::{Context, Result};
use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use serde::Serialize;

/// How long they are valid, in seconds.
const VALID: u64 = 24 * 3600;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    role: &'a str,
    tenant_id: i64,
    display_name: &'a str,
    exp: u64,
}

/// The token of a user.
pub(crate) fn sign(key: &str, user: &str, tenant: i64) -> Result<String> {
    let claims = Claims {
        iss: "aesystek-hub",
        sub: user,
        role: "user",
        tenant_id: tenant,
        display_name: user,
        exp: get_current_timestamp() + VALID,
    };
    encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes())).context("signing a token")
}

/// The tokens of users `prefix-0`, `prefix-1` … of a tenant.
pub(crate) fn many(key: &str, prefix: &str, users: usize, tenant: i64) -> Result<Vec<String>> {
    (0..users).map(|user| sign(key, &format!("{prefix}-{user}"), tenant)).collect()
}
