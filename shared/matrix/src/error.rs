//! Failures of a call, and their mapping to the service's error.

use std::time::Duration;

use messenger_core::{
    Error, Result,
    error::{Failure, Refusal as Reason, System},
};
use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use serde_json::Value;

use crate::path::Malformed;

/// The wait after a 429 that states none.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);
/// Most characters that are kept of a homeserver's explanation.
const EXPLANATION_MAX: usize = 300;
/// Conduit's explanations for an unknown room. Their status is 500, although a retry never succeeds.
const UNKNOWN_ROOM: [&str; 2] =
    ["non-create event for room of unknown version", "No server available to assist in joining"];

/// The failure of a call. No variant contains a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    /// The connection failed, or was lost before the response.
    #[error("no response")]
    Transport(#[source] reqwest::Error),
    /// No response within the time limit.
    #[error("no response within the time limit")]
    TimedOut,
    /// A status other than 2xx.
    #[error(transparent)]
    Refusal(Box<Refusal>),
    /// A 2xx whose body cannot be parsed.
    #[error("a response that cannot be parsed")]
    InvalidBody(#[from] serde_json::Error),
    /// An invalid id or transaction id. No request was sent.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A response with a status other than 2xx.
#[derive(Debug, thiserror::Error)]
#[error("{status} {}: {explanation}", errcode.as_deref().unwrap_or("without errcode"))]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The error code, such as `M_FORBIDDEN`. `None` if the sender is not a Matrix homeserver, or a failing
    /// one.
    pub(crate) errcode: Option<String>,
    pub(crate) explanation: String,
    retry_after: Option<Duration>,
}

/// The operation of a call as the context of its error.
pub(crate) trait Context<T> {
    /// Adds the operation, such as "sending a message".
    fn context(self, operation: &'static str) -> Result<T>;

    /// Adds the operation of a read from a position. Maps the refusal of the position to
    /// [`Failure::UnknownToken`].
    fn reading_from(self, position: Option<&str>, operation: &'static str) -> Result<T>;
}

impl<T> Context<T> for Result<T, Cause> {
    fn context(self, operation: &'static str) -> Result<T> {
        self.map_err(|cause| match (cause.failure(), cause.reason()) {
            (Failure::Rejected, Some(reason)) => Error::refused(reason, operation, cause),
            (failure, _) => Error::fault(System::Homeserver, failure, operation, cause),
        })
    }

    fn reading_from(self, position: Option<&str>, operation: &'static str) -> Result<T> {
        match self {
            Err(cause) if position.is_some() && cause.is_invalid_parameter() => {
                Err(Error::fault(System::Homeserver, Failure::UnknownToken, operation, cause))
            }
            result => result.context(operation),
        }
    }
}

/// Returns the error of a fault that an operator has to fix. The operation is retried until then.
pub(crate) fn misconfigured(operation: &'static str, explanation: impl Into<String>) -> Error {
    Error::fault(System::Homeserver, Failure::Broken, operation, explanation.into())
}

impl Cause {
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Transport(error) if error.is_builder() => Failure::Broken,
            // First, because a connection that times out is both.
            Self::Transport(error) if error.is_connect() => Failure::Unreachable,
            Self::Transport(error) if error.is_timeout() => Failure::TimedOut,
            Self::Transport(_) => Failure::Unreachable,
            Self::TimedOut => Failure::TimedOut,
            Self::Refusal(refusal) => refusal.failure(),
            Self::InvalidBody(_) => Failure::Broken,
            Self::Malformed(_) => Failure::Rejected,
        }
    }

    /// Returns the reason of a refusal. Returns `None` if a user cannot act on it.
    fn reason(&self) -> Option<Reason> {
        let refusal = self.refusal()?;
        match (refusal.status, refusal.errcode.as_deref()) {
            (_, Some("M_USER_DEACTIVATED")) => Some(Reason::Deactivated),
            (_, Some("M_USER_SUSPENDED" | "M_USER_LOCKED")) => Some(Reason::Suspended),
            (StatusCode::PAYLOAD_TOO_LARGE, _) | (_, Some("M_TOO_LARGE")) => Some(Reason::TooLarge),
            // Synapse sends `M_BAD_STATE` for banned users.
            (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, _) => Some(Reason::Forbidden),
            _ if refusal.is_unknown_room() => Some(Reason::Forbidden),
            _ => None,
        }
    }

    /// Returns whether the homeserver may still process the request: it gave no answer in time.
    pub(crate) fn may_be_processed(&self) -> bool {
        self.failure() == Failure::TimedOut
    }

    pub(crate) fn is_rejected(&self) -> bool {
        self.failure() == Failure::Rejected
    }

    /// Returns the response. Returns `None` if there was none, or if its status was 2xx.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refusal(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Returns whether the homeserver refused a query parameter: Synapse sends `M_UNKNOWN`, Conduit
    /// `M_INVALID_PARAM`.
    fn is_invalid_parameter(&self) -> bool {
        self.is_status(StatusCode::BAD_REQUEST) && (self.is("M_UNKNOWN") || self.is("M_INVALID_PARAM"))
    }

    /// Returns whether an account is reserved for another Application Service, or for the homeserver. Being
    /// outside of our own namespace has the same code, but is a fault of the registration.
    pub(crate) fn is_of_another_service(&self) -> bool {
        self.is("M_EXCLUSIVE")
            && self.refusal().is_some_and(|refusal| refusal.explanation.contains("reserved"))
    }

    /// Returns whether the homeserver responded with this status.
    pub(crate) fn is_status(&self, status: StatusCode) -> bool {
        self.refusal().is_some_and(|refusal| refusal.status == status)
    }

    /// Returns whether the homeserver responded with this `errcode`. Its explanation differs between servers.
    pub(crate) fn is(&self, errcode: &str) -> bool {
        self.refusal().and_then(|refusal| refusal.errcode.as_deref()) == Some(errcode)
    }
}

impl From<reqwest::Error> for Cause {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error.without_url())
    }
}

