//! Empties a deployment between two tests: database, homeserver, and the memory of all programs.
use anyhow::Result;
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use messenger_devstack::engine::{self, WITH_SHELL};
use messenger_devstack::messenger::FUNCTIONS;
use messenger_devstack::process::traced;

use super::homeserver::Homeserver;
use super::network::Request;
use super::project::{HOMESERVER, Project};

const ROUTER: &str = "router";
const WORKER: &str = "worker";
const DATABASE: &str = "messenger";
/// A copy of the database after its migration.
const TEMPLATE: &str = "messenger_empty";

/// The parts that run after a reset.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub(super) struct Parts {
    homeserver: bool,
    worker: bool,
}

impl Project {
    /// Makes the empty database of which each test gets a copy.
    pub(super) async fn make_template(&self) -> Result<()> {
        self.kill_programs().await?;
        self.sql(&[
            &format!("drop database {DATABASE} with (force)"),
            &format!("create database {DATABASE}"),
        ])
        .await?;
        let setup = self.containers("setup").await?;
        let start = ["start", "--attach"].into_iter().chain(setup.iter().map(String::as_str));
        engine::run(self.engine.docker(start), &traced()).await?;
        self.sql(&[&format!("create database {TEMPLATE} template {DATABASE}")]).await
    }

    /// Kills all programs, deletes all data, and starts the parts.
    pub(super) async fn reset(&self, homeserver: &mut Homeserver, parts: Parts) -> Result<()> {
        self.kill_programs().await?;
        self.remove_copies().await?;
        homeserver.delete(self).await?;
        // Without a homeserver nothing listens in its place.
        let command: &[&str] = if parts.homeserver { &["start"] } else { &["stop", "--time", "0"] };
        for container in self.containers(HOMESERVER).await? {
            self.engine.output(&[command, &[container.as_str()]].concat()).await?;
        }
        let database = self.empty_database().boxed();
        if parts.homeserver {
            tokio::try_join!(database, homeserver.start_again(self))?;
        } else {
            database.await?;
        }
        let mut functions = Vec::new();
        for name in FUNCTIONS {
            functions.push(self.start_program(name));
        }
        try_join_all(functions).await?;
        self.start_program(ROUTER).await?;
        if parts.worker {
            self.start_program(WORKER).await?;
            if parts.homeserver {
                homeserver.wait_until_registered(self).await?;
            }
        }
        Ok(())
    }

    /// Removes the copies of functions that a test has added.
    async fn remove_copies(&self) -> Result<()> {
        for name in FUNCTIONS {
            let mut containers = self.containers(name).await?;
            containers.pop();
            for copy in containers {
                self.engine.output(&["rm", "--force", &copy]).await?;
            }
        }
        Ok(())
    }

    async fn empty_database(&self) -> Result<()> {
        let drop = format!("drop database if exists {DATABASE} with (force)");
        self.sql(&[&drop, &format!("create database {DATABASE} template {TEMPLATE}")]).await
    }

    fn start_program(&self, service: &'static str) -> BoxFuture<'_, Result<()>> {
        async move {
            let containers = self.containers(service).await?;
            for container in &containers {
                self.engine.output(&["start", container]).await?;
            }
            for container in &containers {
                self.wait_until_answers(container, &Request::to_program("/livez")).await?;
            }
            Ok(())
        }
        .boxed()
    }

    async fn kill_programs(&self) -> Result<()> {
        let of_project = format!("label=com.docker.compose.project={}", self.name);
        let format = "{{.ID}} {{.Label \"com.docker.compose.service\"}}";
        let list = self.engine.output(&["ps", "--filter", &of_project, "--format", format]).await?;
        let words = list.lines().filter_map(|line| line.split_once(' '));
        let running: Vec<_> = words.filter(|(_, service)| is_program(service)).map(|(id, _)| id).collect();
        if running.is_empty() {
            return Ok(());
        }
        self.engine.output(&[&["kill"], running.as_slice()].concat()).await.map(drop)
    }

    /// Deletes all files in a volume, which no container may use meanwhile.
    pub(super) async fn empty_volume(&self, name: &str) -> Result<()> {
        let volume = format!("{}_{name}:/volume", self.name);
        let run = ["run", "--rm", "--network", "none", "--user", "0:0", "--entrypoint", "sh"];
        let delete = ["-c", "rm -rf /volume/* /volume/.[!.]*"];
        let arguments = [&run[..], &["--volume", &volume, WITH_SHELL], &delete].concat();
        self.engine.output(&arguments).await.map(drop)
    }

    /// Runs statements outside a transaction.
    async fn sql(&self, statements: &[&str]) -> Result<()> {
        let postgres = self.containers("postgres").await?;
        let mut arguments =
            vec!["exec", &postgres[0], "psql", "--quiet", "-U", "messenger", "-d", "postgres"];
        arguments.extend(["-v", "ON_ERROR_STOP=1"]);
        for statement in statements {
            arguments.extend(["-c", statement]);
        }
        self.engine.output(&arguments).await.map(drop)
    }
}

fn is_program(service: &str) -> bool {
    FUNCTIONS.contains(&service) || service == ROUTER || service == WORKER
}
