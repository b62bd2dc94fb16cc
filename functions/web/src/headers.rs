//! The headers of the page: the policies for its scripts and files, and for frames.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header::ACCEPT};
use messenger_runtime::negotiation::accepts;

/// The policy of the page without its `frame-ancestors`. Scripts and styles are files of this service only;
/// texts become HTML by the frameworks' own policies alone (Trusted Types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'self'; \
form-action 'self'; require-trusted-types-for 'script'; trusted-types vue messenger";

/// Returns the policy, for the origins that may show the page in a frame.
pub(crate) fn policy(frame_ancestors: &[String]) -> HeaderValue {
    let ancestors = frame_ancestors.iter().fold("'self'".to_owned(), |all, one| format!("{all} {one}"));
    // The configuration accepts origins only, which are ASCII.
    HeaderValue::try_from(format!("{POLICY}; frame-ancestors {ancestors}"))
        .unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// Returns the further headers of the page.
pub(crate) fn hardening() -> [(HeaderName, HeaderValue); 4] {
    [
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("x-permitted-cross-domain-policies", "none"),
    ]
    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
}

/// Returns whether the client accepts HTML by name, as browsers do.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    accepts(headers, &ACCEPT, "text/html")
}
