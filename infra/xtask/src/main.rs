//! The commands of the project: `cargo xtask --help`.
mod bench;
mod cargo;
mod ci;
mod compose;
mod count;
mod images;
mod interrupt;
mod lambda;
mod licenses;
mod lint;
mod openapi;
mod pages;
mod step;
mod terminal;
mod test;
mod token;
mod up;
mod web;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use messenger_devstack::OutputQueue;
use terminal::Style;

/// Time limit for writing the rest of the output at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the whole service on this machine, with its own PostgreSQL and homeserver, until Ctrl-C
    Up(Box<up::Arguments>),
    /// Print a Hub token (JWT) for a user, and nothing else
    Token(token::Arguments),
    /// Run all tests on a real PostgreSQL and a real homeserver
    Test(test::Arguments),
    /// Check format, clippy, licences, and the rules of CONTRIBUTING.md
    Lint,
    /// Write docs/openapi.json from the code, or check that it is that of the code
    Openapi(openapi::Arguments),
    /// Build the images of all programs, and print their sizes
    Images(images::Arguments),
    /// Run the containers of docker-compose.local.yml on an engine of this machine, or on an own one
    Compose(compose::Arguments),
    /// Write the lists of licences from the lock files, or check that they are those of them
    Licenses(licenses::Arguments),
    /// Build, package, run and measure the functions for AWS Lambda, and check their template
    Lambda(lambda::Arguments),
    /// Build, check and prove the pages of the web messenger
    #[command(subcommand)]
    Web(web::Command),
    /// Measure the service, alone and beside other servers
    Bench(bench::Arguments),
    /// Run lint, then all tests with those of the containers if this machine runs any
    Ci(ci::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(OutputQueue::stderr)
        .init();
    let result = match Arguments::parse().command {
        Command::Up(arguments) => up::run(*arguments).await,
        Command::Token(arguments) => token::run(&arguments),
        Command::Test(arguments) => test::run(arguments).await,
        Command::Lint => lint::run().await,
        Command::Openapi(arguments) => openapi::run(arguments).await,
        Command::Images(arguments) => images::run(arguments).await,
        Command::Compose(arguments) => compose::run(arguments).await,
        Command::Licenses(arguments) => licenses::run(arguments).await,
        Command::Lambda(arguments) => lambda::run(arguments).await,
        Command::Web(command) => web::run(command).await,
        Command::Bench(arguments) => bench::run(arguments).await,
        Command::Ci(arguments) => ci::run(arguments).await,
    };
    let code = result.unwrap_or_else(|error| {
        OutputQueue::stderr().write(format!("{} {error:#}\n", Style::of_stderr().red("error:")));
        ExitCode::FAILURE
    });
    for queue in [OutputQueue::stdout(), OutputQueue::stderr()] {
        queue.flush(FLUSH_TIMEOUT);
    }
    code
}
