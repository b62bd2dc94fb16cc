//! The one place where an error becomes an answer: `application/problem+json` (RFC 9457). Here, and only
//! here, the error of a request is logged ([`RequestLog`]).

use std::{sync::Arc, time::Duration};

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER,
        WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
};
use messenger_core::{
    Error,
    error::{Failure, System},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::{
    request_log::{self, REQUEST_ID, RequestLog},
    traces::ServerSpan,
};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// The detail of a failure that the caller can do nothing about.
const INTERNAL: &str = "something went wrong here: report the request_id";
/// The time after which another attempt is suggested where nothing better is known.
const PAUSE: Duration = Duration::from_secs(2);

/// An extension member of a problem document (RFC 9457, "Extension Members").
type Member = (&'static str, Value);

/// An error on its way to the caller. Handlers return it with `?`.
#[derive(Debug)]
pub struct ApiError {
    error: Error,
    /// The extension member of its document; `None` for the one that follows from the error, if there is one.
    member: Option<Member>,
    /// Whether it is logged as a refusal, although its status is that of a failure.
    is_known: bool,
}

impl ApiError {
    /// Adds an extension member to the problem document.
    pub(crate) fn with_member(error: Error, name: &'static str, value: Value) -> Self {
        Self { error, member: Some((name, value)), is_known: false }
    }

    /// Returns whether the connection to the database broke, or could not be made.
    pub(crate) fn is_database_lost(&self) -> bool {
        let Error::Fault(fault) = &self.error else { return false };
        fault.system == System::Database && fault.failure == Failure::Unreachable
    }

    /// Makes its line in the log that of a refusal: the failure was logged before, or is none.
    pub(crate) fn known(self) -> Self {
        Self { is_known: true, ..self }
    }
}

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self { error: error.into(), member: None, is_known: false }
    }
}

