//! The worker: delivers notifications, provisions accounts, reconciles with the homeserver and maintains the
//! database. It loops in a container and runs by a timer on Lambda. Any number of workers may run.

mod lambda;
mod work;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use messenger_runtime::{App, Config, listen, logging, probe, program, setup, traces};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use uuid::Uuid;

use crate::work::Activity;

/// Time limit for releasing the lease at the end of a worker.
const RELEASE_WAIT: Duration = Duration::from_secs(1);

/// Delivers notifications, provisions Matrix accounts, and maintains the event log. Configured by environment
/// variables; see the README.
#[derive(Parser)]
#[command(version, after_help = program::VARIABLES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Migrate the database and bootstrap the homeserver, then end. A second run changes nothing.
    Setup {
        /// Leave the homeserver alone: it is not there yet.
        #[arg(long)]
        skip_homeserver: bool,
    },
    /// Print the registration file for Synapse (`app_service_config_files`). It has secrets in it. Conduit
    /// needs none.
    Registration,
    /// Ask /readyz of the worker that listens on PORT of this machine; exit with 0 if it is ready, else with
    /// 1, within a second.
    Probe,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Probe) = arguments.command {
        return probe::run();
    }
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if let Err(problem) = traces::start(&config) {
        eprintln!("{problem}");
        return ExitCode::from(2);
    }
    logging::start(&config.log_level, config.production);
    config.log_notices();
    let ended = run(&arguments, config);
    traces::end();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: &Arguments, config: Config) -> anyhow::Result<()> {
    match arguments.command {
        Some(Command::Setup { skip_homeserver }) => {
            setup::database(&config).await?;
            return if skip_homeserver { Ok(()) } else { setup::homeserver(&compose(config)?).await };
        }
        Some(Command::Registration) => {
            return Ok(io::stdout().write_all(setup::registration_file(&config).as_bytes())?);
        }
        Some(Command::Probe) | None => {}
    }
    let app = compose(config)?;
    if app.config.serving.is_on_lambda {
        return lambda::serve(app).await;
    }
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let worker = Uuid::new_v4().simple().to_string();
    listen(&app).await?;
    let loops = async {
        setup::database_patiently(&app.config).await;
        setup::homeserver_in_background(&app, &worker).await;
        app.set_up();
        tracing::info!(worker, "worker started");
        work::run(&app, &worker, &Activity::default()).await;
    };
    tokio::select! {
        () = loops => {}
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    // Unfinished work is idempotent: its leases expire, and another worker continues it.
    release(&app, &worker).await;
    tracing::info!(worker, "worker stopped");
    Ok(())
}

fn compose(config: Config) -> messenger_core::Result<App> {
    App::compose(messenger_runtime::program!().worker().reading_copies(messenger_dynamo::copied_feed), config)
}

/// Releases the leases on reconciliation and on the copy of the event log, so that another worker continues at
/// once.
async fn release(app: &App, worker: &str) {
    let releasing = async {
        app.messenger.reconcile().stop(worker).await?;
        match &app.relay {
            Some(relay) => relay.release(worker).await,
            None => Ok(()),
        }
    };
    if let Ok(Err(error)) = timeout(RELEASE_WAIT, releasing).await {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(
            worker,
            error,
            "releasing the leases of the worker failed: they expire in a few seconds"
        );
    }
}
