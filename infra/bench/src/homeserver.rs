//! The homeserver without us: the same message, sent as any Application Service sends it.
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use uuid::Uuid;

use crate::http::{Server, once, segment};
use crate::load::Load;

/// `PUT /rooms/{room}/send/m.room.message/{transaction}` as the bot, in a room of its own.
pub(crate) async fn bare_put(server: &Server, as_token: &str) -> Result<Load> {
    let bearer = format!("Bearer {as_token}");
    let room = json!({ "preset": "private_chat", "name": "bench" }).to_string();
    let headers = [("Authorization", bearer.as_str())];
    let request = server.request("POST", "/_matrix/client/v3/createRoom", &headers, &room);
    let answer = once(server, &request).await?;
    ensure!(answer.status == 200, "createRoom was answered {}", answer.text());
    let room = answer.json()?["room_id"].as_str().context("no room id")?.to_owned();
    let room = segment(&room);
    let run = Uuid::new_v4().simple().to_string();
    let to = server.clone();
    let requests = move |number| {
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{run}{number}");
        to.request("PUT", &path, &[("Authorization", bearer.as_str())], &content(number).to_string())
    };
    Ok(Load { server: server.clone(), requests: Arc::new(requests), status: 200 })
}

/// What the service says of a notification in its room.
fn content(number: u64) -> serde_json::Value {
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
