//! The check of the origin of a request (RFC 6454): the session cookie is for pages of this service alone.
//!
//! Browsers write `Sec-Fetch-Site` (W3C Fetch Metadata) and `Origin`, and no page can change either. Without
//! both, the request is of no page, or of an old browser that omits `Origin` in a `GET` of the same origin.

use axum::extract::FromRequestParts;
use http::{
    HeaderMap,
    header::{HOST, ORIGIN},
    request::Parts,
};
use messenger_core::{Error, Result};

use crate::{ApiError, App, limits::Peer};

const FETCH_SITE: &str = "sec-fetch-site";
/// The header in which proxies state the `Host` of the client's request.
const FORWARDED_HOST: &str = "x-forwarded-host";

/// A request of no page, or of a page that may use the session cookie.
pub struct TrustedOrigin;

impl FromRequestParts<App> for TrustedOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        check(app, parts)?;
        Ok(Self)
    }
}

/// Refuses a request of a page of another origin, unless `ALLOWED_ORIGINS` names it. `*` names none.
pub(crate) fn check(app: &App, parts: &Parts) -> Result<()> {
    let text = |name| parts.headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let (site, origin) = (text(FETCH_SITE), text(ORIGIN.as_str()));
    // A browser compares origins better than this process, whose proxies may replace `Host`. `none` is a
    // request of the user, as by the address bar.
    if matches!(site, Some("same-origin" | "none")) {
        return Ok(());
    }
    match origin {
        None if site.is_none() => Ok(()),
        Some(origin) if is_trusted(app, parts, origin) => Ok(()),
        _ => Err(refusal(origin)),
    }
}

fn is_trusted(app: &App, parts: &Parts, origin: &str) -> bool {
    let allowed = app.config.allowed_origins.iter().flatten().chain(&app.config.public_origin);
    allowed.into_iter().any(|one| one == origin) || hosts(app, parts).any(|host| is_of_host(origin, host))
}

/// Returns the hosts by which a browser may have addressed this service: `Host`, and `X-Forwarded-Host` of a
/// trusted proxy.
fn hosts<'a>(app: &App, parts: &'a Parts) -> impl Iterator<Item = &'a str> {
    let peer = parts.extensions.get::<Peer>();
    let is_proxy = peer.is_some_and(|Peer(peer)| app.config.limits.trusted_proxies.contain(*peer));
    let forwarded = lines(&parts.headers, FORWARDED_HOST).filter(move |_| is_proxy);
    lines(&parts.headers, HOST.as_str()).chain(forwarded.flat_map(|line| line.split(','))).map(str::trim)
}

fn lines<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok())
}

/// Returns whether an origin has this host and port. The scheme of the request is not known behind a proxy.
fn is_of_host(origin: &str, host: &str) -> bool {
    let (default, authority) = match origin.split_once("://") {
        Some(("https", authority)) => (":443", authority),
        Some(("http", authority)) => (":80", authority),
        _ => return false,
    };
    let host = host.strip_suffix(default).unwrap_or(host);
    authority.strip_suffix(default).unwrap_or(authority).eq_ignore_ascii_case(host)
}

fn refusal(origin: Option<&str>) -> Error {
    let page = origin.map_or("another site".to_owned(), |origin| format!("the origin `{origin}`"));
    let detail = format!(
        "the request comes from {page}, and the session cookie is for pages of this service: send a token as \
         `Authorization: Bearer`. An operator sets PUBLIC_URL to the address of this service, or adds another origin \
         to ALLOWED_ORIGINS"
    );
    Error::Forbidden { code: "origin_not_allowed", detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_of_a_host_with_the_same_name_and_port() {
        for (origin, host) in [
            ("https://hub.example", "hub.example"),
            ("https://hub.example", "hub.example:443"),
            ("http://hub.example", "Hub.Example:80"),
            ("http://hub.example:8000", "hub.example:8000"),
            ("http://[::1]:8000", "[::1]:8000"),
        ] {
            assert!(is_of_host(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("https://hub.example", "hub.example:80"),
            ("https://hub.example:8443", "hub.example"),
            ("https://hub.example.evil", "hub.example"),
            ("https://evil", "hub.example"),
            ("ftp://hub.example", "hub.example"),
            ("null", "null"),
            ("", ""),
        ] {
            assert!(!is_of_host(origin, host), "{origin} {host}");
        }
    }
}
