//! What has to be true before anything works: the schema, and our registration with the homeserver.

use std::time::Duration;

use anyhow::Context as _;
use messenger_matrix::{Registration, bootstrap, registration};
use messenger_store::migrate;

use crate::{Config, app};

/// Pause between attempts.
const PAUSE: Duration = Duration::from_secs(2);

/// Migrates the database.
pub async fn database(config: &Config) -> anyhow::Result<()> {
    migrate(&config.database_url).await.context("the database cannot be migrated")
}

/// Registers us with the homeserver.
pub async fn homeserver(config: &Config) -> anyhow::Result<()> {
    bootstrap(&app::homeserver(config), &registration(config), &app::administrator(config))
        .await
        .context("the homeserver cannot be bootstrapped")
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

/// Tries until the database is ready; goes on trying for the homeserver in the background, since the service works
/// without it.
pub async fn patiently(config: &Config) {
    while let Err(error) = database(config).await {
        tracing::error!("{error:#}");
        tokio::time::sleep(PAUSE).await;
    }
    let config = config.clone();
    tokio::spawn(async move {
        let mut last = String::new();
        while let Err(error) = homeserver(&config).await {
            let error = format!("{error:#}");
            // The same failure is logged once.
            if error != last {
                tracing::error!("{error}");
                last = error;
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
}
