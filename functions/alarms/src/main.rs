//! The alarms function as a binary: a Lambda function or a server.

use std::process::ExitCode;

use messenger_runtime::{main_with, program};

fn main() -> ExitCode {
    main_with(program!(), || Ok(messenger_alarms::routes().into_router()))
}
