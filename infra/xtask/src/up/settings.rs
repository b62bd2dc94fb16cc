//! The configuration of the service: from the environment, else generated once and stored.
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Parser as _;
use messenger_devstack::home::{read_or_create, secret};
use messenger_devstack::messenger::{self, Configuration};

use super::Arguments;
use crate::token::DEVELOPMENT_KEY;

/// The default port of the service.
pub(super) const PORT: u16 = 8000;

/// The environment variables of the service. Each one has a default.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Configuration (as the service reads it)")]
pub(super) struct Environment {
    /// The address on which the service listens: 0.0.0.0 opens it, with its published secrets, to all who
    /// reach this machine
    #[arg(long, env, default_value = "127.0.0.1", value_parser = parse_host, value_name = "ADDRESS")]
    host: IpAddr,
    /// A PostgreSQL to use instead of the own one
    #[arg(long, env, hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// The way around a pooler in front of that PostgreSQL
    #[arg(long, env, hide_env_values = true, value_name = "URL")]
    database_listen_url: Option<String>,
    /// A homeserver to use instead of the own one: Conduit, or Synapse with the registration and the two
    /// tokens of this service
    #[arg(long, env, hide_env_values = true, value_name = "URL")]
    matrix_homeserver_url: Option<String>,
    /// The part of Matrix ids after the colon
    #[arg(long, env, default_value = "hub.local", value_name = "NAME")]
    matrix_server_name: String,
    /// The token of the service for requests to the homeserver [default: generated once and stored]
    #[arg(long, env, hide_env_values = true, value_name = "TOKEN")]
    matrix_as_token: Option<String>,
    /// The token of the homeserver for requests to the service [default: generated once and stored]
    #[arg(long, env, hide_env_values = true, value_name = "TOKEN")]
    matrix_hs_token: Option<String>,
    /// The address of the service for the homeserver [default: its own address]
    #[arg(long, env, value_name = "URL")]
    appservice_url: Option<String>,
    /// The key that signs the service's own tokens [default: generated once and stored]
    #[arg(long, env, hide_env_values = true, value_name = "KEY")]
    secret_key: Option<String>,
    /// The key that signs the Hub's tokens
    #[arg(long, env, hide_env_values = true, default_value = DEVELOPMENT_KEY, value_name = "KEY")]
    hub_secret_key: String,
    /// The token of satellites
    #[arg(
        long,
        env,
        hide_env_values = true,
        default_value = "messenger-service-token-dev",
        value_name = "TOKEN"
    )]
    messenger_service_token: String,
    /// The lowest level that is logged
    #[arg(long, env, default_value = "info", value_name = "LEVEL")]
    log_level: String,
}

/// A command line that nobody has typed.
#[derive(clap::Parser)]
struct ArgumentsOfTests {
    #[command(flatten)]
    arguments: Arguments,
}

/// All settings of a start.
#[derive(Debug)]
pub(super) struct UpSettings {
    pub(super) directory: PathBuf,
    pub(super) release: bool,
    pub(super) host: IpAddr,
    pub(super) port: u16,
    pub(super) server_name: String,
    /// `None` for the own PostgreSQL.
    pub(super) database_url: Option<String>,
    /// `None` for the same as `database_url`.
    database_listen_url: Option<String>,
    /// `None` for the own Synapse.
    pub(super) homeserver_url: Option<String>,
    pub(super) as_token: String,
    pub(super) hs_token: String,
    /// The address of the service for the homeserver.
    pub(super) appservice_url: String,
    pub(super) secret_key: String,
    pub(super) hub_secret_key: String,
    pub(super) service_token: String,
    pub(super) log_level: String,
}

impl UpSettings {
    pub(super) fn read(arguments: &Arguments, directory: PathBuf) -> Result<Self> {
        let environment = arguments.environment.clone();
        let database_url = filled(environment.database_url);
        Ok(Self {
            as_token: value_or_stored(environment.matrix_as_token, &directory.join("MATRIX_AS_TOKEN"))?,
            hs_token: value_or_stored(environment.matrix_hs_token, &directory.join("MATRIX_HS_TOKEN"))?,
            secret_key: value_or_stored(environment.secret_key, &directory.join("SECRET_KEY"))?,
            appservice_url: filled(environment.appservice_url)
                .unwrap_or_else(|| messenger::url(environment.host, arguments.port)),
            homeserver_url: filled(environment.matrix_homeserver_url),
            database_listen_url: database_url.as_ref().and_then(|_| filled(environment.database_listen_url)),
            database_url,
            release: arguments.release,
            host: environment.host,
            port: arguments.port,
            server_name: environment.matrix_server_name,
            hub_secret_key: environment.hub_secret_key,
            service_token: environment.messenger_service_token,
            log_level: environment.log_level,
            directory,
        })
    }

