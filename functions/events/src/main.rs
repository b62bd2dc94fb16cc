//! The events function as a binary: a Lambda function or a server.

use std::process::ExitCode;

use messenger_runtime::{main_with, program};

fn main() -> ExitCode {
    main_with(
        program!()
            .reading_copies(messenger_dynamo::copied_feed)
            .without_database(messenger_dynamo::copied_readers)
            .streaming()
            .without_homeserver(),
        || Ok(messenger_events::routes().into_router()),
    )
}
