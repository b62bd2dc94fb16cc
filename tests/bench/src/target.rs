//! What is measured: a server that fans events out, and how one publishes to it and follows it.
use crate::http::Server;

/// What the events are filled up with, so that they have the size of a real one.
pub(crate) const BODY: &str =
    "Spindel 3: Temperatur 92 °C über Grenzwert. Werkzeugwechsel pausiert, bitte Kühlung prüfen.";

/// A server that fans events out.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) server: Server,
    /// Of each user, the path of their stream.
    pub(crate) streams: Vec<String>,
    /// How many of the streams, in turn, hear nothing of what is published.
    pub(crate) bystanders: usize,
    pub(crate) publish: Publish,
    /// The server's processes; empty: not on this machine.
    pub(crate) pids: Vec<i32>,
    /// The database's processes, where it has one.
    pub(crate) database: Vec<i32>,
}

/// How one publishes.
#[derive(Clone, Debug)]
pub(crate) enum Publish {
    /// `POST /api/v1/notifications/send?wait=0` with a service token: durable.
    Notification { token: String },
    /// The bytes of the event to this path.
    Bytes { path: String },
}

impl Target {
    /// The request by which the stream with this number is opened.
    pub(crate) fn follow(&self, number: usize, last_id: &[u8]) -> Vec<u8> {
        let path = &self.streams[number % self.streams.len()];
        let last_id = String::from_utf8_lossy(last_id);
        let headers = [("Accept", "text/event-stream"), ("Last-Event-ID", &*last_id)];
        self.server.request("GET", path, &headers[..if last_id.is_empty() { 1 } else { 2 }], "")
    }

    /// Whether the stream with this number must hear nothing. The bystanders are the last of each turn.
    pub(crate) fn is_bystander(&self, number: usize) -> bool {
        number % self.streams.len() >= self.streams.len() - self.bystanders
    }

    /// Whether a new stream is told its position at once.
    pub(crate) fn tells_position(&self) -> bool {
        matches!(self.publish, Publish::Notification { .. })
    }

    /// The request that publishes an event with this title.
    pub(crate) fn publication(&self, title: &str) -> Vec<u8> {
        match &self.publish {
            Publish::Notification { token } => notification(&self.server, token, title, "wait=0"),
            Publish::Bytes { path } => self.server.request("POST", path, &[], &event(title)),
        }
    }
}

/// A call of `notifications/send`.
pub(crate) fn notification(server: &Server, token: &str, title: &str, query: &str) -> Vec<u8> {
    let body = serde_json::json!({
        "source_app": "bench", "event_type": "machine.alarm", "title": title, "body": BODY,
    });
    let path = format!("/api/v1/notifications/send?{query}");
    server.request("POST", &path, &[("X-Service-Token", token)], &body.to_string())
}

/// The bytes that ours sends for the same notification.
fn event(title: &str) -> String {
    serde_json::json!({
        "type": "notification", "notification_id": 123_456, "source_app": "bench", "event_type": "machine.alarm",
        "title": title, "body": BODY, "priority": "normal", "target_type": "general", "room_id": null,
    })
    .to_string()
}
