//! Prometheus and its `promtool`, from the Debian package.
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::debian::{self, Program};
use crate::process::{Launch, traced};
use crate::service::{Service, on_free_port};

const SERVER: Program = Program { name: "prometheus", package: "prometheus" };
const TOOL: Program = Program { name: "promtool", package: "prometheus" };

/// The longest that a start may take on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A running Prometheus on loopback. Dropping it kills the process and removes its data.
#[derive(Debug)]
pub struct Prometheus {
    _service: Service,
    url: String,
    _data: TempDir,
}

impl Prometheus {
    /// Installs Prometheus if it is missing, starts it with this configuration file, and waits until it is
    /// ready.
    pub async fn start(configuration: &Path) -> Result<Self> {
        debian::ensure(&[SERVER], &traced()).await?;
        let program = SERVER.path().context("no prometheus")?;
        let data = tempfile::Builder::new().prefix("messenger-prometheus-").tempdir()?;
        let (service, url) = on_free_port(0, async |port| {
            let url = format!("http://127.0.0.1:{port}");
            let launch = Launch::new("Prometheus", &program)
                .arg(format!("--config.file={}", configuration.display()))
                .arg(format!("--storage.tsdb.path={}", data.path().display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--log.level=warn");
            let service = Service::start(launch, format!("{url}/-/ready"), START_TIMEOUT).await?;
            Ok((service, url))
        })
        .await?;
        Ok(Self { _service: service, url, _data: data })
    }

    /// Returns the series of an expression at this moment, each as JSON with `metric` and `value`
    /// (Prometheus, "HTTP API", instant queries).
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?;
        let request = client.get(format!("{}/api/v1/query", self.url)).query(&[("query", expression)]);
        let mut answer: Value = request.send().await?.json().await?;
        match answer["data"]["result"].take() {
            Value::Array(series) => Ok(series),
            _ => bail!("Prometheus refuses {expression}: {}", answer["error"]),
        }
    }
}

/// Installs Prometheus if it is missing, and runs `promtool` with this standard input.
///
/// # Errors Returns its output as an error if it finds a fault.
pub async fn promtool(arguments: &[&str], input: &str) -> Result<()> {
    debian::ensure(&[SERVER], &traced()).await?;
    let mut command = Command::new(TOOL.path().context("no promtool beside prometheus")?);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = command.kill_on_drop(true).spawn().context("starting promtool")?;
    let mut stdin = tool.stdin.take().context("promtool without standard input")?;
    stdin.write_all(input.as_bytes()).await.context("writing to promtool")?;
    drop(stdin);
    let output = tool.wait_with_output().await?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        bail!("promtool {} ({}):\n{text}", arguments.join(" "), output.status);
    }
    Ok(())
}
