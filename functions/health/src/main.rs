//! The health function as a binary: a Lambda function or a server.

use std::process::ExitCode;

use messenger_runtime::{main_with, program};

fn main() -> ExitCode {
    main_with(program!().reading_copies(messenger_dynamo::copied_feed), || {
        Ok(messenger_health::routes().into_router())
    })
}
