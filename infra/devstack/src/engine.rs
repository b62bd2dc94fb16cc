//! A Docker engine: one that runs already, else an own one in a network namespace of its own.
//!
//! The own engine needs root and Debian's packages. Its files lie below `engine` of [`Home`]; images stay
//! there for the next start. Nothing outside its namespace sees its bridges, addresses and rules, and nothing
//! of this machine is reachable from its containers, except through a [`Passage`].
mod bases;
mod build;
mod command;
mod daemon;
mod namespace;
mod passage;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

pub use bases::{BASES, Base, TOOLCHAIN, WITH_SHELL};
pub use build::Network;
pub use command::run;
pub use namespace::Namespace;
pub use passage::Passage;

use crate::debian::Program;
use crate::home::{Home, Lock};
use crate::process::{Process, Sink};

/// The client that comes with the engine; another one of the machine may lack `buildx`.
const DEBIAN_CLIENT: &str = "/usr/bin/docker";
/// The client and Compose on the `PATH`.
const CLIENT: Program = Program { name: "docker", package: "docker.io" };
const COMPOSE: Program = Program { name: "docker-compose", package: "docker-compose" };
/// The network of the container that shows whether the engine runs containers.
const CHECK: &str = "devstack-check";
/// The free bytes that an own engine needs for images and data.
const SPACE: u64 = 5_000_000_000;
/// The time limit of the engine for stopping.
const GRACE: Duration = Duration::from_secs(20);

/// A running engine. Dropping it kills an own daemon; containers should be removed before.
#[derive(Debug)]
pub struct Engine {
    home: Home,
    client: PathBuf,
    /// The first words of a Compose command.
    compose: Vec<String>,
    /// `DOCKER_HOST`; `None` for that of this process.
    address: Option<String>,
    /// The own daemon and its lock; `None` if the engine ran already.
    own: Option<(Process, Lock)>,
    namespace: Namespace,
}

impl Engine {
    /// Returns the reason why this machine cannot have an engine; `None` if it can.
    pub async fn obstacle(home: &Home) -> Option<&'static str> {
        if command::is_running(None).await {
            None
        } else if !cfg!(target_os = "linux") {
            Some("no engine runs, and an own one needs Linux")
        } else if !rustix::process::geteuid().is_root() {
            Some("no engine runs, and an own one needs root")
        } else if (Program { name: "apt-get", package: "apt" }).path().is_none() {
            Some("no engine runs, and an own one comes from Debian's packages (no apt-get here)")
        } else if daemon::free_space(home).is_ok_and(|free| free < SPACE) {
            Some("no engine runs, and an own one needs 5 GB of free disk")
        } else {
            None
        }
    }

    /// Returns the engine that runs on this machine; if there is none, installs and starts an own one.
    pub async fn start(home: &Home, progress: &Sink) -> Result<Self> {
        if command::is_running(None).await {
            return Self::existing(home);
        }
        daemon::install(progress).await?;
        let lock = Lock::take(&home.path("engine/lock"), progress).await?;
        let (process, address) = daemon::start(home, progress).await?;
        let namespace = Namespace::of_process(process.id())?;
        let compose = COMPOSE.path().context("no docker-compose")?.to_string_lossy().into_owned();
        let engine = Self {
            home: home.clone(),
            client: DEBIAN_CLIENT.into(),
            compose: vec![compose],
            address: Some(address),
            own: Some((process, lock)),
            namespace,
        };
        engine.remove_containers().await.context("removing the containers of a run that was killed")?;
        Ok(engine)
    }

    /// Removes all containers and networks, which the daemon would start again. Volumes stay.
    async fn remove_containers(&self) -> Result<()> {
        let list = self.output(&["ps", "--all", "--quiet"]).await?;
        let containers: Vec<_> = list.lines().collect();
        if !containers.is_empty() {
            self.output(&[&["rm", "--force"], containers.as_slice()].concat()).await?;
        }
        self.output(&["network", "prune", "--force"]).await.map(drop)
    }

    fn existing(home: &Home) -> Result<Self> {
        let client = CLIENT.path().context("no docker")?;
        let compose = match COMPOSE.path() {
            Some(program) => vec![program.to_string_lossy().into_owned()],
            None => vec![client.to_string_lossy().into_owned(), "compose".to_owned()],
        };
        let namespace = Namespace::of_this_process();
        Ok(Self { home: home.clone(), client, compose, address: None, own: None, namespace })
    }

    /// Returns whether this process started the engine.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Returns the network namespace in which containers have their addresses.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Returns the version and the storage driver, and for an own engine the versions of its packages.
    pub async fn describe(&self) -> Result<String> {
        let engine = self.output(&["info", "--format", "{{.ServerVersion}} on {{.Driver}}"]).await?;
        if !self.is_own() {
            return Ok(format!("Docker {engine}, which runs already"));
        }
        Ok(format!("Docker {engine} ({})", daemon::versions().await?))
    }

    /// Returns an error if the engine runs no containers: some machines refuse them their namespaces, cgroups,
    /// networks or limits. The base images are there.
    pub async fn ensure_runs_containers(&self) -> Result<()> {
        let created = self.output(&["network", "create", CHECK]).await;
        let run = ["run", "--rm", "--network", CHECK, "--publish", "127.0.0.1::8000", "--add-host"];
        let limits = ["check.host:host-gateway", "--memory", "64m", "--read-only", "--tmpfs", "/tmp"];
        let rights = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--entrypoint", "true"];
        let ran = match created {
            Ok(_) => self.output(&[&run[..], &limits, &rights, &[WITH_SHELL]].concat()).await,
            Err(error) => Err(error),
        };
        let _ = self.output(&["network", "rm", CHECK]).await;
        ran.map(drop).context("the engine runs no containers as those of the Compose file")
    }

    /// Stops an own daemon. Call `docker-compose down` before: shims of running containers outlive it.
    pub async fn stop(&mut self) {
        if let Some((process, _lock)) = self.own.take() {
            process.stop(GRACE).await;
        }
    }
}
