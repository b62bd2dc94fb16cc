//! The edge: Caddy from the Debian package, with the repository's Caddyfile on free ports of loopback.
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Certificate, Client};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::debian::{self, Program};
use crate::home::workspace;
use crate::port::free_port;
use crate::process::{Launch, traced};
use crate::service::Service;

const PROGRAM: Program = Program { name: "caddy", package: "caddy" };
const CADDYFILE: &str = "infra/images/edge/Caddyfile";
/// The root certificate of the authority, below the data directory.
const AUTHORITY: &str = "caddy/pki/authorities/local/root.crt";
/// The longest that a start may take on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// The pause between two looks at something that Caddy makes.
const POLL: Duration = Duration::from_millis(50);

/// A running edge. Dropping it kills the process and removes its authority.
#[derive(Debug)]
pub struct Edge {
    _service: Service,
    ports: Ports,
    /// The root certificate of the edge's authority in PEM form.
    authority: Vec<u8>,
    _data: TempDir,
}

/// The ports in the place of 8085, 8448 and 8008.
#[derive(Debug)]
struct Ports {
    service: u16,
    matrix_tls: u16,
    matrix: u16,
}

impl Edge {
    /// Installs Caddy if it is missing, starts it in front of a router and a homeserver, each given as
    /// `host:port`, and waits until it answers on all ports.
    pub async fn start(router: &str, homeserver: &str) -> Result<Self> {
        debian::ensure(&[PROGRAM], &traced()).await?;
        let data = tempfile::Builder::new().prefix("messenger-edge-").tempdir()?;
        let ports = Ports { service: free_port()?, matrix_tls: free_port()?, matrix: free_port()? };
        let file = data.path().join("Caddyfile");
        let text = fs::read_to_string(workspace().join(CADDYFILE)).context(CADDYFILE)?;
        fs::write(&file, ports.put_into(&text)).context("writing the Caddyfile")?;
        let launch = Launch::new("Caddy", PROGRAM.path().context("no caddy")?)
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&file)
            .env("XDG_DATA_HOME", data.path())
            .env("XDG_CONFIG_HOME", data.path())
            .env("ROUTER", router)
            .env("HOMESERVER", homeserver);
        let ready = format!("http://127.0.0.1:{}/.well-known/matrix/client", ports.matrix);
        let service = Service::start(launch, ready, START_TIMEOUT).await?;
        let authority = read_authority(&data.path().join(AUTHORITY)).await?;
        let edge = Self { _service: service, ports, authority, _data: data };
        edge.wait_for_certificates().await?;
        Ok(edge)
    }

    /// Returns the URL of the service, with TLS.
    pub fn service_url(&self) -> String {
        format!("https://localhost:{}", self.ports.service)
    }

    /// Returns the URLs of the homeserver, with TLS and without.
    pub fn matrix_urls(&self) -> [String; 2] {
        [
            format!("https://localhost:{}", self.ports.matrix_tls),
            format!("http://localhost:{}", self.ports.matrix),
        ]
    }

    /// Returns the root certificate of the edge's authority in PEM form.
    pub fn authority(&self) -> &[u8] {
        &self.authority
    }

    /// Waits until each port with TLS has its certificate: Caddy listens before it has issued them.
    async fn wait_for_certificates(&self) -> Result<()> {
        let authority = Certificate::from_pem(&self.authority).context("the authority of the edge")?;
        let client = Client::builder().no_proxy().tls_certs_only([authority]).build()?;
        let deadline = Instant::now() + START_TIMEOUT;
        let [matrix, _] = self.matrix_urls();
        for url in [self.service_url(), matrix] {
            // A response of any status has passed the handshake.
            while let Err(error) = client.get(&url).send().await {
                ensure!(Instant::now() < deadline, "no response of the edge at {url}: {error:?}");
                sleep(POLL).await;
            }
        }
        Ok(())
    }
}

/// Reads the certificate as soon as Caddy has made it.
async fn read_authority(path: &Path) -> Result<Vec<u8>> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match fs::read(path) {
            Ok(certificate) => return Ok(certificate),
            Err(error) if Instant::now() > deadline => {
                return Err(error).with_context(|| format!("reading {}", path.display()));
            }
            Err(_) => sleep(POLL).await,
        }
    }
}

impl Ports {
    fn put_into(&self, caddyfile: &str) -> String {
        let places = [(":8085", self.service), (":8448", self.matrix_tls), (":8008", self.matrix)];
        places
            .iter()
            .fold(caddyfile.to_owned(), |text, (place, port)| text.replace(place, &format!(":{port}")))
    }
}
