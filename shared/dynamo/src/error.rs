//! Errors of DynamoDB and its client as [`Error`].

use std::error::Error as StdError;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::error::ResourceNotFoundException,
};
use messenger_core::{
    Error,
    error::{Failure, System},
};

/// Codes of refusals because of too many requests (Amazon DynamoDB, "Error handling").
const THROTTLED: [&str; 5] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "Throttling",
    "LimitExceededException",
];
/// Codes of failures inside of DynamoDB.
const WITHIN: [&str; 3] = ["InternalServerError", "InternalFailure", "ServiceUnavailable"];

/// The cause of the failure of an operation that needs a process with a database.
pub(crate) const NO_DATABASE: &str = "this process has no database: DATABASE_URL is not set";

/// The conversion of an error of the client.
pub(crate) trait Context<T> {
    /// Converts the error, with the operation that failed as context.
    fn context(self, context: &'static str) -> Result<T, Error>;
}

impl<T, E> Context<T> for Result<T, SdkError<E>>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    fn context(self, context: &'static str) -> Result<T, Error> {
        self.map_err(|error| Error::fault(System::FeedCopy, failure(&error), context, Box::new(error)))
    }
}

/// Returns whether DynamoDB refused because of too many requests.
pub(crate) fn is_throttled<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    code(error).is_some_and(|code| THROTTLED.contains(&code))
}

/// Returns whether a condition did not hold.
pub(crate) fn is_refused_by_condition<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    code(error) == Some("ConditionalCheckFailedException")
}

/// Returns a failure of the copy that no operation reported.
pub(crate) fn fault(failure: Failure, context: &'static str, source: &'static str) -> Error {
    Error::fault(System::FeedCopy, failure, context, source)
}

/// Returns whether the table does not exist.
pub(crate) fn is_table_missing(error: &Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<ResourceNotFoundException>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn failure<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Failure {
    match error {
        SdkError::TimeoutError(_) => Failure::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Failure::TimedOut,
        SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => Failure::Unreachable,
        _ if is_throttled(error) => Failure::Unreachable,
        _ if code(error).is_some_and(|code| WITHIN.contains(&code)) => Failure::Unreachable,
        // A table that is not there yet, or credentials that do not count yet, may come.
        _ if code(error) == Some("ResourceNotFoundException") => Failure::Unreachable,
        _ => Failure::Broken,
    }
}

/// Returns the code of an error of DynamoDB.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}
