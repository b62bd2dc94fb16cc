//! An ordinary Matrix client, which reads rooms directly from the homeserver.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Value, json};

/// The longest that an effect may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// The pause before another attempt.
const RETRY: Duration = Duration::from_millis(50);

/// The number of unread messages of a room, as a client learns it from incremental syncs.
pub struct Unread {
    room: String,
    sync_token: String,
    count: i64,
}

/// A Matrix client that is logged in.
pub struct Matrix {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Matrix {
    pub(crate) fn with(url: &str, token: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        Self { http, url: url.to_owned(), token }
    }

    /// Returns all events of a room that this user may see, oldest first.
    pub async fn events(&self, room: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut from = String::new();
        loop {
            let path = format!("/rooms/{}/messages?dir=f&limit=500{from}", encoded(room));
            let page = self.call(Method::GET, &path, None).await;
            events.extend(page["chunk"].as_array().expect("a chunk").iter().cloned());
            match page["end"].as_str() {
                Some(end) => from = format!("&from={end}"),
                None => return events,
            }
        }
    }

    /// Returns the messages of a room, oldest first.
    pub async fn messages(&self, room: &str) -> Vec<Value> {
        let events = self.events(room).await;
        events.into_iter().filter(|event| event["type"] == "m.room.message").collect()
    }

    /// Returns the ids of the notifications in a room, in order.
    pub async fn notifications(&self, room: &str) -> Vec<i64> {
        let messages = self.messages(room).await;
        messages
            .iter()
            .filter_map(|event| event["content"]["com.aesystek.notification"]["id"].as_i64())
            .collect()
    }

    /// Sends a text message to a room. Returns the event id.
    pub async fn send_text(&self, room: &str, text: &str) -> String {
        self.send(room, "m.room.message", json!({ "msgtype": "m.text", "body": text })).await
    }

