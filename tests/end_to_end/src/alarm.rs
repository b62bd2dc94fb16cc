//! An alarm of a test: its reports by a satellite, and what its readers see of it.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{Client, TestUser, eventually};

/// The field of a message with the id of its alarm and the number of the episode.
const MARKER: &str = "com.aesystek.alarm";

/// The reports of one fault.
#[derive(Debug, Clone)]
pub struct Reports {
    client: Client,
    dedup_key: String,
}

/// An episode whose root message is in its room.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The id of the alarm.
    pub alarm: i64,
    /// The number of the episode.
    pub episode: i64,
    /// The id of the first report.
    pub report: i64,
    /// The room.
    pub room: String,
    /// The root message.
    pub root: String,
}

/// The messages of an alarm in a room, oldest first.
#[derive(Debug)]
pub struct AlarmMessages {
    /// The root messages, one for each episode.
    pub roots: Vec<Value>,
    /// The edits of all root messages.
    pub edits: Vec<Value>,
    /// The rings, which reply to a root message.
    pub rings: Vec<Value>,
}

impl Reports {
    /// Returns the reports of the fault with this key.
    pub fn of(client: &Client, dedup_key: &str) -> Self {
        Self { client: client.clone(), dedup_key: dedup_key.to_owned() }
    }

    /// Returns the body of a report, by default a trigger of an alarm that has to be acknowledged.
    pub fn body(&self, fields: &Value) -> Value {
        let mut body = json!({
            "source_app": "fertigungs-app", "event_type": "alarm", "title": "Öldruck zu niedrig",
            "dedup_key": self.dedup_key, "ack_required": true,
        });
        for (name, value) in fields.as_object().expect("fields") {
            body[name] = value.clone();
        }
        body
    }

    /// Begins an episode, and waits until its root message is in the room.
    pub async fn begin(&self) -> Begun {
        let answer = self.send_with(&json!({}), "?wait=10").await;
        let number = |value: &Value| value.as_i64().expect("a number");
        let report = number(&answer["id"]);
        let (room, event) = sent(&self.client, report).await;
        let alarm = &answer["alarm"];
        Begun { alarm: number(&alarm["id"]), episode: number(&alarm["episode"]), report, room, root: event }
    }

    /// Sends a report. Returns its answer at once.
    pub async fn send(&self, fields: &Value) -> Value {
        self.send_with(fields, "?wait=0").await
    }

    /// Sends a report with a query string. Returns its answer.
    pub async fn send_with(&self, fields: &Value, query: &str) -> Value {
        let response = self.client.notify_with(&self.body(fields), query, None).await;
        assert_eq!(response.status, StatusCode::CREATED, "{}", response.body);
        response.body
    }

    /// Sends an action without further fields, such as `resolve`. Returns its answer at once.
    pub async fn act(&self, action: &str) -> Value {
        let response = self.client.notify_with(&self.action(action), "?wait=0", None).await;
        assert_eq!(response.status, StatusCode::CREATED, "{}", response.body);
        response.body
    }

    /// Returns the body of an action without further fields.
    pub fn action(&self, action: &str) -> Value {
        json!({ "source_app": "fertigungs-app", "dedup_key": self.dedup_key, "event_action": action })
    }
}

/// Waits until a report is sent. Returns the room and the root message of its alarm.
pub async fn sent(client: &Client, report: i64) -> (String, String) {
    let path = format!("/api/v1/notifications/{report}");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    eventually(async || {
        let sent = client.get_as_satellite(&path).await.body;
        Some((text(&sent["matrix_room_id"])?, text(&sent["matrix_event_id"])?))
    })
    .await
}

impl AlarmMessages {
    /// Takes those of one alarm from the messages of a room.
    pub fn of(messages: Vec<Value>, alarm: i64) -> Self {
        let mut found = Self { roots: Vec::new(), edits: Vec::new(), rings: Vec::new() };
        for message in messages {
            let content = &message["content"];
            if content["m.new_content"][MARKER]["id"] == alarm {
                found.edits.push(message);
            } else if content[MARKER]["id"] == alarm {
                let is_root = content["m.relates_to"].is_null();
                if is_root { &mut found.roots } else { &mut found.rings }.push(message);
            }
        }
        found
    }

    /// Returns the id of the newest root message.
    pub fn root(&self) -> &str {
        let root = self.roots.last().expect("a root message");
        root["event_id"].as_str().expect("an event id")
    }

    /// Returns the content that clients show for the newest root message: that of its last edit.
    pub fn shown(&self) -> &Value {
        let root = self.root();
        let mut edits = self.edits.iter().rev().map(|edit| &edit["content"]);
        match edits.find(|content| content["m.relates_to"]["event_id"] == root) {
            Some(content) => &content["m.new_content"],
            None => &self.roots.last().expect("a root message")["content"],
        }
    }

    /// Returns the text that clients show for the newest root message; empty without one.
    pub fn text(&self) -> &str {
        if self.roots.is_empty() { "" } else { self.shown()["body"].as_str().unwrap_or_default() }
    }
}

impl TestUser {
    /// Returns an alarm as this user reads it.
    pub async fn alarm(&self, id: i64) -> Value {
        let response = self.get(&format!("/api/v1/alarms/{id}")).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.body);
        response.body
    }

    /// Returns the whole journal of an alarm, oldest entry first.
    pub async fn journal(&self, id: i64) -> Vec<Value> {
        let (mut entries, mut cursor) = (Vec::new(), String::new());
        loop {
            let response = self.get(&format!("/api/v1/alarms/{id}/journal?limit=500{cursor}")).await;
            assert_eq!(response.status, StatusCode::OK, "{}", response.body);
            entries.extend(response.body["entries"].as_array().expect("entries").iter().cloned());
            match response.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        entries.reverse();
        entries
    }

    /// Acts on an alarm: `ack`, `unack`, `resolve` or `comment`. Returns the answer.
    pub async fn act(&self, id: i64, act: &str, body: &Value) -> Value {
        let response = self.post(&format!("/api/v1/alarms/{id}/{act}"), body).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.body);
        response.body
    }
}
