//! The web function as a binary: a Lambda function or a server.

use std::process::ExitCode;

use messenger_runtime::{main_with, program};

fn main() -> ExitCode {
    main_with(program!().without_homeserver(), || Ok(messenger_web::routes().into_router()))
}
