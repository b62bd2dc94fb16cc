//! `Accept-Encoding` (RFC 9110, section 12.5.3).

use axum::http::{HeaderMap, header::ACCEPT_ENCODING};

/// Returns whether the client accepts this coding by name.
pub(crate) fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let is_refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)));
        name.eq_ignore_ascii_case(coding) && !is_refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_counts_if_it_is_named_and_not_refused() {
        let accepted = |line: &'static str, coding| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, line.try_into().unwrap());
            accepts(&headers, coding)
        };
        assert!(accepted("gzip, deflate, br", "br"));
        assert!(accepted("GZIP;q=0.5", "gzip"));
        assert!(!accepted("br;q=0, gzip", "br"));
        assert!(!accepted("*", "br"));
    }
}
