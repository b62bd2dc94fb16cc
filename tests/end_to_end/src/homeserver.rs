//! The homeserver of a test: a Synapse, or a Conduit if `CONDUIT_BIN` names one.

use std::path::Path;

use messenger_devstack::{LocalHomeserver, conduit, homeserver, local_homeserver, synapse::Accounts};
use messenger_matrix::{Registration, registration};
use serde_json::{Value, json};

use crate::{
    deployment::{Deployment, is_on_conduit, print_skipped},
    room::Matrix,
    waiting::wait_until,
};

const PASSWORD: &str = "a password of the tests";
/// The fault of a test that runs on a deployment and must not.
const OUT_OF_REACH: &str = "the homeserver of a deployment is out of reach: skip this test there";

/// A homeserver that is registered with the service, or will be: the worker registers the service at Conduit.
pub enum Server {
    /// One that this test started, and the token of the service for requests to it.
    Own(Box<LocalHomeserver>, String),
    /// The Synapse of a deployment.
    DeployedSynapse(Accounts),
    /// The Conduit of a deployment.
    DeployedConduit {
        /// The address, without a slash at the end.
        url: String,
        /// The token of the service for requests to it.
        as_token: String,
    },
}

/// Returns whether the tests run on Conduit.
pub fn is_conduit() -> bool {
    conduit::binary().is_some() || is_on_conduit()
}

/// Returns whether the tests run on Conduit, and prints the reason why this one is skipped there.
pub fn is_skipped_on_conduit(reason: &str) -> bool {
    let is_skipped = is_conduit();
    if is_skipped {
        print_skipped(&format!("Conduit: {reason}"));
    }
    is_skipped
}

impl Server {
    pub(crate) async fn start(directory: &Path, registered: &Registration) -> Self {
        let running = LocalHomeserver::start(local_homeserver::Options {
            directory: directory.to_owned(),
            server_name: registered.server_name.clone(),
            registration: registration::yaml(registered),
            // Encrypted rooms are tested, too.
            allow_encryption: true,
        });
        let running = running.await.expect("a homeserver");
        Self::Own(Box::new(running), registered.as_token.clone())
    }

    /// Returns the homeserver of a deployment.
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let (url, name) = (deployment.fact("homeserver_url"), deployment.server_name());
        if is_on_conduit() {
            let as_token = deployment.fact("as_token").to_owned();
            return Self::DeployedConduit { url: url.to_owned(), as_token };
        }
        Self::DeployedSynapse(Accounts::new(url, name, deployment.fact("registration_secret")))
    }

    /// Returns the address, without a slash at the end.
    pub fn url(&self) -> &str {
        match self {
            Self::Own(running, _) => running.url(),
            Self::DeployedSynapse(accounts) => accounts.url(),
            Self::DeployedConduit { url, .. } => url,
        }
    }

    /// Returns the secret for registering administrators; `None` on Conduit.
    pub(crate) fn registration_secret(&self) -> Option<&str> {
        match self {
            Self::Own(running, _) => running.registration_secret(),
            Self::DeployedSynapse(accounts) => Some(accounts.registration_secret()),
            Self::DeployedConduit { .. } => None,
        }
    }

    /// Returns the process.
    ///
    /// # Panics
    /// On a deployment, where it is out of reach.
    pub fn process(&self) -> &LocalHomeserver {
        match self {
            Self::Own(running, _) => Some(running),
            Self::DeployedSynapse(_) | Self::DeployedConduit { .. } => None,
        }
        .expect(OUT_OF_REACH)
    }

    /// Returns the process, to stop it and start it again.
    ///
    /// # Panics
    /// On a deployment, where it is out of reach.
    pub fn process_mut(&mut self) -> &mut LocalHomeserver {
        match self {
            Self::Own(running, _) => Some(running),
            Self::DeployedSynapse(_) | Self::DeployedConduit { .. } => None,
        }
        .expect(OUT_OF_REACH)
    }

    /// Logs in as a client. Returns the access token.
    pub async fn login(&self, localpart: &str, password: &str) -> anyhow::Result<String> {
        match self {
            Self::Own(running, _) => running.login(localpart, password).await,
            Self::DeployedSynapse(accounts) => accounts.login(localpart, password).await,
            Self::DeployedConduit { url, .. } => homeserver::login(url, localpart, password).await,
        }
    }

    /// Waits until the homeserver knows the service: the worker registers it at Conduit. A deployment waits
    /// itself.
    pub(crate) async fn wait_until_registered(&self) {
        let Self::Own(running, as_token) = self else { return };
        let is_registered = async || {
            let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
            let url = format!("{}/_matrix/client/v3/account/whoami", running.url());
            let bot = format!("@messenger:{}", running.server_name());
            let response = http.get(url).query(&[("user_id", bot)]).bearer_auth(as_token).send().await;
            response.is_ok_and(|response| response.status().is_success())
        };
        wait_until("the homeserver knows the service", is_registered).await;
    }

    /// Logs an ordinary client of a user in. On Conduit the service does so, because only users set passwords
    /// there.
    pub(crate) async fn client(&self, localpart: &str) -> Matrix {
        let token = match self.accounts() {
            Ok(accounts) => {
                accounts.set_password(localpart, PASSWORD).await.expect("a password");
                accounts.login(localpart, PASSWORD).await.expect("a login")
            }
            Err(as_token) => {
                let user = json!({ "type": "m.login.application_service", "username": localpart });
                // Fails without an effect if the account exists.
                self.post_as_appservice("register", as_token, &user).await;
                let user = json!({
                    "type": "m.login.application_service",
                    "identifier": { "type": "m.id.user", "user": localpart },
                });
                let response = self.post_as_appservice("login", as_token, &user).await;
                response["access_token"].as_str().expect("a token").to_owned()
            }
        };
        Matrix::with(self.url(), token)
    }

    /// Logs an ordinary client in whose account the service did not make.
    pub(crate) async fn foreign_client(&self, localpart: &str) -> Matrix {
        match self.accounts() {
            Ok(accounts) => {
                accounts.register_user(localpart, PASSWORD, false).await.expect("an account");
            }
            Err(as_token) => {
                let user = json!({
                    "type": "m.login.application_service", "username": localpart, "password": PASSWORD,
                    "inhibit_login": true,
                });
                self.post_as_appservice("register", as_token, &user).await;
            }
        }
        Matrix::with(self.url(), self.login(localpart, PASSWORD).await.expect("a login"))
    }

    /// Returns the accounts of a Synapse; on Conduit, the token of the service.
    fn accounts(&self) -> Result<&Accounts, &str> {
        match self {
            Self::Own(running, as_token) => match &**running {
                LocalHomeserver::Synapse(synapse) => Ok(synapse.accounts()),
                LocalHomeserver::Conduit(_) => Err(as_token),
            },
            Self::DeployedSynapse(accounts) => Ok(accounts),
            Self::DeployedConduit { as_token, .. } => Err(as_token),
        }
    }

    async fn post_as_appservice(&self, path: &str, as_token: &str, body: &Value) -> Value {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let url = format!("{}/_matrix/client/v3/{path}", self.url());
        let response = http.post(url).bearer_auth(as_token).json(body).send().await;
        response.expect("a response").json().await.expect("JSON")
    }
}
