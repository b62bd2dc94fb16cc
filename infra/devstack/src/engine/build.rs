//! Builds of images.
use std::path::Path;

use anyhow::{Context, Result};

use super::command::{run, text_of};
use super::{DEBIAN_CLIENT, Engine, Namespace, daemon};
use crate::home::{Home, Lock};
use crate::process::Sink;

/// The network of a build's commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The network of the engine's containers.
    Default,
    /// The network of the engine itself.
    Host,
}

impl Engine {
    /// Starts an own engine whose builds reach the network, and that runs no containers.
    pub async fn start_for_builds(home: &Home, progress: &Sink) -> Result<Self> {
        daemon::install(progress).await?;
        let lock = Lock::take(&home.path("engine-of-builds/lock"), progress).await?;
        let (process, address) = daemon::start_for_builds(home, progress).await?;
        Ok(Self {
            home: home.clone(),
            client: DEBIAN_CLIENT.into(),
            compose: vec!["docker-compose".to_owned()],
            address: Some(address),
            own: Some((process, lock)),
            namespace: Namespace::of_this_process(),
        })
    }

    /// Builds an image from a Dockerfile of `context`.
    pub async fn build(
        &self,
        context: &Path,
        file: &str,
        tag: &str,
        arguments: &[(&str, &str)],
        network: Network,
        progress: &Sink,
    ) -> Result<()> {
        let mut words = vec!["build", "--progress", "plain", "--file", file, "--tag", tag];
        if network == Network::Host {
            words.extend(["--network", "host"]);
        }
        let arguments: Vec<_> = arguments.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for argument in &arguments {
            words.extend(["--build-arg", argument]);
        }
        words.push(".");
        let launch = self.docker(words).directory(context);
        run(launch, progress).await.with_context(|| format!("building the image {tag}"))
    }

    /// Adds instructions of a Dockerfile to an image, whose name the result gets.
    pub(super) async fn build_upon(&self, name: &str, instructions: &str) -> Result<()> {
        let dockerfile = format!("FROM {name}\n{instructions}\n");
        let client = self.client.to_string_lossy();
        let arguments = ["build", "--quiet", "--tag", name, "-"];
        text_of(&dockerfile, &client, &arguments, &self.variables()).await.map(drop)
    }

    /// Returns the size of an image in bytes.
    pub async fn image_size(&self, tag: &str) -> Result<u64> {
        let size = self.output(&["image", "inspect", "--format", "{{.Size}}", tag]).await?;
        size.parse().with_context(|| format!("the size of {tag}"))
    }
}
