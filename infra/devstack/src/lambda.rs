//! cargo-lambda, which builds functions for AWS Lambda and emulates it.
use std::path::PathBuf;

use anyhow::Result;

use crate::home::{Home, workspace};
use crate::process::{Launch, Sink};
use crate::python::{Environment, Requirements};

/// cargo-lambda, and the compiler by which it links against the C library of Lambda.
const PACKAGES: [&str; 2] = ["cargo-lambda==1.9.2", "ziglang==0.17.1"];

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
