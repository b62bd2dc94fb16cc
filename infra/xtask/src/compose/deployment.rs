//! A running deployment: the containers of a project, and its homeserver.
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};
use messenger_devstack::engine::Passage;
use messenger_devstack::port::is_free;
use tokio::time::sleep;

use super::homeserver::Homeserver;
use super::project::Project;
use crate::step::Step;

/// The interval between two looks at the containers.
const INTERVAL: Duration = Duration::from_secs(5);

/// The ports of the deployment for clients of this machine.
const WAYS: [(&str, &str, u16); 4] = [
    ("Service", "http", 0),
    ("Service (TLS)", "https", 8085),
    ("Matrix (TLS)", "https", 8448),
    ("Matrix", "http", 8008),
];

/// The deployment. Dropping it kills a Synapse; the containers go on.
pub(super) struct Deployment {
    _homeserver: Homeserver,
}

/// The ways from this machine to the deployment, each with a title and an address.
pub(super) struct Ways(Vec<(&'static str, String, Option<Passage>)>);

impl Deployment {
    /// Starts all containers and the homeserver, a Synapse with its data in `directory`.
    pub(super) async fn start(project: &Project, directory: PathBuf) -> Result<Self> {
        let homeserver = Homeserver::start(project, directory).await?;
        let step = Step::begin("Containers");
        project.up(&step.progress()).await?;
        step.done("all healthy");
        Ok(Self { _homeserver: homeserver })
    }

    /// Opens a way from this machine to each port. Those of an engine that ran already are open.
    pub(super) async fn open_ways(&self, project: &Project) -> Result<Ways> {
        let mut ways = Vec::new();
        for (title, scheme, port) in WAYS {
            let port = if port == 0 { project.ports.router } else { port };
            if !project.engine.is_own() {
                ways.push((title, format!("{scheme}://localhost:{port}"), None));
                continue;
            }
            let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let free = if is_free(port) { port } else { 0 };
            let passage = Passage::from_here(free, project.engine.namespace(), target).await?;
            let address = format!("{scheme}://localhost:{}", passage.address().port());
            ways.push((title, address, Some(passage)));
        }
        Ok(Ways(ways))
    }

    /// Waits until a container is unhealthy or has ended.
    pub(super) async fn failure(&self, project: &Project) -> anyhow::Error {
        loop {
            sleep(INTERVAL).await;
            match project.unhealthy().await {
                Ok(list) if list.is_empty() => {}
                Ok(list) => return anyhow!("not healthy any more:\n{}", list.join("\n")),
                Err(error) => return error,
            }
        }
    }
}

impl Ways {
    /// Returns a line for each way.
    pub(super) fn lines(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (title, address, _)| {
            let _ = writeln!(text, "  {title:<14} {address}");
            text
        })
    }
}