impl IntoResponse for ApiError {
    /// The error travels to [`answer`], which knows the request.
    fn into_response(self) -> Response {
        let mut response = status(&self.error).into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Gives each request an id and a span, turns its error into an answer, and keeps answers out of caches.
pub async fn answer(mut request: Request, next: Next) -> Response {
    let log = RequestLog::attach(&mut request);
    let trace = ServerSpan::begin(&request, log.id());
    let mut response = next.run(request).instrument(log.span()).instrument(trace.span()).await;
    let failed = response.extensions_mut().remove::<Arc<ApiError>>();
    if let Some(failed) = failed {
        let error = &failed.error;
        if failed.is_known {
            log.log_refusal(response.status(), error.code(), "");
        } else {
            log.log(error, response.status());
        }
        let retry_after = retry_after(error);
        let member = failed.member.clone().or_else(|| member(error));
        response = problem(response.status(), error.code(), &detail(error), log.id(), member);
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if error.code() == "unsupported_content_encoding" {
            response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
    } else if is_bare_error(&response) {
        response = refusal(&response, &log);
    }
    complete(&mut response, log.id());
    trace.record(response.status());
    response
}

/// Adds the headers that follow from the status, and those that every answer has.
fn complete(response: &mut Response, id: &str) {
    let status = response.status();
    let headers = response.headers_mut();
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.entry(RETRY_AFTER).or_insert(HeaderValue::from(PAUSE.as_secs()));
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            // The rest of the body is not read, so the connection cannot be used again.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    // An answer is for one user and one moment. Files set a lifetime of their own.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(id) {
        // An answer of an upstream keeps the id under which the upstream logged it.
        headers.entry(REQUEST_ID).or_insert(id);
    }
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
        Error::Forbidden { .. } => StatusCode::FORBIDDEN,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Conflict { .. } | Error::Upgraded { .. } => StatusCode::CONFLICT,
        Error::VersionMismatch { .. } => StatusCode::PRECONDITION_FAILED,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Busy { .. } | Error::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Error::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::Fault(fault) => match (fault.failure, fault.system) {
            (Failure::Unreachable | Failure::Limited(_), _)
            | (Failure::TimedOut, System::Database | System::FeedCopy | System::Hub) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            (Failure::TimedOut, System::Homeserver) => StatusCode::GATEWAY_TIMEOUT,
            (_, System::Homeserver | System::Hub) => StatusCode::BAD_GATEWAY,
            (_, System::Database | System::FeedCopy | System::Disk) => StatusCode::INTERNAL_SERVER_ERROR,
        },
        Error::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns the value of `Retry-After`: whole seconds, at least one. Returns `None` if waiting does not help.
fn retry_after(error: &Error) -> Option<u64> {
    let after = match error {
        Error::Busy { retry_after }
        | Error::Limited { retry_after, .. }
        | Error::Conflict { retry_after: Some(retry_after), .. } => *retry_after,
        Error::Fault(fault) => match fault.failure {
            Failure::Limited(after) => after,
            Failure::Unreachable | Failure::TimedOut => PAUSE,
            Failure::Broken | Failure::Rejected | Failure::UnknownToken => return None,
        },
        _ => return None,
    };
    Some(whole_seconds(after))
}

fn whole_seconds(after: Duration) -> u64 {
    let begun = u64::from(after.subsec_nanos() > 0);
    (after.as_secs() + begun).max(1)
}

/// Returns the `detail` for the caller: never more than they can act on.
fn detail(error: &Error) -> String {
    match error {
        Error::Fault(fault) => match (fault.system, fault.failure) {
            (
                System::Database | System::FeedCopy,
                Failure::Unreachable | Failure::TimedOut | Failure::Limited(_),
            ) => "the database cannot be reached: try again later".to_owned(),
            (System::Database | System::FeedCopy | System::Disk, _) => INTERNAL.to_owned(),
            (System::Homeserver | System::Hub, _) => format!("{fault}: try again later"),
        },
        Error::Internal { .. } => INTERNAL.to_owned(),
        other => other.to_string(),
    }
}

/// The error of one part of a request whose other parts may have succeeded.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PartialProblem {
    /// The status that the part would have as a request of its own.
    pub status: u16,
    /// Stable, as the `code` of a problem.
    code: &'static str,
    /// A sentence that says what to do.
    detail: String,
    /// The wrong fields; left out without any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<WrongField>,
}

/// A wrong field.
#[derive(Debug, Serialize, JsonSchema)]
struct WrongField {
    pointer: String,
    message: String,
}

impl From<Error> for PartialProblem {
    /// Logs the failure of a system, since the request succeeds.
    fn from(error: Error) -> Self {
        let status = status(&error);
        if status.is_server_error() {
            tracing::error!(error = &error as &dyn std::error::Error, "a part of a request failed");
        }
        let (code, detail) = (error.code(), detail(&error));
        let errors = match error {
            Error::Invalid(problems) => problems
                .into_iter()
                .map(|problem| WrongField { pointer: problem.pointer, message: problem.message })
                .collect(),
            _ => Vec::new(),
        };
        Self { status: status.as_u16(), code, detail, errors }
    }
}

/// Returns the extension member that follows from an error, if there is one.
fn member(error: &Error) -> Option<Member> {
    match error {
        Error::Invalid(problems) => {
            let problems = problems.iter();
            let errors = problems.map(|one| json!({ "pointer": one.pointer, "message": one.message }));
            Some(("errors", errors.collect()))
        }
        Error::Upgraded { successor: Some(room) } => Some(("successor_room_id", room.as_str().into())),
        Error::VersionMismatch { version } => Some(("version", (*version).into())),
        _ => None,
    }
}

fn problem(status: StatusCode, code: &str, detail: &str, id: &str, member: Option<Member>) -> Response {
    let mut body = document(status, code, detail, id);
    if let Some((name, value)) = member {
        body[name] = value;
    }
    (status, [(CONTENT_TYPE, PROBLEM_JSON)], body.to_string()).into_response()
}

/// Returns the answer to a connection whose request is not served, in the bytes of HTTP/1.1, and logs the
/// refusal.
pub(crate) fn raw(status: StatusCode, code: &str, detail: &str, retry_after: Option<Duration>) -> String {
    let request_id = request_log::new_id();
    tracing::info!(status = status.as_u16(), code, %request_id, "request refused");
    let body = document(status, code, detail, &request_id).to_string();
    let later = retry_after.map(|after| format!("retry-after: {}\r\n", whole_seconds(after)));
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\n{REQUEST_ID}: {request_id}\r\n{}\
         connection: close\r\n\r\n{body}",
        body.len(),
        later.unwrap_or_default(),
    )
}

fn document(status: StatusCode, code: &str, detail: &str, id: &str) -> Value {
    json!({
        "type": format!("urn:messenger-service:problem:{code}"),
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "request_id": id,
    })
}

/// Returns whether the router itself or an extractor of axum refused: handlers answer with problems.
fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    let content_type = response.headers().get(CONTENT_TYPE);
    (status.is_client_error() || status.is_server_error())
        && content_type.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

fn refusal(response: &Response, log: &RequestLog) -> Response {
    let status = response.status();
    let (code, detail) = words(status);
    log.log_refusal(status, code, "");
    let mut answer = problem(status, code, detail, log.id(), None);
    for (name, value) in response.headers() {
        if *name != CONTENT_TYPE && *name != CONTENT_LENGTH {
            answer.headers_mut().append(name, value.clone());
        }
    }
    answer
}

/// Returns the code and the detail for a refusal that has only a status.
pub(crate) fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => ("not_found", "there is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "this path has other methods: see the header Allow")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "the request's body is too large"),
        StatusCode::URI_TOO_LONG => ("uri_too_long", "the path with its query is too long"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "unsupported_media_type",
            "send `Content-Type: application/json`; a file, as `multipart/form-data`",
        ),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            ("range_not_satisfiable", "it ends before this range begins: see the header Content-Range")
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            ("headers_too_large", "the request has too many headers, or too large ones")
        }
        StatusCode::REQUEST_TIMEOUT => {
            ("request_timeout", "the request's body made no progress: send it again, and without pauses")
        }
        StatusCode::BAD_GATEWAY => (
            "upstream_failed",
            "the connection to the function behind this path broke: it may have done what it was asked",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "upstream_unavailable",
            "no copy of the function behind this path can be reached, and nothing was done: try again later",
        ),
        StatusCode::GATEWAY_TIMEOUT => (
            "upstream_timeout",
            "the function behind this path did not answer in time: it may have done what it was asked",
        ),
        StatusCode::BAD_REQUEST => (
            "invalid_request",
            "the request cannot be read: percent-encode the path and the query, and check headers and body",
        ),
        status if status.is_server_error() => {
            ("internal_error", "something went wrong here: report the request_id")
        }
        _ => ("invalid_request", "the request cannot be understood"),
    }
}
