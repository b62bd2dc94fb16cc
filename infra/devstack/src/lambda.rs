//! cargo-lambda, which builds functions for AWS Lambda and emulates it.
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use futures::future::select_all;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::home::{Home, workspace};
use crate::process::{Launch, Output, Process, Sink};
use crate::python::{Environment, Requirements};

/// cargo-lambda, and the compiler by which it links against the C library of Lambda.
const PACKAGES: [&str; 2] = ["cargo-lambda==1.9.2", "ziglang==0.17.1"];

/// The time limit of the emulator for its start on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// The pause between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(25);

/// An installed cargo-lambda.
#[derive(Clone, Debug)]
pub struct CargoLambda(Environment);

impl CargoLambda {
    /// Installs cargo-lambda and zig, if they are not installed.
    pub async fn ensure(home: &Home, progress: &Sink) -> Result<Self> {
        let requirements = Requirements {
            title: "cargo-lambda".to_owned(),
            arguments: PACKAGES.map(str::to_owned).to_vec(),
            constraints: String::new(),
            package_count: PACKAGES.len(),
            stamp: PACKAGES.join(" "),
        };
        Ok(Self(Environment::ensure(home, "lambda-venv", &requirements, progress).await?))
    }

    /// Returns a command of `cargo lambda`, in the root of the workspace.
    pub fn launch<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Launch {
        // It finds zig as a module of the first Python.
        let programs = self.0.python().parent().map(PathBuf::from).unwrap_or_default();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let directories = std::iter::once(programs).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(directories).unwrap_or(path);
        Launch::new("cargo lambda", self.0.program("cargo-lambda"))
            .arg("lambda")
            .args(arguments)
            .env("PATH", path)
            .directory(workspace())
    }

    /// Returns the path of a Python.
    pub fn python(&self) -> PathBuf {
        self.0.python()
    }
}

/// The emulator of Lambda: a gateway with the routes of the workspace's `Cargo.toml`, and a Runtime API for each
/// function. Its environments are processes of already built programs. Dropping it ends all of them.
#[derive(Debug)]
pub struct Emulator {
    process: Process,
    port: u16,
    environments: Vec<Process>,
}

impl Emulator {
    /// Starts the gateway on a loopback port, with at most this many requests of a function at once: each needs
    /// an environment.
    pub async fn start(
        cargo_lambda: &CargoLambda,
        port: u16,
        concurrency: usize,
        output: Output,
    ) -> Result<Self> {
        let (at, concurrency) = (port.to_string(), concurrency.to_string());
        let launch = cargo_lambda
            .launch(["watch", "--only-lambda-apis", "--ignore-changes", "--disable-cors"])
            .args(["--invoke-address", "127.0.0.1", "--invoke-port", &at, "--concurrency", &concurrency])
            .output(output);
        let process = Process::spawn(launch)?;
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            if let Ok(status) = timeout(PAUSE, process.ended()).await {
                bail!("cargo lambda watch ended ({status}):\n{}", process.last_lines());
            }
            if Instant::now() > deadline {
                bail!(
                    "cargo lambda watch did not listen within {START_TIMEOUT:?}:\n{}",
                    process.last_lines()
                );
            }
        }
        Ok(Self { process, port, environments: Vec::new() })
    }

    /// Starts an environment of a function.
    pub fn add(&mut self, program: &str, launch: Launch) -> Result<()> {
        let launch = launch
            .env("AWS_LAMBDA_RUNTIME_API", format!("{}/.rt/{program}", self.url()))
            .env("AWS_LAMBDA_FUNCTION_NAME", program)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256");
        self.environments.push(Process::spawn(launch)?);
        Ok(())
    }

    /// Returns the URL of the gateway, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until the emulator or an environment ends. Returns an error with the last lines of its output.
    pub async fn failure(&self) -> anyhow::Error {
        let all = std::iter::once(&self.process).chain(&self.environments);
        let ends = all.map(|process| Box::pin(async move { (process, process.ended().await) }));
        let ((process, status), _, _) = select_all(ends).await;
        anyhow::anyhow!("{} ended ({status}):\n{}", process.name(), process.last_lines())
    }
}
