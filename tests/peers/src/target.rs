//! A server that fans events out, and the requests to publish and to subscribe.
use anyhow::Result;
use messenger_bench::http::Server;
use messenger_bench::system::{System, TEXT};
use serde_json::json;

/// A server that fans events out.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its address.
    pub(crate) server: Server,
    /// The stream path of each user.
    pub(crate) streams: Vec<String>,
    /// The number of users, at the end of `streams`, that must receive nothing.
    pub(crate) bystanders: usize,
    /// The request that publishes an event.
    pub(crate) publication: Publication,
    /// Whether a new stream begins with its position.
    pub(crate) sends_position: bool,
    /// The server's processes; empty if it runs on another machine.
    pub(crate) pids: Vec<i32>,
    /// The processes of its database, if it has one.
    pub(crate) database_pids: Vec<i32>,
}

/// A `POST` that publishes an event.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    /// The path of the request.
    pub(crate) path: String,
    /// The headers of the request.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The JSON of the event; `{title}` is replaced by its title.
    pub(crate) body: String,
}

impl Target {
    /// Signs in this many users of each tenant, and returns the service as a target. Events are published to
    /// the first tenant; the users of the others are bystanders.
    pub(crate) async fn of_service(system: &System, users: usize, tenants: usize) -> Result<Self> {
        let mut tokens = Vec::new();
        for tenant in 1..=tenants {
            tokens.extend(system.sign_in(&format!("bench-t{tenant}"), users, tenant).await?);
        }
        let body =
            json!({ "source_app": "bench", "event_type": "machine.alarm", "title": "{title}", "body": TEXT });
        let publication = Publication {
            path: "/api/v1/notifications/send?wait=0".to_owned(),
            headers: vec![("X-Service-Token", system.service_token.clone())],
            body: body.to_string(),
        };
        Ok(Self {
            server: system.server.clone(),
            streams: tokens.iter().map(|token| format!("/api/v1/events/stream?token={token}")).collect(),
            bystanders: users * (tenants - 1),
            publication,
            sends_position: true,
            pids: system.pids.clone(),
            database_pids: system.database_pids.clone(),
        })
    }

    /// Returns the request that opens the stream with this number.
    pub(crate) fn subscription(&self, number: usize, last_id: &[u8]) -> String {
        let path = &self.streams[number % self.streams.len()];
        let last_id = String::from_utf8_lossy(last_id);
        let headers = [("Accept", "text/event-stream"), ("Last-Event-ID", &*last_id)];
        self.server.request("GET", path, &headers[..if last_id.is_empty() { 1 } else { 2 }], "")
    }

    /// Returns `true` if the stream with this number must receive nothing.
    pub(crate) fn is_bystander(&self, number: usize) -> bool {
        number % self.streams.len() >= self.streams.len() - self.bystanders
    }

    /// Returns how many of the first `streams` streams are in the audience.
    pub(crate) fn audience(&self, streams: usize) -> usize {
        (0..streams).filter(|number| !self.is_bystander(*number)).count()
    }

    /// Returns the request that publishes an event with this title.
    pub(crate) fn publish_request(&self, title: &str) -> String {
        let Publication { path, headers, body } = &self.publication;
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.server.request("POST", path, &headers, &body.replace("{title}", title))
    }
}
