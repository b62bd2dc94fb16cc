//! A Compose project on an engine: its variables, commands and containers.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use messenger_devstack::conduit::binary;
use messenger_devstack::engine;
use messenger_devstack::home::{read_or_create, secret, workspace};
use messenger_devstack::process::{Launch, Sink};
use messenger_devstack::{Engine, Home, OutputQueue, free_port};
use tokio::time::{Instant, sleep};

use super::TEST_PROJECT;
use super::secrets::{self, Secrets};

/// The files of every project.
const FILES: [&str; 2] = ["docker-compose.local.yml", "infra/images/ci.yml"];
/// The file of a project with Synapse in Conduit's place.
const SYNAPSE: &str = "infra/images/synapse.yml";
/// The part of Matrix ids after the colon: the default of the Compose file.
pub(super) const SERVER_NAME: &str = "hub.local";
/// The service of Conduit, or of the proxy for Synapse, and the volume of Conduit.
pub(super) const HOMESERVER: &str = "conduit";
/// The image of the program that `CONDUIT_BIN` names.
pub(super) const CONDUIT_IMAGE: &str = "messenger-service/conduit:dev";
/// The port of the homeserver beside an own engine, in whose namespace all ports are free.
const HOMESERVER_PORT: u16 = 8009;
const ROUTER_PORT: u16 = 8000;
/// The time limit of all containers for becoming healthy.
const HEALTHY_TIMEOUT: Duration = Duration::from_mins(3);
const PAUSE: Duration = Duration::from_millis(200);
/// The label with the name of a container's service.
const SERVICE: &str = "com.docker.compose.service";

/// The project. Its engine is to be stopped by its owner.
pub(super) struct Project {
    pub(super) engine: Engine,
    pub(super) name: &'static str,
    /// The program of the homeserver; `None` for Synapse in Conduit's place.
    pub(super) conduit: Option<PathBuf>,
    pub(super) secrets: Secrets,
    pub(super) matrix: Matrix,
    pub(super) ports: Ports,
}

/// The tokens of the homeserver and the service for each other.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub(super) as_token: String,
    pub(super) hs_token: String,
    pub(super) registration_secret: String,
}

/// The ports in the namespace of the engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) homeserver: u16,
    pub(super) router: u16,
}

impl Project {
    /// Takes the engine, and makes the secrets that are missing.
    pub(super) fn new(engine: Engine, name: &'static str) -> Result<Self> {
        let home = Home::default();
        let stored = |variable: &str| read_or_create(&home.path(format!("compose/{variable}")), secret);
        let matrix = Matrix {
            as_token: stored("MATRIX_AS_TOKEN")?,
            hs_token: stored("MATRIX_HS_TOKEN")?,
            registration_secret: stored("MATRIX_REGISTRATION_SECRET")?,
        };
        let is_shared = !engine.is_own();
        let ports = Ports {
            homeserver: if is_shared { free_port()? } else { HOMESERVER_PORT },
            router: if is_shared && name == TEST_PROJECT { free_port()? } else { ROUTER_PORT },
        };
        Ok(Self { engine, name, conduit: binary(), secrets: secrets::ensure()?, matrix, ports })
    }

    /// Returns the launch of Compose with these arguments.
    pub(super) fn compose(&self, arguments: &[&str]) -> Launch {
        let synapse = self.conduit.is_none().then_some(SYNAPSE);
        let files = FILES.into_iter().chain(synapse).flat_map(|file| ["-f", file]);
        let launch = self.engine.compose(files.chain(["-p", self.name]).chain(arguments.iter().copied()));
        self.configure(launch.directory(workspace()))
    }

    /// Adds the variables of the Compose files to a command's environment.
    pub(super) fn configure(&self, launch: Launch) -> Launch {
        launch
            .env("MATRIX_AS_TOKEN", &self.matrix.as_token)
            .env("MATRIX_HS_TOKEN", &self.matrix.hs_token)
            .env("MATRIX_REGISTRATION_SECRET", &self.matrix.registration_secret)
            .env("HOMESERVER_PORT", self.ports.homeserver.to_string())
            .env("ROUTER_PORT", self.ports.router.to_string())
            .env("CONDUIT_IMAGE", CONDUIT_IMAGE)
            // Connecting may take long on a busy machine.
            .env("DATABASE_CONNECT_TIMEOUT_MS", "20000")
    }

    /// Creates and starts all containers, and waits until they are healthy. Returns the time that it took.
    pub(super) async fn up(&self, progress: &Sink) -> Result<Duration> {
        let begin = Instant::now();
        engine::run(self.compose(&["up", "-d", "--no-build"]), progress).await?;
        self.wait_until_healthy(progress).await?;
        Ok(begin.elapsed())
    }

    /// Stops all containers. Their data stay.
    pub(super) async fn stop_containers(&self, progress: &Sink) -> Result<()> {
        engine::run(self.compose(&["stop"]), progress).await
    }

