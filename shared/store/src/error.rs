//! What PostgreSQL's errors mean to us.

use std::{error::Error as StdError, sync::Arc};

use deadpool_postgres::PoolError;
use messenger_core::{
    Error,
    error::{Failure, Fault, System},
};
use tokio_postgres::error::SqlState;

/// Turns a driver's error into ours.
pub(crate) trait Context<T> {
    /// Names what was being done.
    fn context(self, context: &'static str) -> Result<T, Error>;
}

impl<T> Context<T> for Result<T, tokio_postgres::Error> {
    fn context(self, context: &'static str) -> Result<T, Error> {
        self.map_err(|error| fault(failure(&error), context, error))
    }
}

impl<T> Context<T> for Result<T, PoolError> {
    fn context(self, context: &'static str) -> Result<T, Error> {
        self.map_err(|error| {
            let kind = match &error {
                PoolError::Timeout(_) => Failure::TimedOut,
                PoolError::Backend(cause) => failure(cause),
                _ => Failure::Unreachable,
            };
            fault(kind, context, error)
        })
    }
}

/// A failure of PostgreSQL.
pub(crate) fn fault(
    failure: Failure,
    context: &'static str,
    source: impl Into<Box<dyn StdError + Send + Sync>>,
) -> Error {
    Error::fault(System::Database, failure, context, source)
}

/// The same failure once more, for each of those who share a commit.
pub(crate) fn share(error: Error, context: &'static str) -> impl Fn() -> Error {
    let (failure, cause) = match error {
        Error::Fault(fault) => (fault.failure, Arc::new(*fault)),
        other => {
            let cause = Fault {
                system: System::Database,
                failure: Failure::Broken,
                refusal: None,
                context,
                source: Some(other.into()),
            };
            (Failure::Broken, Arc::new(cause))
        }
    };
    move || fault(failure, context, cause.clone())
}

fn failure(error: &tokio_postgres::Error) -> Failure {
    let Some(state) = error.code() else { return Failure::Unreachable };
    if [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE].contains(state) {
        return Failure::TimedOut;
    }
    // Classes of PostgreSQL's appendix "Error Codes": the server goes down or comes up, has no resources left, or
    // ended a deadlock. All of it passes.
    match &state.code()[..2] {
        "08" | "53" | "57" => Failure::Unreachable,
        "40" => Failure::TimedOut,
        "22" | "23" => Failure::Rejected,
        _ => Failure::Broken,
    }
}
