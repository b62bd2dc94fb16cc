//! The homeserver of tests and measurements: a Conduit if `CONDUIT_BIN` names one, otherwise a Synapse.
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use anyhow::Result;

use crate::homeserver::Homeserver;
use crate::{Conduit, Synapse, conduit, synapse};

/// The options of a homeserver for one Application Service.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory below which it stores its data.
    pub directory: PathBuf,
    /// The part of Matrix ids after the colon.
    pub server_name: String,
    /// The registration file of the Application Service, as YAML. Conduit reads none: there, the service
    /// registers itself.
    pub registration: String,
    /// `true` if rooms can be encrypted on Conduit. On Synapse they always can.
    pub allow_encryption: bool,
}

/// A running homeserver. Dropping it kills the process; the data stay.
#[derive(Debug)]
pub enum LocalHomeserver {
    /// A Synapse, which knows the registration.
    Synapse(Synapse),
    /// A Conduit, at which the service is not registered yet.
    Conduit(Conduit),
}

impl LocalHomeserver {
    /// Starts the homeserver and waits until it answers.
    pub async fn start(options: Options) -> Result<Self> {
        if conduit::binary().is_some() {
            let mut of_conduit = conduit::Options::new(options.directory.join("conduit"));
            of_conduit.server_name = options.server_name;
            of_conduit.allow_encryption = options.allow_encryption;
            Conduit::start(of_conduit).await.map(Self::Conduit)
        } else {
            let mut of_synapse = synapse::Options::new(options.directory.join("synapse"));
            of_synapse.server_name = options.server_name;
            of_synapse.registrations = vec![options.registration];
            Synapse::start(of_synapse).await.map(Self::Synapse)
        }
    }

    /// Returns the name for reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Synapse(_) => "Synapse on SQLite",
            Self::Conduit(_) => "Conduit",
        }
    }

    /// Returns the secret for registering administrators; `None` on Conduit.
    pub fn registration_secret(&self) -> Option<&str> {
        match self {
            Self::Synapse(synapse) => Some(synapse.accounts().registration_secret()),
            Self::Conduit(_) => None,
        }
    }
}

impl Deref for LocalHomeserver {
    type Target = Homeserver;

    fn deref(&self) -> &Homeserver {
        match self {
            Self::Synapse(synapse) => synapse,
            Self::Conduit(conduit) => conduit,
        }
    }
}

impl DerefMut for LocalHomeserver {
    fn deref_mut(&mut self) -> &mut Homeserver {
        match self {
            Self::Synapse(synapse) => synapse,
            Self::Conduit(conduit) => conduit,
        }
    }
}