    /// Returns the settings of a service for tests, with an own PostgreSQL and Synapse whatever the environment
    /// names.
    pub(super) fn of_tests(port: u16, directory: PathBuf) -> Result<Self> {
        let port = format!("--port={port}");
        let own = ["--host=127.0.0.1", "--database-url=", "--matrix-homeserver-url=", "--appservice-url="];
        let arguments = ["up", &port, "--log-level=warning"].into_iter().chain(own);
        Self::read(&ArgumentsOfTests::try_parse_from(arguments)?.arguments, directory)
    }

    /// Returns the address of the service, without a slash at the end.
    pub(super) fn url(&self) -> String {
        messenger::url(self.host, self.port)
    }

    /// Returns the configuration of the service. The secret registers administrators at the own Synapse.
    pub(super) fn configuration(
        &self,
        database_url: String,
        homeserver_url: String,
        registration_secret: Option<String>,
    ) -> Configuration {
        Configuration {
            host: self.host,
            port: self.port,
            database_url,
            homeserver_url: Some(homeserver_url),
            server_name: self.server_name.clone(),
            as_token: self.as_token.clone(),
            hs_token: self.hs_token.clone(),
            appservice_url: self.appservice_url.clone(),
            registration_secret,
            secret_key: self.secret_key.clone(),
            hub_secret_key: self.hub_secret_key.clone(),
            service_token: self.service_token.clone(),
            log_level: self.log_level.clone(),
            further: vec![
                ("ENVIRONMENT".to_owned(), "development".to_owned()),
                ("DATABASE_LISTEN_URL".to_owned(), self.database_listen_url.clone().unwrap_or_default()),
            ],
        }
    }
}

/// Parses `--host`. An empty text is the default.
fn parse_host(text: &str) -> Result<IpAddr, String> {
    match text.trim() {
        "" | "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        address => address.parse().map_err(|_| "must be an address of this machine".to_owned()),
    }
}

/// Parses `--port`. An empty text is the default. 0 is refused: it would be another port at each start.
pub(super) fn parse_port(text: &str) -> Result<u16, String> {
    match text.trim() {
        "" => Ok(PORT),
        port => match port.parse() {
            Ok(port @ 1..) => Ok(port),
            _ => Err("must be a whole number from 1 to 65535".to_owned()),
        },
    }
}

fn value_or_stored(value: Option<String>, file: &Path) -> Result<String> {
    filled(value).map_or_else(|| read_or_create(file, secret), Ok)
}

/// Returns the value; `None` if it is empty.
fn filled(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Up {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Up::try_parse_from([&["up"], arguments].concat()).map(|up| up.arguments)
    }

    #[test]
    fn an_invalid_port_is_refused() {
        for wrong in ["0", "65536", "-1", "http", "80.5"] {
            let error = parse(&[&format!("--port={wrong}")]).unwrap_err().to_string();
            assert!(error.contains("must be a whole number from 1 to 65535"), "{error}");
        }
        assert_eq!(parse(&["--port=65535"]).unwrap().port, 65535);
        assert_eq!(parse(&["--port="]).unwrap().port, PORT, "an empty PORT is not set");
    }

    #[test]
    fn the_url_of_the_service_is_reachable_on_this_machine() {
        for (host, url) in [
            ("127.0.0.1", "http://127.0.0.1:8000"),
            ("0.0.0.0", "http://127.0.0.1:8000"),
            ("::", "http://127.0.0.1:8000"),
            ("::1", "http://[::1]:8000"),
            ("localhost", "http://127.0.0.1:8000"),
        ] {
            let arguments = parse(&[&format!("--host={host}")]).unwrap();
            assert_eq!(messenger::url(arguments.environment.host, PORT), url);
        }
        assert!(parse(&["--host=example.com"]).is_err());
    }

    #[test]
    fn the_service_runs_for_development_and_listens_on_this_machine_only() {
        let directory = std::env::temp_dir().join(format!("up-settings-{}", std::process::id()));
        let settings = UpSettings::read(&parse(&[]).unwrap(), directory.clone()).unwrap();
        let environment =
            settings.configuration("postgres://x".to_owned(), "http://y".to_owned(), None).environment();
        std::fs::remove_dir_all(directory).unwrap();
        for expected in [("ENVIRONMENT", "development"), ("HOST", "127.0.0.1")] {
            let value =
                environment.iter().find(|(name, _)| *name == expected.0).map(|(_, value)| value.as_str());
            assert_eq!(value, Some(expected.1));
        }
    }
}
