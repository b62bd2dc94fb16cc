//! `messenger-bench`: `docs/performance.md` says what it measures.
use std::process::ExitCode;

use clap::Parser;
use messenger_bench::{Options, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
