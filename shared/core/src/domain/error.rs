//! The one error of the service, in terms that every endpoint can answer with.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use crate::domain::id::RoomId;

/// The result of every use case and port.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause of an error.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error of a use case or port. It becomes an HTTP status in exactly one place (`messenger-runtime`).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Missing or invalid credentials.
    #[error("{detail}")]
    Unauthenticated {
        /// Stable, `snake_case`.
        code: &'static str,
        /// A sentence that says what the caller can do.
        detail: Cow<'static, str>,
    },
    /// An act that this caller may not do.
    #[error("{detail}")]
    Forbidden {
        /// Stable, `snake_case`.
        code: &'static str,
        /// A sentence that says what is not allowed.
        detail: Cow<'static, str>,
    },
    /// An object that does not exist, or that the caller may not know of.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Wrong fields, each of them named.
    #[error("{}", sentence(.0))]
    Invalid(Vec<Problem>),
    /// A body that is larger than allowed.
    #[error("the file is too large: at most {most} bytes are accepted")]
    TooLarge {
        /// The largest size, in bytes.
        most: u64,
    },
    /// A body in a form that is not accepted.
    #[error("{detail}")]
    Unsupported {
        /// Stable, `snake_case`.
        code: &'static str,
        /// A sentence that says which form is accepted.
        detail: Cow<'static, str>,
    },
    /// An act that the current state does not allow.
    #[error("{detail}")]
    Conflict {
        /// Stable, `snake_case`.
        code: &'static str,
        /// A sentence that names the conflicting state.
        detail: Cow<'static, str>,
        /// The time until another attempt may succeed; `None` if waiting does not help.
        retry_after: Option<Duration>,
    },
    /// A room that was replaced by another (`m.room.tombstone`).
    #[error("{}", upgraded(successor.as_ref()))]
    Upgraded {
        /// The room to use instead; `None` if the caller may not know it.
        successor: Option<RoomId>,
    },
    /// An object that has changed since the caller read it (RFC 9110, "412 Precondition Failed").
    #[error("it has changed since you read it, and has version {version} now: read it again")]
    VersionMismatch {
        /// The present version.
        version: i64,
    },
    /// More work at once than this process takes.
    #[error("too many requests")]
    Busy {
        /// The time until another attempt may succeed.
        retry_after: Duration,
    },
    /// A limit that the caller has reached.
    #[error("{detail}")]
    Limited {
        /// A sentence that names the limit and says what the caller can do.
        detail: Cow<'static, str>,
        /// The time until another attempt may succeed.
        retry_after: Duration,
    },
    /// A part of this process that does not work now.
    #[error("{detail}")]
    Unavailable {
        /// Stable, `snake_case`.
        code: &'static str,
        /// A sentence that names the part and says how it fails.
        detail: Cow<'static, str>,
    },
    /// A failure of a system that this service needs.
    #[error(transparent)]
    Fault(#[from] Box<Fault>),
    /// A bug of this service, or a broken invariant. No other system is to blame.
    #[error("internal error while {context}")]
    Internal {
        /// The operation that failed, as in "signing a token".
        context: &'static str,
        /// The cause; it is logged, and never part of an answer.
        source: Option<Source>,
    },
}

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON Pointer (RFC 6901) to the field; empty for the whole body; `?name` for a query parameter.
    pub pointer: String,
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// A sentence part that says what is wrong and how to mend it.
    pub message: String,
}

/// The systems that this service needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// PostgreSQL.
    Database,
    /// DynamoDB, with a copy of the event log.
    FeedCopy,
    /// The Matrix homeserver.
    Homeserver,
    /// The Hub, which issues the tokens of users.
    Hub,
    /// The disk of this process.
    Disk,
}

/// The kind of a failure. It decides between trying again and giving up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection.
    Unreachable,
    /// No answer in time; the outcome is unknown.
    TimedOut,
    /// A request to slow down, with the time to wait.
    Limited(Duration),
    /// An answer that makes no sense, or an error within the system.
    Broken,
    /// A refusal that would be the same again.
    Rejected,
    /// A position to read from that the system does not know: it was set up again since, or the position is
    /// of another.
    UnknownToken,
}

/// The reason of a refusal by the homeserver (Matrix specification, client-server API, "Common error codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The user may not do this in this room, or the room does not exist: `M_FORBIDDEN` and its like.
    Forbidden,
    /// The account of the user is deactivated.
    Deactivated,
    /// The account of the user is suspended or locked.
    Suspended,
    /// The file or event is larger than the homeserver accepts.
    TooLarge,
}

/// A failure of another system, with its cause.
#[derive(Debug, thiserror::Error)]
#[error("{system} {failure} while {context}")]
pub struct Fault {
    /// The system that failed.
    pub system: System,
    /// The kind of the failure.
    pub failure: Failure,
    /// The reason, if the system refused and named one that the user can act on.
    pub refusal: Option<Refusal>,
    /// The operation that failed, as in "storing a notification".
    pub context: &'static str,
    /// The cause; it is logged, and never part of an answer.
    #[source]
    pub source: Option<Source>,
}

