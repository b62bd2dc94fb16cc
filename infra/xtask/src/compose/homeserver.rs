//! The homeserver of a deployment: Conduit in a container if `CONDUIT_BIN` names a program, else a Synapse.
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use messenger_devstack::messenger::BOT;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::conduit::ConduitInContainer;
use super::network::Request;
use super::project::{HOMESERVER, Project, SERVER_NAME};
use super::synapse::SynapseBesideEngine;
use crate::step::Step;

/// The port of that service.
const PORT: u16 = 6167;

const PAUSE: Duration = Duration::from_millis(50);
/// The time limit of the worker for its start on a busy machine.
const REGISTRATION_TIMEOUT: Duration = Duration::from_mins(1);

/// The homeserver.
pub(super) enum Homeserver {
    /// Conduit, a service of the project.
    Conduit(ConduitInContainer),
    /// A Synapse in Conduit's place. Dropping it kills the process; the data stay.
    Synapse(Box<SynapseBesideEngine>),
}

/// The part of a registration file that is read here.
#[derive(Deserialize)]
struct Registration {
    as_token: String,
}

impl Homeserver {
    /// Makes the image of Conduit, or starts Synapse with its data in `directory`.
    pub(super) async fn start(project: &Project, directory: PathBuf) -> Result<Self> {
        if let Some(program) = &project.conduit {
            let step = Step::begin("Conduit");
            let conduit = ConduitInContainer::build(project, program, &step.progress()).await?;
            step.done(&format!("{} in an image", conduit.version));
            return Ok(Self::Conduit(conduit));
        }
        let step = Step::begin("Synapse");
        let synapse =
            SynapseBesideEngine::start(project, directory.join("synapse"), &step.progress()).await?;
        step.done("in Conduit's place");
        Ok(Self::Synapse(Box::new(synapse)))
    }

    /// Stops the homeserver and deletes its data.
    pub(super) async fn delete(&mut self, project: &Project) -> Result<()> {
        match self {
            Self::Conduit(_) => ConduitInContainer::delete(project).await,
            Self::Synapse(synapse) => synapse.delete(),
        }
    }

    /// Starts the homeserver if it does not run, and waits until it answers. Its container runs.
    pub(super) async fn start_again(&mut self, project: &Project) -> Result<()> {
        match self {
            Self::Conduit(_) => project.wait_until_homeserver_answers().await,
            Self::Synapse(synapse) => synapse.start_again().await,
        }
    }

    /// Returns the data of the homeserver that the tests need.
    pub(super) async fn facts(&self, project: &Project) -> Result<Value> {
        let mut facts = json!({
            "server_name": SERVER_NAME,
            "homeserver_url": format!("http://{HOMESERVER}:{PORT}"),
            "as_token": self.as_token(project).await?,
        });
        if let Self::Synapse(_) = self {
            facts["registration_secret"] = json!(project.matrix.registration_secret);
        }
        Ok(facts)
    }

    /// Waits until the bot has an account: the worker has then registered the service.
    pub(super) async fn wait_until_registered(&self, project: &Project) -> Result<()> {
        let container = project.containers(HOMESERVER).await?.swap_remove(0);
        let as_token = self.as_token(project).await?;
        let request = Request {
            port: PORT,
            path: format!("/_matrix/client/v3/account/whoami?user_id=%40{BOT}%3A{SERVER_NAME}"),
            bearer: Some(as_token),
        };
        let deadline = Instant::now() + REGISTRATION_TIMEOUT;
        while !project.answers(&container, &request).await? {
            ensure!(Instant::now() < deadline, "no account of the bot within {REGISTRATION_TIMEOUT:?}");
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Returns the token of the service for requests to the homeserver. The service derives that for Conduit.
    async fn as_token(&self, project: &Project) -> Result<String> {
        match self {
            Self::Synapse(_) => Ok(project.matrix.as_token.clone()),
            Self::Conduit(conduit) => {
                let read = conduit.as_token.get_or_try_init(async || derived_token(project).await);
                read.await.cloned()
            }
        }
    }
}

impl Project {
    /// Waits until the homeserver answers in its container, or through it.
    pub(super) async fn wait_until_homeserver_answers(&self) -> Result<()> {
        let container = self.containers(HOMESERVER).await?.swap_remove(0);
        let request = Request { port: PORT, path: "/_matrix/client/versions".to_owned(), bearer: None };
        self.wait_until_answers(&container, &request).await
    }
}

async fn derived_token(project: &Project) -> Result<String> {
    // Any program of ours has the key; only the worker prints the registration.
    let worker = project.containers("worker").await?.swap_remove(0);
    let text = project.engine.output(&["exec", &worker, "/messenger", "registration"]).await?;
    let registration: Registration =
        serde_saphyr::from_str(&text).context("the registration of the worker")?;
    Ok(registration.as_token)
}
