//! The health function as a binary: a Lambda function or a server.

use std::process::ExitCode;

use messenger_runtime::{ResponseMode, main_with};

fn main() -> ExitCode {
    main_with(messenger_health::routes(), ResponseMode::Buffered)
}
