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

/// A `GET` to a container.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) port: u16,
    pub(super) path: String,
    pub(super) bearer: Option<String>,
}

impl Request {
    /// Returns the request to a program of ours.
    pub(super) fn to_program(path: &str) -> Self {
        Self { port: PORT, path: path.to_owned(), bearer: None }
    }

    fn text(&self, host: SocketAddr) -> String {
        let bearer = self.bearer.as_deref();
        let authorization = bearer.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let path = &self.path;
        format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n{}\r\n", authorization.unwrap_or_default())
    }
}

impl Project {
    /// Waits until a container answers with 200.
    pub(super) async fn wait_until_answers(&self, container: &str, request: &Request) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while !self.answers(container, request).await? {
            ensure!(
                Instant::now() < deadline,
                "container {container} did not answer {} within {START_TIMEOUT:?}",
                request.path
            );
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Returns whether a container answers with 200. An error if it does not run.
    pub(super) async fn answers(&self, container: &str, request: &Request) -> Result<bool> {
        let address = SocketAddr::new(self.address(container).await?, request.port);
        Ok(is_ok(self.engine.namespace(), address, &request.text(address)).await)
    }

    /// Returns the URL of a program of ours.
    pub(super) async fn url_of_program(&self, container: &str) -> Result<String> {
        Ok(format!("http://{}", SocketAddr::new(self.address(container).await?, PORT)))
    }

    /// Returns the address of a container in the network of the project.
    pub(super) async fn address(&self, container: &str) -> Result<IpAddr> {
        let network = format!("{}_default", self.name);
        let format = format!("{{{{ (index .NetworkSettings.Networks \"{network}\").IPAddress }}}}");
        let text = self.inspect(container, &format).await?;
        text.parse().with_context(|| format!("container {container} has no address"))
    }
}

async fn is_ok(namespace: &Namespace, address: SocketAddr, request: &str) -> bool {
    let exchange = async {
        let mut stream = namespace.connect(address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.ok()?;
        head.ends_with(b" 200").then_some(())
    };
    timeout(PATIENCE, exchange).await.ok().flatten().is_some()
}
