//! The one error of the service: what went wrong, in terms that every door can answer with.

use std::{borrow::Cow, fmt, time::Duration};

use crate::domain::id::RoomId;

/// The result of every use case and port.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Becomes an HTTP status in exactly one place (`messenger-runtime`).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in, or the credentials are not valid.
    #[error("{detail}")]
    Unauthenticated {
        /// Stable, `snake_case`.
        code: &'static str,
        /// What to do about it.
        detail: Cow<'static, str>,
    },
    /// The caller is known and may not do this.
    #[error("{detail}")]
    Forbidden {
        /// Stable, `snake_case`.
        code: &'static str,
        /// What is not allowed.
        detail: Cow<'static, str>,
    },
    /// It does not exist, or the caller may not know that it exists.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Fields are wrong: each of them is named.
    #[error("{}", sentence(.0))]
    Invalid(Vec<Problem>),
    /// The body is larger than it may be.
    #[error("the file is too large: at most {most} bytes are accepted")]
    TooLarge {
        /// So many bytes.
        most: u64,
    },
    /// The body is in a form that is not accepted.
    #[error("{detail}")]
    Unsupported {
        /// Stable, `snake_case`.
        code: &'static str,
        /// A sentence that says which form is accepted.
        detail: Cow<'static, str>,
    },
    /// The state does not allow this now.
    #[error("{detail}")]
    Conflict {
        /// Stable, `snake_case`.
        code: &'static str,
        /// What it collides with.
        detail: Cow<'static, str>,
        /// When it is worth trying again.
        retry_after: Option<Duration>,
    },
    /// The room was replaced by another (`m.room.tombstone`).
    #[error("{}", upgraded(successor.as_ref()))]
    Upgraded {
        /// The room to use instead; `None` if the caller may not know it.
        successor: Option<RoomId>,
    },
    /// Too much at once: come back later.
    #[error("too many requests")]
    Busy {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The caller has reached a limit of theirs.
    #[error("{detail}")]
    Limited {
        /// The limit, and what to do about it.
        detail: Cow<'static, str>,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// A system that we need did not do its part.
    #[error(transparent)]
    Fault(#[from] Box<Fault>),
}

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON Pointer (RFC 6901) to the field; empty for the whole body; `?name` for a query parameter.
    pub pointer: String,
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// What is wrong and how to mend it.
    pub message: String,
}

/// The systems beside us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// PostgreSQL.
    Database,
    /// The Matrix homeserver.
    Homeserver,
    /// The disk of this process.
    Disk,
}

/// How a system failed. Decides between trying again and giving up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection.
    Unreachable,
    /// No answer in time; the outcome is unknown.
    TimedOut,
    /// Asked to slow down.
    Limited(Duration),
    /// It answered nonsense, or failed within itself.
    Broken,
    /// It understood and refused, and will refuse again.
    Rejected,
    /// It does not know the position from which it was to read: it was set up anew since, or the position is another's.
    UnknownPosition,
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

/// A failure of a system beside us, with its cause.
#[derive(Debug, thiserror::Error)]
#[error("{system} {failure} while {context}")]
pub struct Fault {
    /// Who failed.
    pub system: System,
    /// How.
    pub failure: Failure,
    /// The reason, if the system refused and named one that the user can act on.
    pub refusal: Option<Refusal>,
    /// What we were doing, as in "storing a notification".
    pub context: &'static str,
    /// The cause; goes into our log, never into an answer.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// One wrong field.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Problem::new(pointer, message)])
    }

    /// A failure of `system`.
    pub fn fault(
        system: System,
        failure: Failure,
        context: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let source = Some(source.into());
        Self::Fault(Box::new(Fault { system, failure, refusal: None, context, source }))
    }

    /// A refusal by the homeserver.
    pub fn refused(
        refusal: Refusal,
        context: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let (system, failure) = (System::Homeserver, Failure::Rejected);
        Self::Fault(Box::new(Fault {
            system,
            failure,
            refusal: Some(refusal),
            context,
            source: Some(source.into()),
        }))
    }

    /// The stable code of this error, for programs that read it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated { code, .. }
            | Self::Forbidden { code, .. }
            | Self::Unsupported { code, .. }
            | Self::Conflict { code, .. } => code,
            Self::NotFound(_) => "not_found",
            Self::Invalid(problems) => {
                problems.iter().map(|p| p.code).find(|c| *c != Problem::INVALID).unwrap_or("invalid_request")
            }
            Self::TooLarge { .. } => "body_too_large",
            Self::Upgraded { .. } => "room_upgraded",
            Self::Busy { .. } | Self::Limited { .. } => "rate_limited",
            Self::Fault(fault) => match (fault.system, fault.failure) {
                (System::Database, Failure::Broken | Failure::Rejected | Failure::UnknownPosition)
                | (System::Disk, _) => "internal_error",
                (System::Database, _) => "database_unavailable",
                (System::Homeserver, Failure::Unreachable | Failure::Limited(_)) => "homeserver_unavailable",
                (System::Homeserver, Failure::TimedOut) => "homeserver_timeout",
                (System::Homeserver, Failure::Broken | Failure::Rejected | Failure::UnknownPosition) => {
                    "homeserver_error"
                }
            },
        }
    }

    /// Whether the same act may succeed later without anybody changing it.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Limited { .. } => true,
            Self::Conflict { retry_after, .. } => retry_after.is_some(),
            Self::Fault(fault) => !matches!(fault.failure, Failure::Rejected | Failure::UnknownPosition),
            _ => false,
        }
    }

    /// The reason of a refusal by the homeserver, if that is what happened.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Fault(fault) => fault.refusal,
            _ => None,
        }
    }

    /// How a system beside us failed, if that is what happened.
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

    /// A wrong field.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: Self::INVALID, message: message.into() }
    }

    /// The same with a code of its own.
    #[must_use]
    pub fn coded(self, code: &'static str) -> Self {
        Self { code, ..self }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "the database",
            Self::Homeserver => "the homeserver",
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
            Self::UnknownPosition => "did not know the position",
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
