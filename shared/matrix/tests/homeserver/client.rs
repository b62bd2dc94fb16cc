//! A plain Matrix client, also for calls with the token of the Application Service.

use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};

/// A client with an access token.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) token: String,
    /// The user for whom an Application Service acts.
    pub(crate) user: Option<String>,
}

impl Client {
    pub(crate) fn new(url: &str, token: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { http, url: url.to_owned(), token: token.to_owned(), user: None })
    }

    pub(crate) fn acting_for(&self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self.clone() }
    }

    /// Calls an endpoint below `/_matrix/client/v3`. `path` is escaped already.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let url = format!("{}/_matrix/client/v3{path}", self.url);
        let mut request = self.http.request(method.clone(), &url).bearer_auth(&self.token);
        if let Some(user) = &self.user {
            request = request.query(&[("user_id", user)]);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let (status, body) = (response.status(), response.text().await?);
        if !status.is_success() {
            bail!("{method} {path}: {status} {body}");
        }
        serde_json::from_str(&body).with_context(|| format!("{method} {path}: {body}"))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Result<Value> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// Registers an account as an Application Service.
    pub(crate) async fn register(&self, localpart: &str, password: Option<&str>) -> Result<()> {
        let mut body = json!({ "type": "m.login.application_service", "username": localpart });
        if let Some(password) = password {
            body["password"] = password.into();
        }
        self.post("/register", body).await.map(drop)
    }

    pub(crate) async fn joined_rooms(&self) -> Result<Vec<String>> {
        Ok(serde_json::from_value(self.get("/joined_rooms").await?["joined_rooms"].take())?)
    }

    /// Returns the rooms to which this user is invited.
    pub(crate) async fn invitations(&self) -> Result<Vec<String>> {
        let sync = self.get("/sync?timeout=0").await?;
        Ok(sync["rooms"]["invite"]
            .as_object()
            .map(|rooms| rooms.keys().cloned().collect())
            .unwrap_or_default())
    }

    /// Returns the content of a state event. Returns `null` if there is none.
    pub(crate) async fn state(&self, room: &str, kind: &str, key: &str) -> Result<Value> {
        let state = self.get(&format!("/rooms/{room}/state")).await?;
        let events = state.as_array().context("a room's state")?;
        let event = events.iter().find(|event| event["type"] == kind && event["state_key"] == key);
        Ok(event.map_or(Value::Null, |event| event["content"].clone()))
    }

    /// Returns the texts of a room, oldest first.
    pub(crate) async fn texts(&self, room: &str) -> Result<Vec<String>> {
        let page = self.get(&format!("/rooms/{room}/messages?dir=b&limit=100")).await?;
        let events = page["chunk"].as_array().context("a page of messages")?.iter().rev();
        let messages = events.filter(|event| event["type"] == "m.room.message");
        Ok(messages.filter_map(|event| event["content"]["body"].as_str().map(str::to_owned)).collect())
    }
}
