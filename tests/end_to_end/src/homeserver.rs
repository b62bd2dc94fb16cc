//! The homeserver of a test: a Synapse, or a Conduit if `CONDUIT_BIN` names one.

use std::{
    io::Write as _,
    ops::{Deref, DerefMut},
    path::Path,
};

use messenger_devstack::{LocalHomeserver, conduit, local_homeserver};
use messenger_matrix::{Registration, registration};
use serde_json::{Value, json};

use crate::{room::Matrix, waiting::wait_until};

const PASSWORD: &str = "a password of the tests";

/// A homeserver that is registered with the service, or will be: the worker registers the service at Conduit.
pub struct Server {
    running: LocalHomeserver,
    as_token: String,
}

/// Returns whether the tests run on Conduit, and prints the reason why this one is skipped there.
pub fn is_skipped_on_conduit(reason: &str) -> bool {
    let is_skipped = conduit::binary().is_some();
    if is_skipped {
        // Not by a macro: the test harness would hide it.
        let _ = writeln!(std::io::stderr(), "skipped on Conduit: {reason}");
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
        Self { running, as_token: registered.as_token.clone() }
    }

    /// Waits until the homeserver knows the service: the worker registers it at Conduit.
    pub(crate) async fn wait_until_registered(&self) {
        let is_registered = async || {
            let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
            let url = format!("{}/_matrix/client/v3/account/whoami", self.url());
            let bot = format!("@messenger:{}", self.server_name());
            let response = http.get(url).query(&[("user_id", bot)]).bearer_auth(&self.as_token).send().await;
            response.is_ok_and(|response| response.status().is_success())
        };
        wait_until("the homeserver knows the service", is_registered).await;
    }

    /// Logs an ordinary client of a user in. On Conduit the service does so, because only users set passwords
    /// there.
    pub(crate) async fn client(&self, localpart: &str) -> Matrix {
        let token = match &self.running {
            LocalHomeserver::Synapse(synapse) => {
                synapse.set_password(localpart, PASSWORD).await.expect("a password");
                synapse.login(localpart, PASSWORD).await.expect("a login")
            }
            LocalHomeserver::Conduit(_) => {
                let user = json!({ "type": "m.login.application_service", "username": localpart });
                // Fails without an effect if the account exists.
                self.post_as_appservice("register", &user).await;
                let user = json!({
                    "type": "m.login.application_service",
                    "identifier": { "type": "m.id.user", "user": localpart },
                });
                let response = self.post_as_appservice("login", &user).await;
                response["access_token"].as_str().expect("a token").to_owned()
            }
        };
        Matrix::with(self.url(), token)
    }

    /// Logs an ordinary client in whose account the service did not make.
    pub(crate) async fn foreign_client(&self, localpart: &str) -> Matrix {
        match &self.running {
            LocalHomeserver::Synapse(synapse) => {
                synapse.register_user(localpart, PASSWORD, false).await.expect("an account");
            }
            LocalHomeserver::Conduit(_) => {
                let user = json!({
                    "type": "m.login.application_service", "username": localpart, "password": PASSWORD,
                    "inhibit_login": true,
                });
                self.post_as_appservice("register", &user).await;
            }
        }
        Matrix::with(self.url(), self.login(localpart, PASSWORD).await.expect("a login"))
    }

    async fn post_as_appservice(&self, path: &str, body: &Value) -> Value {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let url = format!("{}/_matrix/client/v3/{path}", self.url());
        let response = http.post(url).bearer_auth(&self.as_token).json(body).send().await;
        response.expect("a response").json().await.expect("JSON")
    }
}

impl Deref for Server {
    type Target = LocalHomeserver;

    fn deref(&self) -> &LocalHomeserver {
        &self.running
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut LocalHomeserver {
        &mut self.running
    }
}
