//! `BASE_PATH`: the path below which clients reach the service. It is removed before a request is routed.

use std::borrow::Cow;

use axum::{Router, extract::Request};
use http::{Uri, uri::PathAndQuery};
use tower::{Layer as _, util::MapRequestLayer};

/// Returns routes that are reached below the base path. A request that has it not, such as a health check of
/// the machine itself, is routed as it is.
pub(crate) fn below(base: &str, routes: Router) -> Router {
    if base.is_empty() {
        return routes;
    }
    let base = base.to_owned();
    let strip = MapRequestLayer::new(move |mut request: Request| {
        if let Some(uri) = stripped(&base, request.uri()) {
            *request.uri_mut() = uri;
        }
        request
    });
    Router::new().fallback_service(strip.layer(routes))
}

/// Returns a path and its query without the base path, with the rest as the client wrote it. Returns `None` if
/// they do not begin with all segments of it.
pub(crate) fn without<'p>(base: &str, path_and_query: &'p str) -> Option<Cow<'p, str>> {
    let rest = path_and_query.strip_prefix(base)?;
    match rest.chars().next() {
        Some('/') => Some(Cow::Borrowed(rest)),
        Some('?') | None => Some(Cow::Owned(format!("/{rest}"))),
        Some(_) => None,
    }
}

fn stripped(base: &str, uri: &Uri) -> Option<Uri> {
    let rest = without(base, uri.path_and_query()?.as_str())?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest.as_ref()).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_removed_at_the_border_of_a_segment_and_the_rest_is_kept_as_written() {
        for (path, expected) in [
            ("/prod/livez", Some("/livez")),
            ("/prod/api/%21a%2Fb?x=/prod/%20", Some("/api/%21a%2Fb?x=/prod/%20")),
            ("/prod", Some("/")),
            ("/prod/", Some("/")),
            ("/prod?x=1", Some("/?x=1")),
            ("/prod/prod/x", Some("/prod/x")),
            ("/production/livez", None),
            ("/livez", None),
            ("/", None),
        ] {
            let uri: Uri = path.parse().expect("a URI");
            let stripped = stripped("/prod", &uri);
            assert_eq!(stripped.map(|uri| uri.to_string()).as_deref(), expected, "{path}");
        }
        let uri: Uri = "https://hub.example/prod/livez?x".parse().expect("a URI");
        assert_eq!(stripped("/prod", &uri), Some("https://hub.example/livez?x".parse().expect("a URI")));
    }
}
