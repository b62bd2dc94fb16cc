//! The fixture of a test: a homeserver of its own, bootstrapped, and the adapter.

use std::ops::{Deref, DerefMut};

use anyhow::{Context, Result};
use messenger_core::{
    Error,
    error::Failure,
    id::{MatrixUserId, RoomId},
    room::NewRoom,
};
use messenger_devstack::{Conduit, Synapse, conduit, homeserver::Homeserver, synapse};
use messenger_matrix::{
    AdminAccount, Appservice, HomeserverConfig, Passwords, Registration, bootstrap, registration::yaml,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;

pub(crate) const BOT: &str = "@messenger:hub.local";

/// A homeserver of the test's own, bootstrapped, and the adapter.
pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) appservice: Appservice,
    pub(crate) config: HomeserverConfig,
    pub(crate) registration: Registration,
    pub(crate) admin: AdminAccount,
    _directory: TempDir,
}

pub(crate) enum Server {
    Synapse(Synapse),
    Conduit(Conduit),
}

impl Fixture {
    pub(crate) async fn synapse() -> Result<Self> {
        let fixture = Self::new_synapse().await?;
        fixture.bootstrap().await?;
        Ok(fixture)
    }

    pub(crate) async fn conduit() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let options = conduit::Options { allow_encryption: true, ..conduit::Options::new(directory.path()) };
        let fixture = Self::on(Server::Conduit(Conduit::start(options).await?), directory)?;
        fixture.bootstrap().await?;
        Ok(fixture)
    }

    /// Starts a Synapse without bootstrapping it.
    pub(crate) async fn new_synapse() -> Result<Self> {
        Self::synapse_with(Vec::new()).await
    }

    /// Starts a Synapse with further Application Services, without bootstrapping it.
    pub(crate) async fn synapse_with(others: Vec<String>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut options = synapse::Options::new(directory.path());
        options.registrations = [vec![yaml(&registration())], others].concat();
        Self::on(Server::Synapse(Synapse::start(options).await?), directory)
    }

    fn on(server: Server, directory: TempDir) -> Result<Self> {
        let config = config(&server);
        Ok(Self {
            server,
            appservice: Appservice::new(config.clone())?,
            config,
            registration: registration(),
            admin: AdminAccount { localpart: "hubadmin".to_owned(), password: "a-password".to_owned() },
            _directory: directory,
        })
    }

    pub(crate) async fn bootstrap(&self) -> Result<()> {
        Ok(bootstrap(&self.config, &self.registration, &self.admin).await?)
    }

    pub(crate) fn is_conduit(&self) -> bool {
        matches!(self.server, Server::Conduit(_))
    }

    /// Returns the adapter that sets passwords.
    pub(crate) fn passwords(&self) -> Passwords {
        let secret = match &self.server {
            Server::Synapse(synapse) => Some(synapse.accounts().registration_secret().to_owned()),
            Server::Conduit(_) => None,
        };
        Passwords::new(self.appservice.clone(), self.admin.clone(), secret)
    }

    /// Returns a plain client that acts for the bot.
    pub(crate) fn bot(&self) -> Result<Client> {
        Ok(Client::new(self.server.url(), &self.config.as_token)?.acting_for(BOT))
    }

    /// Registers a user of another client.
    pub(crate) async fn person(&self, localpart: &str) -> Result<Client> {
        match &self.server {
            Server::Synapse(synapse) => synapse.accounts().register_user(localpart, "pw", false).await?,
            Server::Conduit(_) => self.bot()?.register(localpart, Some("pw")).await?,
        }
        Client::new(self.server.url(), &self.server.login(localpart, "pw").await?)
    }
}

impl Deref for Server {
    type Target = Homeserver;

    fn deref(&self) -> &Homeserver {
        match self {
            Self::Synapse(synapse) => synapse,
            Self::Conduit(conduit) => conduit,
        }
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Homeserver {
        match self {
            Self::Synapse(synapse) => synapse,
            Self::Conduit(conduit) => conduit,
        }
    }
}

pub(crate) fn config(server: &Homeserver) -> HomeserverConfig {
    HomeserverConfig {
        homeserver_url: server.url().to_owned(),
        server_name: server.server_name().to_owned(),
        as_token: registration().as_token,
        account_key: "the account key of the tests".to_owned(),
        bot_localpart: "messenger".to_owned(),
        bot_display_name: "Messenger".to_owned(),
    }
}

pub(crate) fn registration() -> Registration {
    Registration {
        id: "messenger".to_owned(),
        url: None,
        as_token: "as_0123456789abcdef".to_owned(),
        hs_token: "hs_0123456789abcdef".to_owned(),
        bot_localpart: "messenger".to_owned(),
        server_name: "hub.local".to_owned(),
    }
}

pub(crate) fn user(localpart: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{localpart}:hub.local"))
}

pub(crate) fn room(alias: &str) -> NewRoom {
    NewRoom {
        alias: format!("hub_{alias}"),
        name: "Fräse 42".to_owned(),
        topic: Some("Halle 3".to_owned()),
        is_direct: false,
        members_invite: false,
        invite: Vec::new(),
    }
}

pub(crate) fn text(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}

/// Escapes a room id for a path.
pub(crate) fn segment(room: &RoomId) -> String {
    room.as_str().replace('!', "%21")
}

/// Returns the failure of a call.
pub(crate) fn failure<T>(result: Result<T, Error>) -> Result<Failure> {
    let error = result.err().context("the call succeeded")?;
    error.failure().with_context(|| format!("the call failed without a failure: {error}"))
}
