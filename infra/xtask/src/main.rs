//! Every chore of the project behind one door: `cargo xtask --help`.
mod bench;
mod cargo;
mod ci;
mod interrupt;
mod lint;
mod profile;
mod step;
mod terminal;
mod test;
mod token;
mod up;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use messenger_devstack::Outlet;
use terminal::Style;

/// How long the terminal may take for what is still to be printed at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the whole service here, with its own PostgreSQL and its own homeserver, until Ctrl-C
    Up(up::Arguments),
    /// Print a Hub token (JWT) for a user, and nothing else
    Token(token::Arguments),
    /// Run all tests on a real PostgreSQL and a real homeserver
    Test(test::Arguments),
    /// Check format, lints, and the rules of the house that no compiler knows
    Lint,
    /// Measure the service against the physical limit and its peers
    Bench(bench::Arguments),
    /// Show where the router's time goes under a load, or who allocates in it
    Profile(profile::Arguments),
    /// What CI runs: lint, then test
    Ci,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(Outlet::stderr)
        .init();
    let result = match Arguments::parse().command {
        Command::Up(arguments) => up::run(arguments).await,
        Command::Token(arguments) => token::run(&arguments),
        Command::Test(arguments) => test::run(arguments).await,
        Command::Lint => lint::run().await,
        Command::Bench(arguments) => bench::run(arguments).await,
        Command::Profile(arguments) => profile::run(arguments).await,
        Command::Ci => ci::run().await,
    };
    let code = result.unwrap_or_else(|error| {
        Outlet::stderr().write(format!("{} {error:#}\n", Style::of_stderr().red("error:")));
        ExitCode::FAILURE
    });
    for outlet in [Outlet::stdout(), Outlet::stderr()] {
        outlet.flush(LAST_WORDS);
    }
    code
}
