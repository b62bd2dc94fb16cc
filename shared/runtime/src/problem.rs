//! The one place where an error becomes an answer: `application/problem+json` (RFC 9457). Here, and only here, a
//! failure is logged, with its cause.

use std::{error::Error as StdError, fmt::Write as _, sync::Arc, time::Duration};

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use messenger_core::{
    Error,
    error::{Failure, System},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// The header that names a request in answers and logs.
const REQUEST_ID: &str = "x-request-id";
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// When it is worth coming again where nobody knows better.
const PAUSE: Duration = Duration::from_secs(2);

/// An error on its way to the caller. Handlers return it with `?`.
#[derive(Debug)]
pub struct Failed(Error);

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    /// The error travels to [`answer`], which knows the request.
    fn into_response(self) -> Response {
        let mut response = status(&self.0).into_response();
        response.extensions_mut().insert(Arc::new(self.0));
        response
    }
}

/// Names each request, and turns what went wrong into an answer.
pub async fn answer(request: Request, next: Next) -> Response {
    let id = Uuid::new_v4().simple().to_string();
    let line = format!("{} {}", request.method(), request.uri().path());
    let mut response = next.run(request).await;
    let failed = response.extensions_mut().remove::<Arc<Error>>();
    if let Some(error) = &failed {
        log(error, response.status(), &id, &line);
        let retry_after = retry_after(error);
        response = problem(response.status(), error.code(), &detail(error), &id, fields(error));
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
            // The rest of the body is not read, so the connection cannot be used again: say so.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    } else if is_bare_error(&response) {
        response = refusal(&response, &id);
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if failed.is_some_and(|error| error.code() == "unsupported_content_encoding") {
        response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().entry(RETRY_AFTER).or_insert(HeaderValue::from(PAUSE.as_secs()));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        // An answer from elsewhere has the id under which it is told of there.
        response.headers_mut().entry(REQUEST_ID).or_insert(id);
    }
    response
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
        Error::Forbidden { .. } => StatusCode::FORBIDDEN,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Conflict { .. } => StatusCode::CONFLICT,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Busy { .. } | Error::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::Fault(fault) => match (fault.failure, fault.system) {
            (Failure::Unreachable | Failure::Limited(_), _) | (Failure::TimedOut, System::Database) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            (Failure::TimedOut, System::Homeserver) => StatusCode::GATEWAY_TIMEOUT,
            (_, System::Homeserver) => StatusCode::BAD_GATEWAY,
            (_, System::Database | System::Disk) => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

/// Whole seconds, at least one.
fn retry_after(error: &Error) -> Option<u64> {
    let after = match error {
        Error::Busy { retry_after }
        | Error::Limited { retry_after, .. }
        | Error::Conflict { retry_after: Some(retry_after), .. } => *retry_after,
        Error::Fault(fault) => match fault.failure {
            Failure::Limited(after) => after,
            Failure::Unreachable | Failure::TimedOut => PAUSE,
            Failure::Broken | Failure::Rejected | Failure::UnknownPosition => return None,
        },
        _ => return None,
    };
    Some(whole_seconds(after))
}

fn whole_seconds(after: Duration) -> u64 {
    let begun = u64::from(after.subsec_nanos() > 0);
    (after.as_secs() + begun).max(1)
}

/// What the caller is told: never more than they can act on.
fn detail(error: &Error) -> String {
    match error {
        Error::Fault(fault) => match (fault.system, fault.failure) {
            (System::Database, Failure::Unreachable | Failure::TimedOut | Failure::Limited(_)) => {
                "the database cannot be reached: try again later".to_owned()
            }
            (System::Database | System::Disk, _) => {
                "something went wrong here: report the request_id".to_owned()
            }
            (System::Homeserver, _) => format!("{fault}: try again later"),
        },
        other => other.to_string(),
    }
}

fn fields(error: &Error) -> Option<Value> {
    let Error::Invalid(problems) = error else { return None };
    Some(
        problems
            .iter()
            .map(|problem| json!({ "pointer": problem.pointer, "message": problem.message }))
            .collect(),
    )
}

fn problem(status: StatusCode, code: &str, detail: &str, id: &str, fields: Option<Value>) -> Response {
    let mut body = document(status, code, detail, id);
    if let Some(fields) = fields {
        body["errors"] = fields;
    }
    (status, [(CONTENT_TYPE, PROBLEM_JSON)], body.to_string()).into_response()
}

/// The answer to a connection whose request is not served, as it is written to the socket.
pub(crate) fn raw(status: StatusCode, code: &str, detail: &str, retry_after: Option<Duration>) -> String {
    let id = Uuid::new_v4().simple().to_string();
    let body = document(status, code, detail, &id).to_string();
    let later = retry_after.map(|after| format!("retry-after: {}\r\n", whole_seconds(after)));
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\n{REQUEST_ID}: {id}\r\n{}\
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

/// Whether the router itself refused: no handler of ours answers so.
fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    let content_type = response.headers().get(CONTENT_TYPE);
    (status.is_client_error() || status.is_server_error())
        && content_type.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

fn refusal(response: &Response, id: &str) -> Response {
    let status = response.status();
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("not_found", "there is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "this path has other methods: see the header Allow")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "the request's body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "unsupported_media_type",
            "send `Content-Type: application/json`; a file, as `multipart/form-data`",
        ),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            ("range_not_satisfiable", "it ends before this range begins: see the header Content-Range")
        }
        StatusCode::REQUEST_TIMEOUT => {
            ("request_timeout", "the request's body made no progress: send it again, and without pauses")
        }
        StatusCode::BAD_GATEWAY => {
            ("upstream_unavailable", "the function behind this path cannot be reached")
        }
        StatusCode::GATEWAY_TIMEOUT => (
            "upstream_timeout",
            "the function behind this path did not answer in time: it may have done what it was asked",
        ),
        _ => ("invalid_request", "the request cannot be understood"),
    };
    let mut answer = problem(status, code, detail, id, None);
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        // The rest of the body is not read, so the connection cannot be used again: say so.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    for (name, value) in response.headers() {
        if *name != CONTENT_TYPE && *name != http::header::CONTENT_LENGTH {
            answer.headers_mut().append(name, value.clone());
        }
    }
    answer
}

fn log(error: &Error, status: StatusCode, request_id: &str, request: &str) {
    let cause = causes(error);
    if status.is_server_error() {
        tracing::error!(status = status.as_u16(), %request_id, request, cause, "failed");
    } else {
        tracing::debug!(status = status.as_u16(), %request_id, request, cause, "refused");
    }
}

/// The error and all that is behind it, in one line.
fn causes(error: &Error) -> String {
    let mut line = error.to_string();
    let mut next = match error {
        Error::Fault(fault) => fault.source(),
        other => other.source(),
    };
    while let Some(cause) = next {
        // Writing to a String cannot fail.
        let _ = write!(line, ": {cause}");
        next = cause.source();
    }
    line
}
