//! The Synapse in Conduit's place: a process of this machine, with a way from and to the containers.
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use messenger_devstack::engine::{Namespace, Passage};
use messenger_devstack::free_port;
use messenger_devstack::home::read_or_create;
use messenger_devstack::messenger::BOT;
use messenger_devstack::process::Sink;
use messenger_devstack::synapse::{self, Options, Synapse};
use messenger_matrix::{Registration, registration};

use super::project::{Project, SERVER_NAME};

/// The Synapse. Dropping it kills the process; the data stay.
pub(super) struct SynapseBesideEngine {
    running: Option<Synapse>,
    options: Options,
    registration_secret: String,
    /// From the namespace of the engine to Synapse.
    _inward: Passage,
    /// From Synapse to the router.
    _outward: Passage,
}

impl SynapseBesideEngine {
    /// Installs and starts Synapse with its data in `directory`.
    pub(super) async fn start(project: &Project, directory: PathBuf, progress: &Sink) -> Result<Self> {
        let mut options = Options::new(directory);
        synapse::install(&options.home, progress).await?;
        options.port = free_port()?;
        SERVER_NAME.clone_into(&mut options.server_name);
        let (here, containers) = (Namespace::of_this_process(), project.engine.namespace());
        let router = SocketAddr::from((Ipv4Addr::LOCALHOST, project.ports.router));
        let outward = Passage::from_here(0, containers, router).await?;
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, project.ports.homeserver));
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let inward = Passage::open(containers, everywhere, &here, target).await?;
        options.registrations.push(registration::yaml(&Registration {
            id: "messenger".to_owned(),
            url: Some(format!("http://{}", outward.address())),
            as_token: project.matrix.as_token.clone(),
            hs_token: project.matrix.hs_token.clone(),
            bot_localpart: BOT.to_owned(),
            server_name: SERVER_NAME.to_owned(),
        }));
        let mut homeserver = Self {
            running: None,
            options,
            registration_secret: project.matrix.registration_secret.clone(),
            _inward: inward,
            _outward: outward,
        };
        progress("starting Synapse");
        homeserver.start_again().await?;
        Ok(homeserver)
    }

    /// Kills Synapse and deletes its data.
    pub(super) fn delete(&mut self) -> Result<()> {
        self.running = None;
        match fs::remove_dir_all(&self.options.directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("deleting {}", self.options.directory.display()))
            }
            _ => Ok(()),
        }
    }

    /// Starts Synapse if it does not run.
    pub(super) async fn start_again(&mut self) -> Result<()> {
        if self.running.is_none() {
            // The containers know this secret.
            let secret = self.registration_secret.clone();
            read_or_create(&self.options.directory.join("registration.secret"), || secret)?;
            self.running = Some(Synapse::start(self.options.clone()).await?);
        }
        Ok(())
    }
}