impl Refusal {
    pub(crate) async fn parse(response: Response) -> Result<Self, Cause> {
        let status = response.status();
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let header = header.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        let body: Value = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        let text = |field: &str| body[field].as_str();
        Ok(Self {
            status,
            errcode: text("errcode").map(str::to_owned),
            explanation: text("error").unwrap_or("no explanation").chars().take(EXPLANATION_MAX).collect(),
            retry_after: body["retry_after_ms"].as_u64().map(Duration::from_millis).or(header),
        })
    }

    fn failure(&self) -> Failure {
        match (self.status, self.errcode.as_deref()) {
            (StatusCode::TOO_MANY_REQUESTS, _) => {
                Failure::Limited(self.retry_after.unwrap_or(DEFAULT_RETRY_AFTER))
            }
            // The account of one user is refused, not this service.
            (_, Some("M_USER_DEACTIVATED" | "M_USER_SUSPENDED" | "M_USER_LOCKED")) => Failure::Rejected,
            // An operator has to fix the token, the address, or the registration.
            (StatusCode::UNAUTHORIZED, _) => Failure::Broken,
            (_, None | Some("M_UNRECOGNIZED" | "M_EXCLUSIVE" | "M_RESOURCE_LIMIT_EXCEEDED")) => {
                Failure::Broken
            }
            (status, _) if status.is_client_error() => Failure::Rejected,
            _ if self.is_unknown_room() => Failure::Rejected,
            _ => Failure::Broken,
        }
    }

