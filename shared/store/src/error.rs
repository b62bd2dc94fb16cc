//! Errors of PostgreSQL and its driver as [`Error`].

use std::{error::Error as StdError, sync::Arc};

use deadpool_postgres::PoolError;
use messenger_core::{
    Error,
    error::{Failure, Fault, System},
};
use tokio_postgres::error::SqlState;

/// The conversion of an error of the driver.
pub(crate) trait Context<T> {
    /// Converts the error, with the operation that failed as context.
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

/// Returns a fault of the database.
pub(crate) fn fault(
    failure: Failure,
    context: &'static str,
    source: impl Into<Box<dyn StdError + Send + Sync>>,
) -> Error {
    Error::fault(System::Database, failure, context, source)
}

/// Returns a source of copies of an error, for the callers that share a commit.
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

/// Classifies an error of the driver.
pub(crate) fn failure(error: &tokio_postgres::Error) -> Failure {
    let Some(state) = error.code() else { return Failure::Unreachable };
    if [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE].contains(state) {
        return Failure::TimedOut;
    }
    // Classes of PostgreSQL's appendix "Error Codes". Temporary: the server starts or stops, is out of
    // resources, or ended a deadlock. 28: it does not admit this client.
    match &state.code()[..2] {
        "08" | "28" | "53" | "57" => Failure::Unreachable,
        "40" => Failure::TimedOut,
        "22" | "23" => Failure::Rejected,
        _ => Failure::Broken,
    }
}
