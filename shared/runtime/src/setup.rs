//! What has to be true before anything works: the schema, and our registration with the homeserver.

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
/// Time limit of the first attempt, for which the worker's other work waits.
const FIRST_ATTEMPT: Duration = Duration::from_secs(10);
/// Time limit for the service to answer where a Conduit is to push. Perhaps only the homeserver reaches it there.
const LISTENER_WAIT: Duration = Duration::from_mins(1);
const LISTENER_PAUSE: Duration = Duration::from_millis(500);
const FAILED: &str = "the homeserver cannot be bootstrapped";

/// Migrates the database.
pub async fn database(config: &Config) -> anyhow::Result<()> {
    migrate(&config.database_url).await.context("the database cannot be migrated")
}

/// Registers us with the homeserver, and stores where reading its stream begins. A Conduit pushes only if the service
/// answers already; otherwise the worker sees to that.
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
        "registered without push: the service does not answer at APPSERVICE_URL yet. A worker completes the registration \
         when it does"
    );
    Ok(())
}

/// Registers us, without push at a Conduit that does not know us yet, and stores the position from which the homeserver's
/// stream is read: nothing that is pushed in vain later can be missed. Returns whether the homeserver pushes.
async fn begin(app: &App, worker: &str) -> anyhow::Result<bool> {
    let config = &app.config;
    let (homeserver, admin) = (app::homeserver(config), app::administrator(config));
    let pushes = bootstrap_without_push(&homeserver, &registration(config), &admin).await.context(FAILED)?;
    app.messenger.reconcile().begin(worker).await.context("the homeserver's stream cannot be read")?;
    Ok(pushes)
}

/// Tells the homeserver where to push.
async fn start_push(app: &App) -> anyhow::Result<()> {
    let config = &app.config;
    let (homeserver, admin) = (app::homeserver(config), app::administrator(config));
    bootstrap(&homeserver, &registration(config), &admin).await.context(FAILED)
}

/// The registration file that Synapse reads (`app_service_config_files`). Has both tokens in it.
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

/// Tries until the database is ready.
pub async fn database_patiently(config: &Config) {
    while let Err(error) = database(config).await {
        tracing::error!("{error:#}");
        sleep(PAUSE).await;
    }
}

/// Registers us with the homeserver in the background, however long that takes: the service works without it. Returns after
/// the first attempt, so that what needs the homeserver mostly finds it ready.
pub async fn homeserver_in_background(app: &App, worker: &str) {
    let (app, worker) = (app.clone(), worker.to_owned());
    let (attempted, first) = oneshot::channel();
    tokio::spawn(async move { register(&app, &worker, attempted).await });
    // It ends otherwise only with the sender, at the end of the first attempt.
    let _ = timeout(FIRST_ATTEMPT, first).await;
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

/// Waits until the service answers where the homeserver is to push, but not for ever.
async fn listener(app: &App) {
    let registration = registration(&app.config);
    let deadline = Instant::now() + LISTENER_WAIT;
    while !registration.is_answered().await {
        if Instant::now() > deadline {
            let url = &app.config.appservice_url;
            tracing::warn!(
                url,
                "the service does not answer at APPSERVICE_URL: the homeserver pushes there nevertheless"
            );
            return;
        }
        sleep(LISTENER_PAUSE).await;
    }
}

/// Logs a failure once, however often it is met again.
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
