//! Commands of the client and of Compose.
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio::time::timeout;

use super::{CLIENT, DEBIAN_CLIENT, Engine};
use crate::process::{Launch, Output, Process, Sink};

/// The time limit of the question whether an engine runs.
const PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// Returns the launch of `docker` with these arguments.
    pub fn docker<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Launch {
        self.with_address(Launch::new("docker", &self.client)).args(arguments)
    }

    /// Returns the launch of `docker-compose` with these arguments.
    pub fn compose<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Launch {
        let (program, first) = (&self.compose[0], &self.compose[1..]);
        self.with_address(Launch::new("docker-compose", program)).args(first).args(arguments)
    }

    /// Runs `docker` to its end. Returns its standard output.
    pub async fn output(&self, arguments: &[&str]) -> Result<String> {
        let client = self.client.to_string_lossy();
        text_of("", &client, arguments, &self.variables()).await
    }

    /// Returns the environment variables with which a client reaches the engine.
    pub fn variables(&self) -> Vec<(String, String)> {
        let address = self.address.iter().map(|address| ("DOCKER_HOST".to_owned(), address.clone()));
        // Compose 1.29 prints no table of downloads, and BuildKit builds only the stages of the target.
        address.chain([("DOCKER_BUILDKIT".to_owned(), "1".to_owned())]).collect()
    }

    fn with_address(&self, launch: Launch) -> Launch {
        self.variables().into_iter().fold(launch, |launch, (name, value)| launch.env(name, value))
    }
}

/// Runs a command to its end and reports each line of its output. The error holds the last lines.
pub async fn run(launch: Launch, progress: &Sink) -> Result<()> {
    let process = Process::spawn(launch.output(Output::Lines(progress.clone())))?;
    let status = process.ended().await;
    if !status.success() {
        bail!("{} failed ({status}):\n{}", process.name(), process.last_lines());
    }
    Ok(())
}

/// Returns whether an engine answers at this address; `None` for the address of this process's environment.
pub(super) async fn is_running(address: Option<&str>) -> bool {
    let program = match (address, CLIENT.path()) {
        (Some(_), _) => DEBIAN_CLIENT.into(),
        (None, Some(program)) => program,
        (None, None) => return false,
    };
    let mut command = Command::new(program);
    command.args(["info", "--format", "{{.ServerVersion}}"]).stdin(Stdio::null()).kill_on_drop(true);
    if let Some(address) = address {
        command.env("DOCKER_HOST", address);
    }
    let output = timeout(PATIENCE, command.output()).await;
    output.is_ok_and(|output| output.is_ok_and(|output| output.status.success() && !output.stdout.is_empty()))
}

/// Runs a command with this standard input to its end. Returns its standard output.
pub(super) async fn text_of(
    input: &str,
    program: &str,
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<String> {
    use tokio::io::AsyncWriteExt as _;

    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("starting {program}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that reads nothing may have ended.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await.with_context(|| format!("waiting for {program}"))?;
    if !output.status.success() {
        bail!("{program} failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
