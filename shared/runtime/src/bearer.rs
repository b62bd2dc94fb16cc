//! The credentials of the scheme `Bearer` (RFC 6750, section 2.1).

use http::{HeaderMap, header::AUTHORIZATION};

/// Returns the token of `Authorization: Bearer <token>`, without spaces around it. The scheme may have any
/// case (RFC 9110, section 11.1). Returns `None` without such a header, for another scheme, and for an empty
/// token.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn token(value: &'static [u8]) -> Option<String> {
        let value = HeaderValue::from_bytes(value).expect("a header value");
        bearer(&HeaderMap::from_iter([(AUTHORIZATION, value)])).map(str::to_owned)
    }

    #[test]
    fn the_scheme_may_have_any_case() {
        for value in [&b"Bearer a.b-c_d"[..], b"bearer a.b-c_d", b"BEARER a.b-c_d", b"bEaReR a.b-c_d"] {
            assert_eq!(token(value).as_deref(), Some("a.b-c_d"));
        }
    }

    #[test]
    fn spaces_around_the_token_do_not_count() {
        assert_eq!(token(b"Bearer   abc  ").as_deref(), Some("abc"));
    }

    #[test]
    fn other_credentials_are_no_bearer_token() {
        assert_eq!(bearer(&HeaderMap::new()), None);
        for value in [
            &b""[..],
            b"Bearer",
            b"Bearer ",
            b"Bearer    ",
            b"Bearerabc",
            b"Bearer\tabc",
            b"Basic YTpi",
            b"Token Bearer abc",
            b"Bearer \xfc",
            b"abc",
        ] {
            assert_eq!(token(value), None, "{}", value.escape_ascii());
        }
    }
}
