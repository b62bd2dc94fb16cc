//! Conduit as a container: an image of the program that `CONDUIT_BIN` names.
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use messenger_devstack::Home;
use messenger_devstack::engine::{BASES, Network};
use messenger_devstack::home::workspace;
use messenger_devstack::process::Sink;
use tokio::sync::OnceCell;

use super::project::{CONDUIT_IMAGE, HOMESERVER, Project};

const DOCKERFILE: &str = "infra/images/conduit/Dockerfile";
/// The name of the program in the context of the image.
const PROGRAM: &str = "conduit";

/// The Conduit of a project. Its data are in a volume of the project.
pub(super) struct ConduitInContainer {
    pub(super) version: String,
    /// The token of the service for requests to it, as soon as it was asked for.
    pub(super) as_token: OnceCell<String>,
}

impl ConduitInContainer {
    /// Makes the image. The program has to run in it: it is built for glibc, and needs no further libraries.
    pub(super) async fn build(project: &Project, program: &Path, progress: &Sink) -> Result<Self> {
        let engine = &project.engine;
        engine.ensure_base(&BASES[0], progress).await?;
        let context = Home::default().path("compose/conduit-image");
        fs::create_dir_all(&context).with_context(|| format!("creating {}", context.display()))?;
        fs::copy(program, context.join(PROGRAM))
            .with_context(|| format!("CONDUIT_BIN: copying {}", program.display()))?;
        let file = workspace().join(DOCKERFILE);
        engine
            .build(&context, &file.to_string_lossy(), CONDUIT_IMAGE, &[], Network::Default, progress)
            .await?;
        let run = ["run", "--rm", "--network", "none", CONDUIT_IMAGE, "--version"];
        let version = engine.output(&run).await;
        let version = version.context("CONDUIT_BIN: the program does not run in an image of Debian 12")?;
        let version = version.trim_start_matches("conduit ").to_owned();
        Ok(Self { version, as_token: OnceCell::new() })
    }

    /// Kills the container and deletes the files in its volume.
    pub(super) async fn delete(project: &Project) -> Result<()> {
        for container in project.containers(HOMESERVER).await? {
            let is_running = project.inspect(&container, "{{.State.Running}}").await?;
            if is_running == "true" {
                project.engine.output(&["kill", &container]).await?;
            }
        }
        project.empty_volume(HOMESERVER).await
    }
}
