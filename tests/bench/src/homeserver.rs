//! The homeserver without us: called as the service calls it.
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::{Server, once, segment};
use crate::load::{Load, Turn};
use crate::stack::{BOT, SERVER_NAME};

/// The Application Service's bot, in a room of its own.
pub(crate) struct Bot {
    server: Server,
    as_token: String,
    /// Its Matrix id, as a path or a query has it.
    id: String,
    room: String,
}

impl Bot {
    pub(crate) async fn enter(server: &Server, as_token: &str) -> Result<Self> {
        let id = segment(&format!("@{BOT}:{SERVER_NAME}"));
        let room = json!({ "preset": "private_chat", "name": "bench" });
        let answer =
            post(server, as_token, &format!("/_matrix/client/v3/createRoom?user_id={id}"), &room).await?;
        let room = segment(answer["room_id"].as_str().context("no room id")?);
        Ok(Self { server: server.clone(), as_token: as_token.to_owned(), id, room })
    }

    /// `PUT /rooms/{room}/send/m.room.message/{transaction}`.
    pub(crate) fn put(&self) -> Load {
        let (server, bearer) = (self.server.clone(), format!("Bearer {}", self.as_token));
        let (room, id, run) = (self.room.clone(), self.id.clone(), Uuid::new_v4().simple().to_string());
        let requests = move |turn: Turn| {
            let number = turn.number;
            let path =
                format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{run}{number}?user_id={id}");
            server.request("PUT", &path, &[("Authorization", &bearer)], &content(number).to_string())
        };
        Load { server: self.server.clone(), requests: Arc::new(requests), status: 200, before: None }
    }

    /// `GET /rooms/{room}/messages`: the newest, with the token of a device (Conduit lets no other read).
    pub(crate) async fn history(&self, limit: usize) -> Result<Load> {
        let login = json!({
            "type": "m.login.application_service",
            "identifier": { "type": "m.id.user", "user": BOT },
            "device_id": "BENCH",
        });
        let answer = post(&self.server, &self.as_token, "/_matrix/client/v3/login", &login).await?;
        let bearer = format!("Bearer {}", answer["access_token"].as_str().context("no token")?);
        let path = format!("/_matrix/client/v3/rooms/{}/messages?dir=b&limit={limit}", self.room);
        let request = self.server.request("GET", &path, &[("Authorization", &bearer)], "");
        Ok(Load {
            server: self.server.clone(),
            requests: Arc::new(move |_| request.clone()),
            status: 200,
            before: None,
        })
    }
}

async fn post(server: &Server, as_token: &str, path: &str, body: &Value) -> Result<Value> {
    let bearer = format!("Bearer {as_token}");
    let request = server.request("POST", path, &[("Authorization", &bearer)], &body.to_string());
    let answer = once(server, &request).await?;
    ensure!(answer.status == 200, "{path} was answered {}", answer.text());
    answer.json()
}

/// What the service says of a notification in its room.
fn content(number: u64) -> Value {
    let text = "Spindel 3: Temperatur 92 °C über Grenzwert. Werkzeugwechsel pausiert, bitte Kühlung prüfen.";
    json!({
        "msgtype": "m.text",
        "body": format!("[bench] alarm {number}\n{text}"),
        "format": "org.matrix.custom.html",
        "formatted_body": format!("<strong>[bench] alarm {number}</strong><br>{text}"),
        "com.aesystek.notification": {
            "id": number, "source_app": "bench", "event_type": "machine.alarm", "priority": "normal",
        },
    })
}
