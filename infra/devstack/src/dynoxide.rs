//! Dynoxide, a server of the API of DynamoDB, from crates.io.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::environment::setting;
use crate::home::Lock;
use crate::process::{Launch, Output, Process, Sink, traced};
use crate::service::{Service, on_free_port};

/// The environment variable with the URL of the server that the tests share.
pub const SERVER: &str = "MESSENGER_TEST_DYNAMODB";
/// The version that is installed.
pub const VERSION: &str = "3.2.0";

/// The features that a server needs, without the rest of the emulator.
const FEATURES: &str = "native-sqlite,http-server,cli";
/// The number of crates that an installation compiles, as a measure of progress.
const CRATES: usize = 111;
/// The longest that a start may take on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub struct Dynoxide {
    service: Service,
    url: String,
}

impl Dynoxide {
    /// Installs the server if it is missing, starts it, and waits until it answers. Its tables are in this file;
    /// with `None` they are in memory, and gone when the server ends.
    pub async fn start(file: Option<&Path>, progress: &Sink) -> Result<Self> {
        let program = install(progress).await?;
        let (service, url) = on_free_port(0, async |port| {
            let url = format!("http://127.0.0.1:{port}");
            let launch = Launch::new("Dynoxide", &program).args([
                "--host",
                "127.0.0.1",
                "--log",
                "quiet",
                "--port",
                &port.to_string(),
            ]);
            let launch = match file {
                Some(file) => launch.arg("--db-path").arg(file),
                None => launch,
            };
            let service = Service::start(launch, format!("{url}/"), START_TIMEOUT).await?;
            Ok((service, url))
        })
        .await?;
        Ok(Self { service, url })
    }

    /// Starts the server as [`start`](Self::start) does, with its tables in memory, and without progress.
    pub async fn temporary() -> Result<Self> {
        Self::start(None, &traced()).await
    }

    /// Returns the URL, for `AWS_ENDPOINT_URL_DYNAMODB`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the process, which can be killed, frozen and started again.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }
}

/// Returns the URL of the server that the tests share.
pub fn shared() -> Result<String> {
    setting(SERVER).with_context(|| format!("{SERVER} is not set: run `cargo xtask test`"))
}

/// Compiles the program if it is missing, and returns its path. It lies in Cargo's home, so that each checkout
/// finds it.
pub async fn install(progress: &Sink) -> Result<PathBuf> {
    let root = cargo_home()?.join("tools").join(format!("dynoxide-{VERSION}"));
    let program = root.join("bin/dynoxide");
    if program.exists() {
        return Ok(program);
    }
    let _lock = Lock::take(&root.with_extension("lock"), progress).await?;
    if !program.exists() {
        progress("compiling Dynoxide, once: some minutes");
        let cargo = Launch::new("cargo install dynoxide-rs", setting("CARGO").unwrap_or("cargo".to_owned()))
            .args(["install", "dynoxide-rs", "--locked", "--no-default-features", "--features", FEATURES])
            .args(["--version", &format!("={VERSION}"), "--root"])
            .arg(&root)
            .output(Output::Lines(compiled(progress.clone())));
        let process = Process::spawn(cargo)?;
        let status = process.ended().await;
        ensure!(status.success(), "{} failed ({status}):\n{}", process.name(), process.last_lines());
    }
    Ok(program)
}

/// Returns Cargo's home (The Cargo Book, "Cargo Home").
fn cargo_home() -> Result<PathBuf> {
    let home = setting("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| setting("HOME").map(|home| Path::new(&home).join(".cargo"))).context("no HOME")
}

/// Returns a sink that turns the output of Cargo into messages of progress.
fn compiled(progress: Sink) -> Sink {
    let seen = AtomicUsize::new(0);
    Arc::new(move |line| {
        if let Some(package) = line.trim().strip_prefix("Compiling ") {
            let count = seen.fetch_add(1, Ordering::Relaxed) + 1;
            let name = package.split(' ').next().unwrap_or(package);
            progress(&format!("compiling Dynoxide, once: {count}/{} {name}", CRATES.max(count)));
        }
    })
}
