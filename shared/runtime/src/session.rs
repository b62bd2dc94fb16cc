//! The session cookie (RFC 6265bis): it signs a user in for what a browser requests without headers of the
//! page, so that no token stands in a URL.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::COOKIE};
use jiff::Timestamp;
use messenger_core::{Error, Result, user::User};

use crate::{App, Config, auth::Verified};

/// The name of the cookie with TLS. With this prefix, a browser takes it only from a secure answer of this
/// host, for all paths (RFC 6265bis, section 4.1.3.2).
pub(crate) const SECURE_NAME: &str = "__Host-messenger_session";
/// The name of the cookie without TLS.
const PLAIN_NAME: &str = "messenger_session";

/// A session that was begun.
pub struct Session {
    /// The value of `Set-Cookie`.
    pub cookie: HeaderValue,
    /// The time at which the session ends.
    pub expires_at: Timestamp,
}

impl App {
    /// Begins a session of the bearer of a token, which ends with that token at the latest.
    pub fn begin_session(&self, shown: &Verified, user: &User) -> Result<Session> {
        let token = self.auth.session_token(shown, &user.identity)?;
        let cookie = set_cookie(&self.config, &token.value, token.lifetime)?;
        Ok(Session { cookie, expires_at: token.exp })
    }

    /// Returns the value of `Set-Cookie` that makes a browser delete the session cookie.
    pub fn end_session(&self) -> Result<HeaderValue> {
        set_cookie(&self.config, "", Duration::ZERO)
    }
}

fn name(config: &Config) -> &'static str {
    if config.is_behind_tls() { SECURE_NAME } else { PLAIN_NAME }
}

fn set_cookie(config: &Config, value: &str, lifetime: Duration) -> Result<HeaderValue> {
    let (name, seconds) = (name(config), lifetime.as_secs());
    let secure = if config.is_behind_tls() { "; Secure" } else { "" };
    // A browser takes the secure name for all paths of the host only.
    let path = match config.serving.base_path.as_str() {
        base if !base.is_empty() && !config.is_behind_tls() => base,
        _ => "/",
    };
    let cookie = format!("{name}={value}; Max-Age={seconds}; Path={path}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(cookie).map_err(|error| Error::internal("setting the session cookie", error))
}

/// Returns the value of the session cookie of a request. Returns `None` without it, and for an empty value.
/// Of several cookies with its name the first counts.
pub(crate) fn cookie<'a>(config: &Config, headers: &'a HeaderMap) -> Option<&'a str> {
    let name = name(config);
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value).filter(|value| !value.is_empty())
}
