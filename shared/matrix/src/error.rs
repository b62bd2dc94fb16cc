//! What can go wrong in a call, and how it becomes the one error of the service.

use std::time::Duration;

use messenger_core::{
    Error, Result,
    error::{Failure, Refusal as Reason, System},
};
use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use serde_json::Value;

use crate::path::Malformed;

/// How long to wait when the homeserver asks for patience without saying how much.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most characters of a homeserver's explanation that are kept.
const EXPLANATION_MAX: usize = 300;
/// What Conduit says when it does not know the room: with the status 500, and for good.
const UNKNOWN_ROOM: [&str; 2] =
    ["non-create event for room of unknown version", "No server available to assist in joining"];

/// Why a call brought no answer that could be used. No variant holds a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    /// No connection, or none that lasted until the answer was there.
    #[error("no answer")]
    Transport(#[source] reqwest::Error),
    /// No answer in time.
    #[error("no answer in time")]
    Late,
    /// An answer other than 2xx.
    #[error(transparent)]
    Refusal(Box<Refusal>),
    /// A 2xx with something else than was asked for.
    #[error("an answer that cannot be read")]
    Nonsense(#[from] serde_json::Error),
    /// An id or a transaction id that is none: nothing was sent.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// An answer other than 2xx.
#[derive(Debug, thiserror::Error)]
#[error("{status} {}: {explanation}", errcode.as_deref().unwrap_or("without errcode"))]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// Such as `M_FORBIDDEN`. `None`: this did not come from a Matrix homeserver, or from one in trouble.
    pub(crate) errcode: Option<String>,
    pub(crate) explanation: String,
    retry_after: Option<Duration>,
}

/// Names what we were doing when a call failed.
pub(crate) trait Context<T> {
    /// As in "sending a message".
    fn context(self, what: &'static str) -> Result<T>;

    /// The same for reading from a position, which the homeserver may not know.
    fn reading_from(self, position: Option<&str>, what: &'static str) -> Result<T>;
}

impl<T> Context<T> for Result<T, Cause> {
    fn context(self, what: &'static str) -> Result<T> {
        self.map_err(|cause| match (cause.failure(), cause.reason()) {
            (Failure::Rejected, Some(reason)) => Error::refused(reason, what, cause),
            (failure, _) => Error::fault(System::Homeserver, failure, what, cause),
        })
    }

    fn reading_from(self, position: Option<&str>, what: &'static str) -> Result<T> {
        match self {
            Err(cause) if position.is_some() && cause.is_about_a_parameter() => {
                Err(Error::fault(System::Homeserver, Failure::UnknownPosition, what, cause))
            }
            result => result.context(what),
        }
    }
}

/// What somebody has to mend by hand: it is tried again until they have.
pub(crate) fn misconfigured(context: &'static str, explanation: impl Into<String>) -> Error {
    Error::fault(System::Homeserver, Failure::Broken, context, explanation.into())
}

impl Cause {
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Transport(error) if error.is_builder() => Failure::Broken,
            // First, since a connection that takes too long is both.
            Self::Transport(error) if error.is_connect() => Failure::Unreachable,
            Self::Transport(error) if error.is_timeout() => Failure::TimedOut,
            Self::Transport(_) => Failure::Unreachable,
            Self::Late => Failure::TimedOut,
            Self::Refusal(refusal) => refusal.failure(),
            Self::Nonsense(_) => Failure::Broken,
            Self::Malformed(_) => Failure::Rejected,
        }
    }

    /// The reason of a refusal, if it is one that a user can act on.
    fn reason(&self) -> Option<Reason> {
        let refusal = self.refusal()?;
        match (refusal.status, refusal.errcode.as_deref()) {
            (_, Some("M_USER_DEACTIVATED")) => Some(Reason::Deactivated),
            (_, Some("M_USER_SUSPENDED" | "M_USER_LOCKED")) => Some(Reason::Suspended),
            (StatusCode::PAYLOAD_TOO_LARGE, _) | (_, Some("M_TOO_LARGE")) => Some(Reason::TooLarge),
            // Synapse says `M_BAD_STATE` of somebody who is banned.
            (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, _) => Some(Reason::Forbidden),
            _ if refusal.is_of_unknown_room() => Some(Reason::Forbidden),
            _ => None,
        }
    }

    pub(crate) fn is_refused_for_good(&self) -> bool {
        self.failure() == Failure::Rejected
    }

    /// The answer, if there was one.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refusal(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether the homeserver cannot make anything of what stands in the query: Synapse says `M_UNKNOWN`, Conduit
    /// `M_INVALID_PARAM`.
    fn is_about_a_parameter(&self) -> bool {
        self.is_status(StatusCode::BAD_REQUEST) && (self.is("M_UNKNOWN") || self.is("M_INVALID_PARAM"))
    }

    /// Whether the name of an account is reserved for another Application Service, or for the homeserver itself. That it is
    /// not in our own namespace is somebody's to mend.
    pub(crate) fn is_of_another_service(&self) -> bool {
        self.is("M_EXCLUSIVE")
            && self.refusal().is_some_and(|refusal| refusal.explanation.contains("reserved"))
    }

    /// Whether the homeserver answered with this status.
    pub(crate) fn is_status(&self, status: StatusCode) -> bool {
        self.refusal().is_some_and(|refusal| refusal.status == status)
    }

    /// Whether the homeserver answered with this code. What its text says differs from server to server.
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
    pub(crate) async fn read(response: Response) -> Result<Self, Cause> {
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
            (StatusCode::TOO_MANY_REQUESTS, _) => Failure::Limited(self.retry_after.unwrap_or(PATIENCE)),
            // An account of one user: nothing is wrong with us.
            (_, Some("M_USER_DEACTIVATED" | "M_USER_SUSPENDED" | "M_USER_LOCKED")) => Failure::Rejected,
            // Who we are, where the homeserver is, and what we may do there: somebody mends that.
            (StatusCode::UNAUTHORIZED, _) => Failure::Broken,
            (_, None | Some("M_UNRECOGNIZED" | "M_EXCLUSIVE" | "M_RESOURCE_LIMIT_EXCEEDED")) => {
                Failure::Broken
            }
            (status, _) if status.is_client_error() => Failure::Rejected,
            _ if self.is_of_unknown_room() => Failure::Rejected,
            _ => Failure::Broken,
        }
    }

    fn is_of_unknown_room(&self) -> bool {
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
        Cause::Refusal(Box::new(Refusal::read(response).await.unwrap()))
    }

    async fn failure(status: u16, headers: &[(&str, &str)], body: &'static str) -> Failure {
        refused(status, headers, body).await.failure()
    }

    #[tokio::test]
    async fn only_an_answer_about_the_position_says_that_it_is_unknown() {
        let read = async |status: u16, body: &'static str, position: Option<&str>| {
            let cause = refused(status, &[], body).await;
            Err::<(), _>(cause).reading_from(position, "reading").unwrap_err().failure().unwrap()
        };
        for code in [r#"{"errcode":"M_UNKNOWN"}"#, r#"{"errcode":"M_INVALID_PARAM"}"#] {
            assert_eq!(read(400, code, Some("s1")).await, Failure::UnknownPosition);
            assert_eq!(read(400, code, None).await, Failure::Rejected, "there was none");
            assert_ne!(read(500, code, Some("s1")).await, Failure::UnknownPosition);
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
            assert_ne!(read(status, body, Some("s1")).await, Failure::UnknownPosition, "{status} {body}");
        }
    }

    #[tokio::test]
    async fn what_the_homeserver_refuses_for_good_is_not_tried_again() {
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
    async fn a_refusal_has_a_reason_that_a_user_can_act_on() {
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
    async fn what_somebody_mends_is_tried_until_they_have() {
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
    async fn a_limit_says_how_long_it_lasts() {
        let limited = |milliseconds| Failure::Limited(Duration::from_millis(milliseconds));
        let body = r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":3845}"#;
        assert_eq!(failure(429, &[("retry-after", "4")], body).await, limited(3845));
        assert_eq!(failure(429, &[("retry-after", "4")], "slow down").await, limited(4000));
        assert_eq!(failure(429, &[], "").await, limited(5000));
    }
}
