//! cargo-lambda, which builds functions for AWS Lambda and emulates it.
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::home::{Home, workspace};
use crate::process::{Launch, Sink};
use crate::python::{Environment, Requirements};

/// cargo-lambda, and the compiler by which it links against the C library of Lambda.
const PACKAGES: [&str; 2] = ["cargo-lambda==1.9.2", "ziglang==0.17.1"];

/// The folder with a program that stands in for cargo.
const STAND_IN: &str = "infra/devstack/src/lambda";

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
        Launch::new("cargo lambda", self.0.program("cargo-lambda"))
            .arg("lambda")
            .args(arguments)
            .env("PATH", self.path(None))
            .directory(workspace())
    }

    /// Returns the command of the emulator: a gateway with the routes of the workspace's `Cargo.toml` on a loopback
    /// port. It starts programs of this directory as environments, with the environment variables of the launch:
    /// at most `concurrency` of each function, when requests need them. They end with the emulator.
    pub fn emulator(&self, programs: &Path, port: u16, concurrency: usize) -> Launch {
        let (port, concurrency) = (port.to_string(), concurrency.to_string());
        // With `--only-lambda-apis` it would compile further environments.
        self.launch(["watch", "--ignore-changes", "--disable-cors", "--invoke-address", "127.0.0.1"])
            .args(["--invoke-port", &port, "--concurrency", &concurrency])
            .env("PATH", self.path(Some(workspace().join(STAND_IN))))
            .env("MESSENGER_PROGRAMS", programs)
    }

    /// Returns the `PATH` of cargo-lambda, which finds zig as a module of the first Python.
    fn path(&self, first: Option<PathBuf>) -> OsString {
        let of_environment = self.0.python().parent().map(Path::to_owned);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let directories = first.into_iter().chain(of_environment).chain(std::env::split_paths(&path));
        std::env::join_paths(directories).unwrap_or(path)
    }

    /// Returns the path of a Python.
    pub fn python(&self) -> PathBuf {
        self.0.python()
    }
}
