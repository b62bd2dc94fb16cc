//! The messages function as a binary: a Lambda function or a server.

use std::process::ExitCode;

use messenger_runtime::{main_with, program};

fn main() -> ExitCode {
    main_with(program!(), || Ok(messenger_messages::routes().into_router()))
}
