//! The worker: drains the outbox, makes Matrix accounts ready, keeps the log short. A loop in a container, a timer on
//! Lambda; any number of workers may run.

mod work;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use messenger_runtime::{App, Config, logging, setup};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

/// How long one run takes on Lambda, where a timer of one minute starts the next.
const LAMBDA_RUN: Duration = Duration::from_secs(50);

/// Delivers what is pending, makes Matrix accounts ready, and keeps the event log short. Configured by environment
/// variables; see the README.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Migrate the database and bootstrap the homeserver, then end. Again is no change.
    Setup {
        /// Leave the homeserver alone: it is not there yet.
        #[arg(long)]
        skip_homeserver: bool,
    },
    /// Print the registration file for Synapse (`app_service_config_files`). It has secrets in it. Conduit needs none.
    Registration,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    logging::start(&config.log_level, config.production);
    match run(&arguments, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
#[expect(
    clippy::disallowed_methods,
    reason = "the Lambda runtime says that it is there by this variable alone"
)]
async fn run(arguments: &Arguments, config: Config) -> anyhow::Result<()> {
    match arguments.command {
        Some(Command::Setup { skip_homeserver }) => {
            setup::database(&config).await?;
            return if skip_homeserver { Ok(()) } else { setup::homeserver(&config).await };
        }
        Some(Command::Registration) => {
            print!("{}", setup::registration_file(&config));
            return Ok(());
        }
        None => {}
    }
    let app = App::compose(config)?;
    if std::env::var("AWS_LAMBDA_RUNTIME_API").is_ok() {
        return on_timer(app).await;
    }
    setup::patiently(&app.config).await;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tracing::info!("working");
    tokio::select! {
        () = work::forever(&app.hub) => {}
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    // Whatever was under way is idempotent: leases run out, and the next worker goes on.
    Ok(())
}

async fn on_timer(app: App) -> anyhow::Result<()> {
    let hub = &app.hub;
    let handler = service_fn(|_: LambdaEvent<Value>| async move {
        // The time is over: that is how each run ends.
        let _ = tokio::time::timeout(LAMBDA_RUN, work::forever(hub)).await;
        Ok::<_, lambda_runtime::Error>(Value::Null)
    });
    lambda_runtime::run(handler).await.map_err(anyhow::Error::from_boxed)
}
