//! What the service is told: from the environment, else made up once and kept.
use std::path::{Path, PathBuf};

use anyhow::Result;
use messenger_devstack::home::{kept, secret};

use super::Arguments;
use crate::token::DEVELOPMENT_KEY;

/// The service's own account on the homeserver.
pub(super) const BOT: &str = "messenger";

/// Every variable has a default, so that none has to be set.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Configuration (as the service reads it)")]
pub(super) struct Environment {
    /// A PostgreSQL to use instead of an own one
    #[arg(long, env, hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// A homeserver to use instead of an own one: Conduit as it is, Synapse with our registration and its two tokens
    #[arg(long, env, hide_env_values = true, value_name = "URL")]
    matrix_homeserver_url: Option<String>,
    /// The part of Matrix ids after the colon
    #[arg(long, env, default_value = "hub.local", value_name = "NAME")]
    matrix_server_name: String,
    /// What the service shows the homeserver [default: made once and kept]
    #[arg(long, env, hide_env_values = true, value_name = "TOKEN")]
    matrix_as_token: Option<String>,
    /// What the homeserver shows the service [default: made once and kept]
    #[arg(long, env, hide_env_values = true, value_name = "TOKEN")]
    matrix_hs_token: Option<String>,
    /// Where the homeserver reaches the service [default: its own address]
    #[arg(long, env, value_name = "URL")]
    appservice_url: Option<String>,
    /// Signs the service's own tokens [default: made once and kept]
    #[arg(long, env, hide_env_values = true, value_name = "KEY")]
    secret_key: Option<String>,
    /// Signs the Hub's tokens
    #[arg(long, env, hide_env_values = true, default_value = DEVELOPMENT_KEY, value_name = "KEY")]
    hub_secret_key: String,
    /// What satellites show
    #[arg(
        long,
        env,
        hide_env_values = true,
        default_value = "messenger-service-token-dev",
        value_name = "TOKEN"
    )]
    messenger_service_token: String,
    /// What is logged
    #[arg(long, env, default_value = "info", value_name = "LEVEL")]
    log_level: String,
}

/// Everything that a start needs to know.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) directory: PathBuf,
    pub(super) release: bool,
    pub(super) port: u16,
    pub(super) server_name: String,
    /// `None`: an own one.
    pub(super) database_url: Option<String>,
    /// `None`: an own one.
    pub(super) homeserver_url: Option<String>,
    pub(super) as_token: String,
    pub(super) hs_token: String,
    /// Where the homeserver reaches the service.
    pub(super) appservice_url: String,
    pub(super) secret_key: String,
    pub(super) hub_secret_key: String,
    pub(super) service_token: String,
    pub(super) log_level: String,
}

impl Settings {
    pub(super) fn read(arguments: &Arguments, directory: PathBuf) -> Result<Self> {
        let environment = arguments.environment.clone();
        Ok(Self {
            as_token: given_or_kept(environment.matrix_as_token, &directory.join("MATRIX_AS_TOKEN"))?,
            hs_token: given_or_kept(environment.matrix_hs_token, &directory.join("MATRIX_HS_TOKEN"))?,
            secret_key: given_or_kept(environment.secret_key, &directory.join("SECRET_KEY"))?,
            appservice_url: filled(environment.appservice_url).unwrap_or_else(|| address(arguments.port)),
            homeserver_url: filled(environment.matrix_homeserver_url),
            database_url: filled(environment.database_url),
            release: arguments.release,
            port: arguments.port,
            server_name: environment.matrix_server_name,
            hub_secret_key: environment.hub_secret_key,
            service_token: environment.messenger_service_token,
            log_level: environment.log_level,
            directory,
        })
    }

    /// The service's address, without a slash at the end.
    pub(super) fn url(&self) -> String {
        address(self.port)
    }

    /// What the service's programs find in their environment.
    pub(super) fn environment(
        &self,
        database_url: &str,
        homeserver_url: &str,
    ) -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_URL", database_url.to_owned()),
            ("MATRIX_HOMESERVER_URL", homeserver_url.to_owned()),
            ("MATRIX_SERVER_NAME", self.server_name.clone()),
            ("MATRIX_AS_TOKEN", self.as_token.clone()),
            ("MATRIX_HS_TOKEN", self.hs_token.clone()),
            ("MATRIX_BOT_LOCALPART", BOT.to_owned()),
            ("APPSERVICE_URL", self.appservice_url.clone()),
            ("SECRET_KEY", self.secret_key.clone()),
            ("HUB_SECRET_KEY", self.hub_secret_key.clone()),
            ("MESSENGER_SERVICE_TOKEN", self.service_token.clone()),
            ("PORT", self.port.to_string()),
            ("LOG_LEVEL", self.log_level.clone()),
        ]
    }
}

fn address(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn given_or_kept(given: Option<String>, file: &Path) -> Result<String> {
    filled(given).map_or_else(|| kept(file, secret), Ok)
}

/// A variable that is set to nothing is not set.
fn filled(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}