    fn is_unknown_room(&self) -> bool {
        self.errcode.as_deref() == Some("M_UNKNOWN")
            && UNKNOWN_ROOM.iter().any(|text| self.explanation.contains(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(status: u16, headers: &[(&str, &str)], body: &'static str) -> Cause {
        let builder = http::Response::builder().status(status);
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        let response = Response::from(builder.body(body).unwrap());
        Cause::Refusal(Box::new(Refusal::parse(response).await.unwrap()))
    }

    async fn failure(status: u16, headers: &[(&str, &str)], body: &'static str) -> Failure {
        refused(status, headers, body).await.failure()
    }

    #[tokio::test]
    async fn only_a_refused_position_is_an_unknown_position() {
        let read = async |status: u16, body: &'static str, position: Option<&str>| {
            let cause = refused(status, &[], body).await;
            Err::<(), _>(cause).reading_from(position, "reading").unwrap_err().failure().unwrap()
        };
        for code in [r#"{"errcode":"M_UNKNOWN"}"#, r#"{"errcode":"M_INVALID_PARAM"}"#] {
            assert_eq!(read(400, code, Some("s1")).await, Failure::UnknownToken);
            assert_eq!(read(400, code, None).await, Failure::Rejected, "no position was sent");
            assert_ne!(read(500, code, Some("s1")).await, Failure::UnknownToken);
        }
        for (status, body) in [
            (400, ""),
            (400, "<html>bad request</html>"),
            (400, r#"{"errcode":"M_BAD_JSON"}"#),
            (401, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#),
            (403, r#"{"errcode":"M_FORBIDDEN"}"#),
            (404, r#"{"errcode":"M_UNKNOWN"}"#),
            (429, r#"{"errcode":"M_LIMIT_EXCEEDED"}"#),
            (502, r#"{"errcode":"M_UNKNOWN"}"#),
        ] {
            assert_ne!(read(status, body, Some("s1")).await, Failure::UnknownToken, "{status} {body}");
        }
    }

    #[tokio::test]
    async fn a_permanent_refusal_is_rejected() {
        for (status, body) in [
            (400, r#"{"errcode":"M_BAD_JSON"}"#),
            (403, r#"{"errcode":"M_FORBIDDEN"}"#),
            (404, r#"{"errcode":"M_NOT_FOUND"}"#),
            (413, r#"{"errcode":"M_TOO_LARGE"}"#),
            (
                500,
                r#"{"errcode":"M_UNKNOWN","error":"non-create event for room of unknown version in !x:hub.local"}"#,
            ),
            (500, r#"{"errcode":"M_UNKNOWN","error":"No server available to assist in joining."}"#),
        ] {
            assert_eq!(failure(status, &[], body).await, Failure::Rejected, "{status} {body}");
        }
    }

    #[tokio::test]
    async fn a_refusal_has_a_reason_if_a_user_can_act_on_it() {
        let reason = async |status: u16, body: &'static str| {
            let cause = refused(status, &[], body).await;
            Err::<(), _>(cause).context("sending").unwrap_err().refusal()
        };
        for (status, body, wanted) in [
            (403, r#"{"errcode":"M_FORBIDDEN"}"#, Some(Reason::Forbidden)),
            (403, r#"{"errcode":"M_BAD_STATE"}"#, Some(Reason::Forbidden)),
            (403, r#"{"errcode":"M_CANNOT_LEAVE_SERVER_NOTICE_ROOM"}"#, Some(Reason::Forbidden)),
            (404, r#"{"errcode":"M_NOT_FOUND"}"#, Some(Reason::Forbidden)),
            (
                500,
                r#"{"errcode":"M_UNKNOWN","error":"non-create event for room of unknown version"}"#,
                Some(Reason::Forbidden),
            ),
            (403, r#"{"errcode":"M_USER_DEACTIVATED"}"#, Some(Reason::Deactivated)),
            (403, r#"{"errcode":"M_USER_SUSPENDED"}"#, Some(Reason::Suspended)),
            (401, r#"{"errcode":"M_USER_LOCKED"}"#, Some(Reason::Suspended)),
            (413, r#"{"errcode":"M_TOO_LARGE"}"#, Some(Reason::TooLarge)),
            (400, r#"{"errcode":"M_BAD_JSON"}"#, None),
            (401, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#, None),
            (403, r#"{"errcode":"M_RESOURCE_LIMIT_EXCEEDED"}"#, None),
            (404, "<html>no Matrix here</html>", None),
            (404, r#"{"errcode":"M_UNRECOGNIZED"}"#, None),
            (500, "", None),
        ] {
            assert_eq!(reason(status, body).await, wanted, "{status} {body}");
        }
    }

    #[tokio::test]
    async fn a_fault_of_the_configuration_or_the_server_is_retried() {
        for (status, body) in [
            (401, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#),
            (400, r#"{"errcode":"M_EXCLUSIVE"}"#),
            (404, r#"{"errcode":"M_UNRECOGNIZED"}"#),
            (404, "<html>no Matrix here</html>"),
            (301, ""),
            (500, r#"{"errcode":"M_UNKNOWN","error":"Internal server error"}"#),
            (500, ""),
            (502, "<html>bad gateway</html>"),
        ] {
            assert_eq!(failure(status, &[], body).await, Failure::Broken, "{status} {body}");
        }
    }

    #[tokio::test]
    async fn a_rate_limit_states_its_wait() {
        let limited = |milliseconds| Failure::Limited(Duration::from_millis(milliseconds));
        let body = r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":3845}"#;
        assert_eq!(failure(429, &[("retry-after", "4")], body).await, limited(3845));
        assert_eq!(failure(429, &[("retry-after", "4")], "slow down").await, limited(4000));
        assert_eq!(failure(429, &[], "").await, limited(5000));
    }
}
