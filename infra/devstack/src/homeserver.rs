//! What all homeservers have in common: they run, and ordinary clients log in to them.
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::process::{Launch, Process};
use crate::service::Service;

/// A running homeserver; dropping it kills it.
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
        patience: Duration,
    ) -> Result<Self> {
        let url = format!("http://127.0.0.1:{port}");
        let service = Service::start(launch, format!("{url}/_matrix/client/versions"), patience).await?;
        Ok(Self { service, url, server_name: server_name.to_owned() })
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The part of Matrix ids after the colon.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// The process, while it was not stopped.
    pub fn process(&self) -> Option<&Process> {
        self.service.process()
    }

    /// Stops it in order: `SIGTERM`, and `SIGKILL` when that does not help.
    pub async fn stop(&mut self) {
        self.service.stop().await;
    }

    /// Ends it at once (`SIGKILL`).
    pub fn kill(&mut self) {
        self.service.kill();
    }

    /// Freezes it: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.service.pause();
    }

    /// Lets a frozen one go on.
    pub fn resume(&self) {
        self.service.resume();
    }

    /// Starts it with the same data on the same port, and waits until it answers.
    pub async fn start_again(&mut self) -> Result<()> {
        self.service.start_again().await
    }

    /// Logs in as an ordinary client; the answer is the access token.
    pub async fn login(&self, localpart: &str, password: &str) -> Result<String> {
        let body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": localpart },
            "password": password,
        });
        let url = format!("{}/_matrix/client/v3/login", self.url);
        let answer = answer(client()?.post(url).body(body.to_string())).await;
        text(&answer.with_context(|| format!("logging in as {localpart}"))?, "access_token")
    }
}

pub(crate) fn client() -> Result<Client> {
    Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().context("an HTTP client")
}

pub(crate) async fn answer(request: RequestBuilder) -> Result<Value> {
    let response = request.header("content-type", "application/json").send().await?;
    let status = response.status();
    let body = response.text().await?;
    if !status.is_success() {
        bail!("the homeserver answered {status}: {body}");
    }
    serde_json::from_str(&body).with_context(|| format!("the homeserver answered no JSON: {body}"))
}

pub(crate) fn text(answer: &Value, field: &str) -> Result<String> {
    let value = answer[field].as_str().with_context(|| format!("no {field} in the homeserver's answer"))?;
    Ok(value.to_owned())
}
