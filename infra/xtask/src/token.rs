//! `cargo xtask token`: a Hub token for development.
use std::process::ExitCode;

use anyhow::{Context, Result};
use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use serde::Serialize;

/// The key that signs Hub tokens in development if `HUB_SECRET_KEY` is not set. Production refuses it.
pub(crate) const DEVELOPMENT_KEY: &str = "hub-dev-secret";

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// The user's id in the Hub
    #[arg(long)]
    pub(crate) sub: String,
    /// The display name of the user [default: the id]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The role in the Hub: `super_admin`, admin, manager, user, terminal, viewer
    #[arg(long, default_value = "user")]
    pub(crate) role: String,
    /// The tenant
    #[arg(long, default_value_t = 1)]
    pub(crate) tenant: i64,
    /// The lifetime of the token, in hours
    #[arg(long, default_value_t = 12)]
    pub(crate) hours: u64,
    /// The key of the Hub for signing tokens
    #[arg(long = "key", env = "HUB_SECRET_KEY", hide_env_values = true, default_value = DEVELOPMENT_KEY)]
    pub(crate) key: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    role: &'a str,
    tenant_id: i64,
    display_name: &'a str,
    iat: u64,
    exp: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    println!("{}", sign(arguments)?);
    Ok(ExitCode::SUCCESS)
}

/// Returns the token as text.
pub(crate) fn sign(arguments: &Arguments) -> Result<String> {
    let now = get_current_timestamp();
    let claims = Claims {
        iss: "aesystek-hub",
        sub: &arguments.sub,
        role: &arguments.role,
        tenant_id: arguments.tenant,
        display_name: arguments.name.as_deref().unwrap_or(&arguments.sub),
        iat: now,
        exp: now + arguments.hours * 3600,
    };
    let key = EncodingKey::from_secret(arguments.key.as_bytes());
    encode(&Header::default(), &claims, &key).context("signing the token")
}
