//! The service itself: the environment of its programs, their launch, and their start.
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::free_port;
use crate::process::{Launch, Output, Process};
use crate::service::Service;

/// The program with all endpoints.
pub const ROUTER: &str = "messenger-router";
/// The program that delivers, reconciles and sets up.
pub const WORKER: &str = "messenger-worker";
/// The localpart of the service's bot.
pub const BOT: &str = "messenger";
/// The functions, each with a program of its own. The worker and the router are none.
pub const FUNCTIONS: [&str; 11] = [
    "admin",
    "alarms",
    "appservice",
    "events",
    "health",
    "messages",
    "notifications",
    "poll",
    "rooms",
    "users",
    "web",
];
/// The path that answers 200 once a program accepts requests.
pub const LIVEZ: &str = "/livez";
/// The time limit of a program for its start on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// The homeserver's address if there is none: a port on which nothing listens.
const NO_HOMESERVER: &str = "http://127.0.0.1:9";

/// The configuration of a service on this machine.
#[derive(Clone)]
pub struct Configuration {
    /// The address on which it listens.
    pub host: IpAddr,
    /// The port on which it listens.
    pub port: u16,
    /// The URL of its database.
    pub database_url: String,
    /// The URL of its homeserver. With `None`, its homeserver cannot be reached.
    pub homeserver_url: Option<String>,
    /// The part of Matrix ids after the colon.
    pub server_name: String,
    /// The token for requests to the homeserver.
    pub as_token: String,
    /// The token for requests of the homeserver.
    pub hs_token: String,
    /// The URL to which the homeserver pushes.
    pub appservice_url: String,
    /// The secret for registering administrators at Synapse.
    pub registration_secret: Option<String>,
    /// The key that signs the service's own tokens.
    pub secret_key: String,
    /// The key that signs the Hub's tokens.
    pub hub_secret_key: String,
    /// The token of satellites.
    pub service_token: String,
    /// The lowest level that is logged.
    pub log_level: String,
    /// Further environment variables. They replace those of the other fields.
    pub further: Vec<(String, String)>,
}

impl Configuration {
    /// Returns the URL of the service on this machine, without a slash at the end.
    pub fn url(&self) -> String {
        url(self.host, self.port)
    }

    /// Returns the environment variables of all programs.
    pub fn environment(&self) -> Vec<(String, String)> {
        let (host, port) = (self.host.to_string(), self.port.to_string());
        let variables = [
            ("DATABASE_URL", self.database_url.as_str()),
            // One in the environment of this process would name another database.
            ("DATABASE_LISTEN_URL", ""),
            ("HOST", &host),
            ("PORT", &port),
            ("MATRIX_HOMESERVER_URL", self.homeserver_url.as_deref().unwrap_or(NO_HOMESERVER)),
            ("MATRIX_SERVER_NAME", &self.server_name),
            ("MATRIX_AS_TOKEN", &self.as_token),
            ("MATRIX_HS_TOKEN", &self.hs_token),
            ("MATRIX_BOT_LOCALPART", BOT),
            ("APPSERVICE_URL", &self.appservice_url),
            ("SECRET_KEY", &self.secret_key),
            ("HUB_SECRET_KEY", &self.hub_secret_key),
            ("MESSENGER_SERVICE_TOKEN", &self.service_token),
            ("LOG_LEVEL", &self.log_level),
        ];
        let secret =
            self.registration_secret.iter().map(|secret| ("MATRIX_REGISTRATION_SECRET", secret.as_str()));
        let variables = variables.into_iter().chain(secret);
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        variables.chain(self.further.iter().cloned()).collect()
    }
}

/// Returns the URL at which this machine reaches a server that listens on this address.
pub fn url(host: IpAddr, port: u16) -> String {
    let reachable = if host.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { host };
    format!("http://{}", SocketAddr::new(reachable, port))
}

/// The programs of the service with one configuration.
pub struct Programs {
    directory: PathBuf,
    configuration: Configuration,
    output: Box<dyn Fn(&str) -> Output + Send + Sync>,
}

impl Programs {
    /// Takes the directory of the programs, and the destination of the output of each one.
    pub fn new(
        directory: impl Into<PathBuf>,
        configuration: Configuration,
        output: impl Fn(&str) -> Output + Send + Sync + 'static,
    ) -> Self {
        Self { directory: directory.into(), configuration, output: Box::new(output) }
    }

    /// Returns the configuration.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Returns the directory of the programs.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the destination of the output of a program.
    pub fn output(&self, program: &str) -> Output {
        (self.output)(program)
    }

