//! The common part of all homeservers: a process, and the login of clients.
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::process::{Launch, Process};
use crate::service::Service;

/// A running homeserver. Dropping it kills the process.
#[derive(Debug)]
pub struct Homeserver {
    service: Service,
    url: String,
    server_name: String,
}

impl Homeserver {
    pub(crate) async fn start(
        launch: Launch,
        port: u16,
        server_name: &str,
        start_timeout: Duration,
    ) -> Result<Self> {
        let url = format!("http://127.0.0.1:{port}");
        let service = Service::start(launch, format!("{url}/_matrix/client/versions"), start_timeout).await?;
        Ok(Self { service, url, server_name: server_name.to_owned() })
    }

    /// Returns the address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the part of Matrix ids after the colon.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// Returns the process; `None` after it was stopped or killed.
    pub fn process(&self) -> Option<&Process> {
        self.service.process()
    }

    /// Stops the process with `SIGTERM`, and after a time limit with `SIGKILL`.
    pub async fn stop(&mut self) {
        self.service.stop().await;
    }

    /// Kills the process with `SIGKILL`.
    pub fn kill(&mut self) {
        self.service.kill();
    }

    /// Freezes the process with `SIGSTOP`: connections stay open and get no answer.
    pub fn pause(&self) {
        self.service.pause();
    }

    /// Resumes a frozen process.
    pub fn resume(&self) {
        self.service.resume();
    }

    /// Starts the process with the same data on the same port, and waits until it answers.
    pub async fn start_again(&mut self) -> Result<()> {
        self.service.start_again().await
    }

    /// Logs in as a client. Returns the access token.
    pub async fn login(&self, localpart: &str, password: &str) -> Result<String> {
        login(&self.url, localpart, password).await
    }
}

/// Logs in at the homeserver with this address. Returns the access token.
pub async fn login(homeserver: &str, localpart: &str, password: &str) -> Result<String> {
    let body = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": localpart },
        "password": password,
    });
    let url = format!("{homeserver}/_matrix/client/v3/login");
    let response = send(client()?.post(url).body(body.to_string())).await;
    string_field(&response.with_context(|| format!("logging in as {localpart}"))?, "access_token")
}

pub(crate) fn client() -> Result<Client> {
    Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().context("an HTTP client")
}

/// Sends a request with a JSON body. Returns the JSON of a successful response.
pub(crate) async fn send(request: RequestBuilder) -> Result<Value> {
    let response = request.header("content-type", "application/json").send().await?;
    let status = response.status();
    let body = response.text().await?;
    if !status.is_success() {
        bail!("the homeserver answered {status}: {body}");
    }
    serde_json::from_str(&body).with_context(|| format!("the homeserver answered no JSON: {body}"))
}

pub(crate) fn string_field(response: &Value, field: &str) -> Result<String> {
    let value =
        response[field].as_str().with_context(|| format!("no {field} in the homeserver's response"))?;
    Ok(value.to_owned())
}
