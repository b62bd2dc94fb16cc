//! The origin of a notification: the request and the trace in which it was sent, for logs and traces of the
//! processes that deliver it later.

use std::fmt;

/// The `target` of the spans that are exported as OpenTelemetry spans, and that no log line shows.
pub const TRACE_TARGET: &str = "otel";

/// The most bytes of a request id.
const REQUEST_ID_MAX: usize = 64;

/// The request and the trace in which a notification was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The id of the request (`X-Request-Id`); `None` if it is not known.
    pub request_id: Option<RequestId>,
    /// The trace context of the request; `None` if requests are not traced.
    pub traceparent: Option<Traceparent>,
}

/// The id of a request, as it stands in `X-Request-Id`, in answers and in log lines: 1 to 64 characters of
/// `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

/// The context of a span in another process: the value of the header `traceparent`
/// ([W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header)).
///
/// Only the adapter of [`Tracing`](crate::port::Tracing) reads its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traceparent(String);

impl RequestId {
    /// Parses an id; `None` if it is not well-formed.
    pub fn parse(text: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_good = (1..=REQUEST_ID_MAX).contains(&text.len()) && text.bytes().all(is_allowed);
        is_good.then(|| Self(text.to_owned()))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Traceparent {
    /// Takes the value of the header.
    pub fn new(header: impl Into<String>) -> Self {
        Self(header.into())
    }

    /// Returns the value of the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_well_formed_request_id_is_taken_as_it_is() {
        let longest = "a".repeat(64);
        for id in ["1", "7f3a.n42", "A-Z_az.09", longest.as_str()] {
            assert_eq!(RequestId::parse(id).as_ref().map(RequestId::as_str), Some(id));
        }
    }

    #[test]
    fn a_request_id_that_a_log_line_could_not_hold_is_none() {
        for id in ["", " ", "a b", "a\nb", "a=b", "\"a\"", "ä", &"a".repeat(65)] {
            assert_eq!(RequestId::parse(id), None, "{id:?}");
        }
    }
}
