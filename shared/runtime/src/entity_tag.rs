//! The entity tag of content, in `ETag` and `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1.2).

use http::{HeaderMap, HeaderValue, header::IF_NONE_MATCH};
use sha2::{Digest as _, Sha256};

/// Returns the entity tag of these bytes.
pub fn of_content(bytes: &[u8]) -> HeaderValue {
    // Hexadecimal digits in quotes are a valid value.
    HeaderValue::try_from(format!("\"{}\"", hex::encode(Sha256::digest(bytes))))
        .unwrap_or(HeaderValue::from_static("\"\""))
}

/// Returns whether the client has the content with this tag. The comparison is weak.
pub fn is_known(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let lines = request.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut known = lines.flat_map(|line| line.split(',')).map(|one| one.trim().trim_start_matches("W/"));
    known.any(|one| one == tag || one == "*")
}