    /// Returns the launch of a program.
    pub fn launch(&self, program: &str) -> Launch {
        let launch = Launch::new(program, self.directory.join(program)).output(self.output(program));
        let environment = self.configuration.environment();
        environment.iter().fold(launch, |launch, (name, value)| launch.env(name, value))
    }

    /// Runs `messenger-worker setup` with these options. The error holds the last lines of its output.
    pub async fn set_up(&self, options: &[&str]) -> Result<()> {
        let setup = Process::spawn(self.launch(WORKER).output(Output::Kept).arg("setup").args(options))?;
        let status = setup.ended().await;
        ensure!(status.success(), "`{WORKER} setup` failed ({status}):\n{}", setup.last_lines());
        Ok(())
    }

    /// Starts the router and waits until this path of it answers 200.
    pub async fn start_router(&self, ready_path: &str) -> Result<Service> {
        self.start_router_with(ready_path, &[]).await
    }

    /// Starts the router with additional environment variables, and waits until this path of it answers 200.
    pub async fn start_router_with(&self, ready_path: &str, further: &[(String, String)]) -> Result<Service> {
        let ready_url = format!("{}{ready_path}", self.configuration.url());
        let launch =
            further.iter().fold(self.launch(ROUTER), |launch, (name, value)| launch.env(name, value));
        Service::start(launch, ready_url, START_TIMEOUT).await
    }

    /// Starts the worker, which answers probes on a port of its own.
    pub fn start_worker(&self) -> Result<Process> {
        self.start_worker_on(free_port()?)
    }

    /// Starts the worker, which answers probes on this port.
    pub fn start_worker_on(&self, port: u16) -> Result<Process> {
        Process::spawn(self.launch(WORKER).env("PORT", port.to_string()))
    }

    /// Runs `messenger-worker probe` for the worker on this port. Returns its exit code and its output.
    pub async fn probe_worker_on(&self, port: u16) -> Result<(Option<i32>, String)> {
        let launch = self.launch(WORKER).env("PORT", port.to_string()).arg("probe");
        let probe = Process::spawn(launch.output(Output::Kept))?;
        Ok((probe.ended().await.code(), probe.last_lines()))
    }

    /// Starts the program of one function on a port of its own, and waits until it accepts requests. Returns
    /// its URL, too.
    pub async fn start_function(&self, program: &str) -> Result<(String, Service)> {
        self.start_function_with(program, &[]).await
    }

    /// Starts the program of one function as [`start_function`](Self::start_function) does, with these
    /// environment variables instead of its own.
    pub async fn start_function_with(
        &self,
        program: &str,
        further: &[(&str, &str)],
    ) -> Result<(String, Service)> {
        let port = free_port()?;
        let url = url(self.configuration.host, port);
        let launch = self.launch(program).env("PORT", port.to_string());
        let launch = further.iter().fold(launch, |launch, (name, value)| launch.env(name, *value));
        let service = Service::start(launch, format!("{url}{LIVEZ}"), START_TIMEOUT).await?;
        Ok((url, service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration() -> Configuration {
        Configuration {
            host: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 8000,
            database_url: "postgres://database".to_owned(),
            homeserver_url: None,
            server_name: "hub.local".to_owned(),
            as_token: "as".to_owned(),
            hs_token: "hs".to_owned(),
            appservice_url: "http://127.0.0.1:8000".to_owned(),
            registration_secret: None,
            secret_key: "secret".to_owned(),
            hub_secret_key: "hub".to_owned(),
            service_token: "service".to_owned(),
            log_level: "info".to_owned(),
            further: vec![("LOG_LEVEL".to_owned(), "debug".to_owned())],
        }
    }

    /// Returns the value that a program gets: the last one of the name.
    fn value(configuration: &Configuration, name: &str) -> Option<String> {
        let mut environment = configuration.environment();
        environment.reverse();
        environment.into_iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    #[test]
    fn a_program_gets_the_secret_of_synapse_only_if_there_is_one() {
        let name = "MATRIX_REGISTRATION_SECRET";
        assert_eq!(value(&configuration(), name), None);
        let with_secret = Configuration { registration_secret: Some("s".to_owned()), ..configuration() };
        assert_eq!(value(&with_secret, name).as_deref(), Some("s"));
    }

    #[test]
    fn a_further_variable_replaces_that_of_a_field() {
        assert_eq!(value(&configuration(), "LOG_LEVEL").as_deref(), Some("debug"));
        assert_eq!(value(&configuration(), "HOST").as_deref(), Some("0.0.0.0"));
    }
}
