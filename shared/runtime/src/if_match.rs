//! The version of an object in `ETag` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1.1).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{HeaderValue, header::IF_MATCH, request::Parts};
use messenger_core::admin::ExpectedVersions;
use serde_json::{Value, json};

/// The versions that `If-Match` names; any version without the header and for `*`.
///
/// An entity tag that is none of this service matches no version, and neither does a weak one.
pub struct IfMatch(pub ExpectedVersions);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut versions = None;
        for line in parts.headers.get_all(IF_MATCH) {
            let tags = String::from_utf8_lossy(line.as_bytes()).into_owned();
            for tag in tags.split(',').map(str::trim) {
                if tag == "*" {
                    return Ok(Self(ExpectedVersions(None)));
                }
                versions.get_or_insert_with(Vec::new).extend(version(tag));
            }
        }
        Ok(Self(ExpectedVersions(versions)))
    }
}

/// Returns the value of `ETag` for a version.
pub fn etag(version: i64) -> HeaderValue {
    // A number in quotes is a valid value.
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Returns the JSON Schema of both headers.
pub fn schema() -> Value {
    json!({ "type": "string", "examples": ["\"3\""] })
}

fn version(tag: &str) -> Option<i64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    async fn versions(values: &[&str]) -> Option<Vec<i64>> {
        let request =
            values.iter().fold(Request::get("/"), |request, value| request.header(IF_MATCH, *value));
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        let Ok(IfMatch(ExpectedVersions(versions))) = IfMatch::from_request_parts(&mut parts, &()).await;
        versions
    }

    #[tokio::test]
    async fn strong_tags_name_versions_and_others_name_none() {
        assert_eq!(versions(&[]).await, None);
        assert_eq!(versions(&["*"]).await, None);
        assert_eq!(versions(&["\"3\""]).await, Some(vec![3]));
        assert_eq!(versions(&["\"3\", \"5\"", "\"7\""]).await, Some(vec![3, 5, 7]));
        for other in ["W/\"3\"", "3", "\"abc\"", "\"\"", ""] {
            assert_eq!(versions(&[other]).await, Some(Vec::new()), "{other}");
        }
        assert_eq!(version(etag(42).to_str().expect("text")), Some(42));
    }
}
