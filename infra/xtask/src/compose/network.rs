//! Containers as this machine reaches them.
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use messenger_devstack::engine::Namespace;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use super::project::Project;

/// The port of all programs.
const PORT: u16 = 8000;
/// The time limit of one request.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(25);
/// The time limit of a program for its start on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);

impl Project {
    /// Waits until a program of ours answers this path with 200.
    pub(super) async fn wait_until_answers(&self, container: &str, path: &str) -> Result<()> {
        let address = SocketAddr::new(self.address(container).await?, PORT);
        let deadline = Instant::now() + START_TIMEOUT;
        while !answers(self.engine.namespace(), address, path).await {
            ensure!(
                Instant::now() < deadline,
                "container {container} did not answer {path} within {START_TIMEOUT:?}"
            );
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Returns the address of a container in the network of the project.
    pub(super) async fn address(&self, container: &str) -> Result<IpAddr> {
        let network = format!("{}_default", self.name);
        let format = format!("{{{{ (index .NetworkSettings.Networks \"{network}\").IPAddress }}}}");
        let text = self.inspect(container, &format).await?;
        text.parse().with_context(|| format!("container {container} has no address"))
    }
}

async fn answers(namespace: &Namespace, address: SocketAddr, path: &str) -> bool {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    let exchange = async {
        let mut stream = namespace.connect(address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.ok()?;
        head.ends_with(b" 200").then_some(())
    };
    timeout(PATIENCE, exchange).await.ok().flatten().is_some()
}
