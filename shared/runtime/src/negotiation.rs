//! Content negotiation by `Accept` and `Accept-Encoding` (RFC 9110, section 12.5).

use http::{HeaderMap, HeaderName};

/// Returns whether the header names this value, and does not refuse it by a weight of 0. A wildcard names none.
pub fn accepts(headers: &HeaderMap, header: &HeaderName, value: &str) -> bool {
    let lines = headers.get_all(header).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let is_refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)));
        name.eq_ignore_ascii_case(value) && !is_refused
    })
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT_ENCODING;

    use super::*;

    #[test]
    fn a_value_counts_if_it_is_named_and_not_refused() {
        let accepted = |line: &'static str, coding| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, line.try_into().expect("a value"));
            accepts(&headers, &ACCEPT_ENCODING, coding)
        };
        assert!(accepted("gzip, deflate, br", "br"));
        assert!(accepted("GZIP;q=0.5", "gzip"));
        assert!(!accepted("br;q=0, gzip", "br"));
        assert!(!accepted("*", "br"));
    }
}
