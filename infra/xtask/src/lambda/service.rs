//! A PostgreSQL with the schema, and the configuration of functions that use it without a homeserver.
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, ensure};
use messenger_devstack::free_port;
use messenger_devstack::messenger::{Configuration, Programs, WORKER};
use messenger_devstack::postgres::{Options, Postgres};
use messenger_devstack::process::{Launch, Output};

use super::request::{KEY_OF_HUB, TOKEN_OF_HOMESERVER, TOKEN_OF_SERVICE};
use crate::cargo::{cargo, programs, succeeds};
use crate::step::Step;

/// An address at which nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9";

pub(super) struct Service {
    postgres: Postgres,
    configuration: Configuration,
}

impl Service {
    /// Starts PostgreSQL, and migrates it by the worker of `cargo build`.
    pub(super) async fn start() -> Result<Self> {
        ensure!(succeeds(cargo(["build", "--package", WORKER])).await?, "the build failed");
        let step = Step::begin("PostgreSQL");
        let postgres = Postgres::start_with(Options::temporary(), &step.progress()).await?;
        let configuration = configuration(postgres.url("postgres"))?;
        let programs = Programs::new(programs(false).await?, configuration.clone(), |_| Output::Kept);
        programs.set_up(&["--skip-homeserver"]).await?;
        step.done(postgres.version());
        Ok(Self { postgres, configuration })
    }

    /// Adds the environment of the functions to that of a launch.
    pub(super) fn configure(&self, launch: Launch) -> Launch {
        let environment = self.configuration.environment();
        environment.iter().fold(launch, |launch, (name, value)| launch.env(name, value))
    }

    pub(super) async fn stop(&mut self) {
        self.postgres.stop().await;
    }
}

fn configuration(database_url: String) -> Result<Configuration> {
    Ok(Configuration {
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: free_port()?,
        database_url,
        homeserver_url: None,
        server_name: "hub.local".to_owned(),
        as_token: "bench-as-token".to_owned(),
        hs_token: TOKEN_OF_HOMESERVER.to_owned(),
        appservice_url: NOWHERE.to_owned(),
        registration_secret: None,
        secret_key: "bench-secret".to_owned(),
        hub_secret_key: KEY_OF_HUB.to_owned(),
        service_token: TOKEN_OF_SERVICE.to_owned(),
        log_level: "error".to_owned(),
        further: vec![
            ("ENVIRONMENT".to_owned(), "development".to_owned()),
            // Connecting may take long on a busy machine.
            ("DATABASE_CONNECT_TIMEOUT_MS".to_owned(), "20000".to_owned()),
        ],
    })
}