    /// Sends a text message with one transaction id until the homeserver accepts it, which may be killed
    /// meanwhile.
    pub async fn send_text_until_accepted(&self, room: &str, text: &str) -> String {
        let path = format!("/rooms/{}/send/m.room.message/{}", encoded(room), uuid::Uuid::new_v4());
        let url = format!("{}/_matrix/client/v3{path}", self.url);
        let body = json!({ "msgtype": "m.text", "body": text });
        loop {
            let sent =
                self.http.put(&url).bearer_auth(&self.token).timeout(PATIENCE).json(&body).send().await;
            if let Ok(response) = sent
                && response.status().is_success()
                && let Ok(sent) = response.json::<Value>().await
            {
                return sent["event_id"].as_str().expect("an event id").to_owned();
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Sends an event of any type to a room. Returns the event id.
    pub async fn send(&self, room: &str, kind: &str, content: Value) -> String {
        let path = format!("/rooms/{}/send/{kind}/{}", encoded(room), uuid::Uuid::new_v4());
        let sent = self.call(Method::PUT, &path, Some(content)).await;
        sent["event_id"].as_str().expect("an event id").to_owned()
    }

    /// Reacts to an event. Returns the id of the reaction.
    pub async fn react(&self, room: &str, event: &str, key: &str) -> String {
        let relation = json!({ "rel_type": "m.annotation", "event_id": event, "key": key });
        self.send(room, "m.reaction", json!({ "m.relates_to": relation })).await
    }

    /// Replies to an event with a text. Returns the id of the reply.
    pub async fn reply(&self, room: &str, event: &str, text: &str) -> String {
        let relation = json!({ "m.in_reply_to": { "event_id": event } });
        let content =
            json!({ "msgtype": "m.text", "body": text, "m.mentions": {}, "m.relates_to": relation });
        self.send(room, "m.room.message", content).await
    }

    /// Redacts an event.
    pub async fn redact(&self, room: &str, event: &str) {
        let path = format!("/rooms/{}/redact/{}/{}", encoded(room), encoded(event), uuid::Uuid::new_v4());
        self.call(Method::PUT, &path, Some(json!({}))).await;
    }

    /// Creates a room. Returns its id.
    pub async fn create_room(&self, body: Value) -> String {
        let room = self.call(Method::POST, "/createRoom", Some(body)).await;
        room["room_id"].as_str().expect("a room id").to_owned()
    }

    /// Invites a user into a room.
    pub async fn invite(&self, room: &str, user: &str) {
        let path = format!("/rooms/{}/invite", encoded(room));
        self.call(Method::POST, &path, Some(json!({ "user_id": user }))).await;
    }

    /// Joins a room.
    pub async fn join(&self, room: &str) {
        self.call(Method::POST, &format!("/rooms/{}/join", encoded(room)), Some(json!({}))).await;
    }

    /// Leaves a room.
    pub async fn leave(&self, room: &str) {
        self.call(Method::POST, &format!("/rooms/{}/leave", encoded(room)), Some(json!({}))).await;
    }

    /// Sets whether this user is typing in a room, for half a minute.
    pub async fn set_typing(&self, room: &str, user: &str, typing: bool) {
        let path = format!("/rooms/{}/typing/{}", encoded(room), encoded(user));
        self.call(Method::PUT, &path, Some(json!({ "typing": typing, "timeout": 30_000 }))).await;
    }

    /// Sends a receipt for an event: `m.read` or `m.read.private`.
    pub async fn read(&self, room: &str, event: &str, receipt: &str) {
        let path = format!("/rooms/{}/receipt/{receipt}/{}", encoded(room), encoded(event));
        self.call(Method::POST, &path, Some(json!({}))).await;
    }

    /// Returns whether an event plays a sound on this user's phone, according to Synapse; `None` if it does
    /// not notify.
    pub async fn plays_sound(&self, event: &str) -> Option<bool> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            let stored = self.call(Method::GET, "/notifications?limit=50", None).await;
            let mut stored = stored["notifications"].as_array().expect("a list").iter();
            if let Some(one) = stored.find(|one| one["event"]["event_id"] == event) {
                let mut actions = one["actions"].as_array().expect("a list").iter();
                return Some(actions.any(|action| action["set_tweak"] == "sound"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        None
    }

    /// Returns the messages that have notified this user, newest first, according to Synapse.
    pub async fn notified(&self) -> Vec<String> {
        let stored = self.call(Method::GET, "/notifications?limit=50", None).await;
        let stored = stored["notifications"].as_array().expect("a list").iter();
        let messages = stored.filter(|one| one["event"]["type"] == "m.room.message");
        messages.filter_map(|one| one["event"]["event_id"].as_str().map(str::to_owned)).collect()
    }

    /// Returns the client's present sync token (`next_batch`).
    pub async fn sync_token(&self) -> String {
        let sync = self.call(Method::GET, "/sync?timeout=0", None).await;
        sync["next_batch"].as_str().expect("a sync token").to_owned()
    }

    /// Waits for changes after a sync token. Returns `None` if the homeserver does not answer.
    pub(crate) async fn try_sync(&self, since: &str) -> Option<Value> {
        let url = format!("{}/_matrix/client/v3/sync?timeout=1000&since={}", self.url, encoded(since));
        let response = self.http.get(&url).bearer_auth(&self.token).timeout(PATIENCE).send().await.ok()?;
        if response.status().is_success() { response.json().await.ok() } else { None }
    }

    /// Returns the next typing users of a room after a sync token, which is moved; `None` if none arrive in
    /// time.
    pub async fn next_typing(&self, room: &str, sync_token: &mut String) -> Option<Vec<String>> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            let path = format!("/sync?timeout=1000&since={}", encoded(sync_token));
            let sync = self.call(Method::GET, &path, None).await;
            sync["next_batch"].as_str().expect("a sync token").clone_into(sync_token);
            let ephemeral = sync["rooms"]["join"][room]["ephemeral"]["events"].as_array();
            if let Some(typing) = ephemeral.into_iter().flatten().find(|event| event["type"] == "m.typing") {
                return serde_json::from_value(typing["content"]["user_ids"].clone()).ok();
            }
        }
        None
    }

    /// Removes a user from a room: `kick` or `ban`.
    pub async fn remove_member(&self, room: &str, user: &str, how: &str) {
        let path = format!("/rooms/{}/{how}", encoded(room));
        self.call(Method::POST, &path, Some(json!({ "user_id": user }))).await;
    }

    /// Sets a state event with an empty state key.
    pub async fn set_state(&self, room: &str, kind: &str, content: Value) {
        let path = format!("/rooms/{}/state/{kind}", encoded(room));
        self.call(Method::PUT, &path, Some(content)).await;
    }

    /// Upgrades a room, as Element's `/upgraderoom` does. Returns the new room.
    pub async fn upgrade(&self, room: &str) -> String {
        let path = format!("/rooms/{}/upgrade", encoded(room));
        let upgraded = self.call(Method::POST, &path, Some(json!({ "new_version": "11" }))).await;
        upgraded["replacement_room"].as_str().expect("a room id").to_owned()
    }

    /// Returns the content of a state event.
    pub async fn state(&self, room: &str, kind: &str) -> Value {
        self.call(Method::GET, &format!("/rooms/{}/state/{kind}", encoded(room)), None).await
    }

    /// Returns the rooms that this user has joined, as soon as there are this many.
    pub async fn rooms(&self, count: usize) -> Vec<String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let rooms = self.call(Method::GET, "/joined_rooms", None).await;
            let rooms: Vec<_> = rooms["joined_rooms"]
                .as_array()
                .expect("a list of rooms")
                .iter()
                .filter_map(|room| room.as_str().map(str::to_owned))
                .collect();
            if rooms.len() >= count || tokio::time::Instant::now() > deadline {
                return rooms;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns the ids of the members of a room.
    pub async fn members(&self, room: &str) -> Vec<String> {
        let path = format!("/rooms/{}/joined_members", encoded(room));
        let members = self.call(Method::GET, &path, None).await;
        members["joined"].as_object().expect("members").keys().cloned().collect()
    }

    /// Returns the room of an alias; `None` if there is none.
    pub async fn room_of_alias(&self, alias: &str) -> Option<String> {
        let url = format!("{}/_matrix/client/v3/directory/room/{}", self.url, encoded(alias));
        let response = self.http.get(url).bearer_auth(&self.token).send().await.expect("a response");
        let found: Value = response.json().await.expect("JSON of the homeserver");
        found["room_id"].as_str().map(str::to_owned)
    }

    /// Returns the number of devices of this user.
    pub async fn devices(&self) -> usize {
        self.call(Method::GET, "/devices", None).await["devices"].as_array().expect("devices").len()
    }

    /// Returns the account data of this user.
    pub async fn account_data(&self, user: &str, kind: &str) -> Value {
        self.call(Method::GET, &format!("/user/{}/account_data/{kind}", encoded(user)), None).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = self.http.request(method, format!("{}/_matrix/client/v3{path}", self.url));
        let request = request.bearer_auth(&self.token);
        let response = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let response = response.send().await.expect("a response of the homeserver");
        let status = response.status();
        let body: Value = response.json().await.expect("JSON of the homeserver");
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }
}

impl Unread {
    /// Begins to count for a room without unread messages.
    pub async fn of(client: &Matrix, room: &str) -> Self {
        Self { room: room.to_owned(), sync_token: client.sync_token().await, count: 0 }
    }

    /// Returns the number of unread messages after the client has received an event.
    pub async fn after(&mut self, client: &Matrix, event: &str) -> i64 {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let path = format!("/sync?timeout=1000&since={}", encoded(&self.sync_token));
            let sync = client.call(Method::GET, &path, None).await;
            sync["next_batch"].as_str().expect("a sync token").clone_into(&mut self.sync_token);
            let room = &sync["rooms"]["join"][&self.room];
            if let Some(count) = room["unread_notifications"]["notification_count"].as_i64() {
                self.count = count;
            }
            let mut received = room["timeline"]["events"].as_array().into_iter().flatten();
            if received.any(|one| one["event_id"] == event) {
                return self.count;
            }
            assert!(tokio::time::Instant::now() < deadline, "{event} did not arrive in time");
        }
    }
}

/// Encodes an id as a segment of a path or a value of a query.
pub fn encoded(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}