impl Error {
    /// Returns an error for one wrong field.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Problem::new(pointer, message)])
    }

    /// Returns a failure of `system`.
    pub fn fault(system: System, failure: Failure, context: &'static str, source: impl Into<Source>) -> Self {
        let source = Some(source.into());
        Self::Fault(Box::new(Fault { system, failure, refusal: None, context, source }))
    }

    /// Returns a refusal by the homeserver.
    pub fn refused(refusal: Refusal, context: &'static str, source: impl Into<Source>) -> Self {
        let (system, failure) = (System::Homeserver, Failure::Rejected);
        Self::Fault(Box::new(Fault {
            system,
            failure,
            refusal: Some(refusal),
            context,
            source: Some(source.into()),
        }))
    }

    /// Returns an internal error with its cause.
    pub fn internal(context: &'static str, source: impl Into<Source>) -> Self {
        Self::Internal { context, source: Some(source.into()) }
    }

    /// Returns a source of copies of this error, for the callers that share an operation. Any error but a
    /// failure of another system becomes an internal one.
    pub(crate) fn share(self, context: &'static str) -> impl Fn() -> Self {
        let kind = match &self {
            Self::Fault(fault) => Some((fault.system, fault.failure)),
            _ => None,
        };
        let cause = Arc::new(self);
        move || match kind {
            Some((system, failure)) => Self::fault(system, failure, context, cause.clone()),
            None => Self::internal(context, cause.clone()),
        }
    }

    /// Returns an error for an operation that this process cannot do yet. The sentence says what the caller
    /// can do.
    pub fn not_ready(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Unavailable { code: "not_ready", detail: detail.into() }
    }

    /// Returns the stable code of this error, for programs that read it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated { code, .. }
            | Self::Forbidden { code, .. }
            | Self::Unsupported { code, .. }
            | Self::Unavailable { code, .. }
            | Self::Conflict { code, .. } => code,
            Self::NotFound(_) => "not_found",
            Self::Invalid(problems) => {
                problems.iter().map(|p| p.code).find(|c| *c != Problem::INVALID).unwrap_or("invalid_request")
            }
            Self::TooLarge { .. } => "body_too_large",
            Self::Upgraded { .. } => "room_upgraded",
            Self::VersionMismatch { .. } => "version_mismatch",
            Self::Busy { .. } | Self::Limited { .. } => "rate_limited",
            Self::Internal { .. } => "internal_error",
            Self::Fault(fault) => match (fault.system, fault.failure) {
                (
                    System::Database | System::FeedCopy,
                    Failure::Broken | Failure::Rejected | Failure::UnknownToken,
                )
                | (System::Disk, _) => "internal_error",
                // For callers, the copy is a part of the database.
                (System::Database | System::FeedCopy, _) => "database_unavailable",
                (System::Homeserver, Failure::Unreachable | Failure::Limited(_)) => "homeserver_unavailable",
                (System::Homeserver, Failure::TimedOut) => "homeserver_timeout",
                (System::Homeserver, Failure::Broken | Failure::Rejected | Failure::UnknownToken) => {
                    "homeserver_error"
                }
                (System::Hub, Failure::Broken | Failure::Rejected | Failure::UnknownToken) => "hub_error",
                (System::Hub, _) => "hub_unavailable",
            },
        }
    }

    /// Returns whether the same act may succeed later without a change. An internal error counts as such, so
    /// that nothing is given up for good because of a bug of ours.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Limited { .. } | Self::Unavailable { .. } | Self::Internal { .. } => {
                true
            }
            Self::Conflict { retry_after, .. } => retry_after.is_some(),
            Self::Fault(fault) => !matches!(fault.failure, Failure::Rejected | Failure::UnknownToken),
            _ => false,
        }
    }

    /// Returns the reason of a refusal by the homeserver; `None` for any other error.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Fault(fault) => fault.refusal,
            _ => None,
        }
    }

    /// Returns the kind of failure of another system; `None` for any other error.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Fault(fault) => Some(fault.failure),
            _ => None,
        }
    }
}

impl Problem {
    /// The code of a problem that needs no code of its own.
    pub const INVALID: &'static str = "invalid";

    /// Returns a problem of one field.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: Self::INVALID, message: message.into() }
    }

    /// Returns the same problem with a code of its own.
    #[must_use]
    pub fn coded(self, code: &'static str) -> Self {
        Self { code, ..self }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "the database",
            Self::FeedCopy => "the copy of the event log",
            Self::Homeserver => "the homeserver",
            Self::Hub => "the Hub",
            Self::Disk => "the disk",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "could not be reached",
            Self::TimedOut => "did not answer in time",
            Self::Limited(_) => "asked us to slow down",
            Self::Broken => "failed",
            Self::Rejected => "refused",
            Self::UnknownToken => "did not know the token",
        })
    }
}

fn upgraded(successor: Option<&RoomId>) -> String {
    let room = "the room was replaced by another";
    match successor {
        Some(successor) => format!("{room}: use {successor}"),
        None => format!("{room}: list your rooms again"),
    }
}

fn sentence(problems: &[Problem]) -> String {
    let parts: Vec<_> = problems
        .iter()
        .map(|p| match p.pointer.trim_start_matches('/') {
            "" => p.message.clone(),
            field => format!("{field}: {}", p.message),
        })
        .collect();
    parts.join("; ")
}
