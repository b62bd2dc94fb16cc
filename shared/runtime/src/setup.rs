//! Setup: the schema, and the registration with the homeserver.

use std::time::Duration;

use anyhow::Context as _;
use messenger_matrix::{Registration, bootstrap, bootstrap_without_push, registration};
use messenger_store::migrate;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::{App, Config, app};

/// Pause between attempts.
const PAUSE: Duration = Duration::from_secs(2);
/// Time limit of the first attempt. The worker's other tasks wait for it.
const FIRST_ATTEMPT: Duration = Duration::from_secs(10);
/// Time limit for the service to answer at `APPSERVICE_URL`. Perhaps only the homeserver reaches that
/// address.
const LISTENER_WAIT: Duration = Duration::from_mins(1);
const LISTENER_PAUSE: Duration = Duration::from_millis(500);
const FAILED: &str = "bootstrapping the homeserver failed";

/// Migrates the database.
pub async fn database(config: &Config) -> anyhow::Result<()> {
    let url = config.database_listen_url.as_ref().or(config.database_url.as_ref());
    let url = url.context("DATABASE_URL is missing: only events and poll run without it")?;
    migrate(url).await.context("migrating the database failed")
}

/// Registers the service with the homeserver, and stores the sync token to start from. Conduit is registered
/// with push only if the service answers already; otherwise the worker completes the registration.
pub async fn homeserver(app: &App) -> anyhow::Result<()> {
    let worker = Uuid::new_v4().simple().to_string();
    let pushes = begin(app, &worker).await?;
    app.messenger.reconcile().stop(&worker).await?;
    if pushes {
        return Ok(());
    }
    if registration(&app.config).is_answered().await {
        return start_push(app).await;
    }
    tracing::info!(
        url = app.config.appservice_url,
        "registered without push: the service does not answer at APPSERVICE_URL yet; a worker completes the registration"
    );
    Ok(())
}

/// Registers the service and stores the sync token to start from, so that reconciliation finds all events
/// that are pushed in vain later. A Conduit that does not know the service yet is registered without push.
/// Returns whether the homeserver pushes.
async fn begin(app: &App, worker: &str) -> anyhow::Result<bool> {
    let config = &app.config;
    let (homeserver, admin) = (app::homeserver(config), app::administrator(config));
    let pushes = bootstrap_without_push(&homeserver, &registration(config), &admin).await.context(FAILED)?;
    app.messenger.reconcile().begin(worker).await.context("storing the first sync token failed")?;
    Ok(pushes)
}

/// Registers the service with push.
async fn start_push(app: &App) -> anyhow::Result<()> {
    let config = &app.config;
    let (homeserver, admin) = (app::homeserver(config), app::administrator(config));
    bootstrap(&homeserver, &registration(config), &admin).await.context(FAILED)
}

/// Returns the registration file for Synapse (`app_service_config_files`). It contains both tokens.
pub fn registration_file(config: &Config) -> String {
    registration::yaml(&registration(config))
}

fn registration(config: &Config) -> Registration {
    Registration {
        id: "messenger".to_owned(),
        url: Some(config.appservice_url.clone()),
        as_token: config.as_token.clone(),
        hs_token: config.hs_token.clone(),
        bot_localpart: config.settings.bot_localpart.clone(),
        server_name: config.settings.server_name.clone(),
    }
}

/// Migrates the database; repeats it until it succeeds.
pub async fn database_patiently(config: &Config) {
    while let Err(error) = database(config).await {
        tracing::error!("{error:#}");
        sleep(PAUSE).await;
    }
}

/// Registers the service with the homeserver in the background, and repeats it until it succeeds: the service
/// works without. Returns after the first attempt, so that later tasks mostly find the homeserver ready.
pub async fn homeserver_in_background(app: &App, worker: &str) {
    let (app, worker) = (app.clone(), worker.to_owned());
    let (attempted, first) = oneshot::channel();
    tokio::spawn(async move { register(&app, &worker, attempted).await });
    // The receiver ends when the sender is dropped, at the end of the first attempt.
    let _ = timeout(FIRST_ATTEMPT, first).await;
}

/// Completes the registration of the service with the homeserver, and repeats it until it succeeds.
pub async fn complete_registration(app: &App, worker: &str) {
    let (attempted, _) = oneshot::channel();
    register(app, worker, attempted).await;
}

async fn register(app: &App, worker: &str, attempted: oneshot::Sender<()>) {
    let (mut attempted, mut failures) = (Some(attempted), Failures::default());
    let pushes = loop {
        let begun = begin(app, worker).await;
        drop(attempted.take());
        match failures.log(begun) {
            Some(pushes) => break pushes,
            None => sleep(PAUSE).await,
        }
    };
    if pushes {
        return;
    }
    listener(app).await;
    while failures.log(start_push(app).await).is_none() {
        sleep(PAUSE).await;
    }
}

/// Waits until the service answers at `APPSERVICE_URL`, for at most [`LISTENER_WAIT`].
async fn listener(app: &App) {
    let registration = registration(&app.config);
    let deadline = Instant::now() + LISTENER_WAIT;
    while !registration.is_answered().await {
        if Instant::now() > deadline {
            let url = &app.config.appservice_url;
            tracing::warn!(url, "registering push although the service does not answer at APPSERVICE_URL");
            return;
        }
        sleep(LISTENER_PAUSE).await;
    }
}

/// A log of failures: it has each one once, not each repetition.
#[derive(Default)]
struct Failures {
    last: String,
}

impl Failures {
    fn log<T>(&mut self, result: anyhow::Result<T>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => format!("{error:#}"),
        };
        if error != self.last {
            tracing::error!("{error}");
            self.last = error;
        }
        None
    }
}