    /// Stops and removes all containers, and their networks, which other projects need as well. The data stay.
    pub(super) async fn remove_containers(&self, progress: &Sink) -> Result<()> {
        engine::run(self.compose(&["down"]), progress).await
    }

    /// Prints the last lines of all containers.
    pub(super) async fn print_logs(&self) {
        let sink: Sink = Arc::new(|line| OutputQueue::stderr().write(format!("{line}\n")));
        let launch = self.compose(&["logs", "--no-color", "--tail", "15"]);
        if let Err(error) = engine::run(launch, &sink).await {
            OutputQueue::stderr().write(format!("no logs: {error:#}\n"));
        }
    }

    /// Removes all containers, networks and volumes.
    pub(super) async fn delete(&self, progress: &Sink) -> Result<()> {
        // Compose knows only the containers of services: that of the tests is none.
        let of_project = format!("label=com.docker.compose.project={}", self.name);
        let list = self.engine.output(&["ps", "--all", "--quiet", "--filter", &of_project]).await?;
        let containers: Vec<_> = list.lines().collect();
        if !containers.is_empty() {
            self.engine.output(&[&["rm", "--force"], containers.as_slice()].concat()).await?;
        }
        let down = || self.compose(&["down", "--volumes", "--remove-orphans"]);
        if engine::run(down(), progress).await.is_ok() {
            return Ok(());
        }
        // On a busy machine an endpoint may outlive the container that was killed and removed.
        self.disconnect_endpoints().await?;
        engine::run(down(), progress).await
    }

    async fn disconnect_endpoints(&self) -> Result<()> {
        let network = format!("{}_default", self.name);
        let format = "{{range .Containers}}{{.Name}} {{end}}";
        let names = self.engine.output(&["network", "inspect", "--format", format, &network]).await?;
        for name in names.split_whitespace() {
            self.engine.output(&["network", "disconnect", "--force", &network, name]).await?;
        }
        Ok(())
    }

    /// Waits until each container runs and is healthy, or has ended with 0.
    pub(super) async fn wait_until_healthy(&self, progress: &Sink) -> Result<()> {
        let deadline = Instant::now() + HEALTHY_TIMEOUT;
        loop {
            let pending = self.unhealthy().await?;
            if pending.is_empty() {
                return Ok(());
            }
            progress(&pending.join(", "));
            if Instant::now() > deadline {
                bail!("not healthy within {HEALTHY_TIMEOUT:?}:\n{}", pending.join("\n"));
            }
            sleep(PAUSE).await;
        }
    }

    /// Returns the names of the containers that are not healthy, with their states.
    pub(super) async fn unhealthy(&self) -> Result<Vec<String>> {
        let of_project = format!("label=com.docker.compose.project={}", self.name);
        let format = "{{.Names}}: {{.Status}}";
        let list = self.engine.output(&["ps", "--all", "--filter", &of_project, "--format", format]).await?;
        Ok(list.lines().filter(|line| !is_healthy(line)).map(str::to_owned).collect())
    }

    /// Returns the ids of a service's containers, the newest first.
    pub(super) async fn containers(&self, service: &str) -> Result<Vec<String>> {
        let of_project = format!("label=com.docker.compose.project={}", self.name);
        let of_service = format!("label={SERVICE}={service}");
        let list = self
            .engine
            .output(&[
                "ps",
                "--all",
                "--quiet",
                "--no-trunc",
                "--filter",
                &of_project,
                "--filter",
                &of_service,
            ])
            .await?;
        match list.lines().map(str::to_owned).collect::<Vec<_>>() {
            ids if ids.is_empty() => bail!("the service {service} has no container"),
            ids => Ok(ids),
        }
    }

    /// Returns a value of a container, in the form of Go's templates.
    pub(super) async fn inspect(&self, container: &str, format: &str) -> Result<String> {
        self.engine.output(&["inspect", "--format", format, container]).await
    }
}

/// Returns whether a line of `docker ps` shows a healthy container, or one that has ended successfully.
fn is_healthy(line: &str) -> bool {
    let (_, status) = line.split_once(": ").unwrap_or_default();
    let is_up =
        status.starts_with("Up ") && !status.contains("health: starting") && !status.contains("unhealthy");
    is_up || status.starts_with("Exited (0)")
}

#[cfg(test)]
mod tests {
    use super::is_healthy;

    #[test]
    fn a_container_is_healthy_when_its_check_has_passed_or_it_has_none() {
        for healthy in ["a: Up 5 seconds (healthy)", "a: Up 2 minutes", "setup: Exited (0) 3 seconds ago"] {
            assert!(is_healthy(healthy), "{healthy}");
        }
        for pending in [
            "a: Up 5 seconds (health: starting)",
            "a: Up 9 seconds (unhealthy)",
            "a: Exited (1) 3 seconds ago",
            "a: Created",
            "a: Restarting (1) 2 seconds ago",
        ] {
            assert!(!is_healthy(pending), "{pending}");
        }
    }
}
