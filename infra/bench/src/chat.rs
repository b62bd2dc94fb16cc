//! What people call: their rooms, messages, history. Beside it the homeserver's own history.
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::homeserver::Bot;
use crate::http::{Server, once, segment};
use crate::inserts::connect;
use crate::load::Load;
use crate::service::Door;
use crate::stack::Database;
use crate::token;

/// How many rooms those have whose lists are read.
pub(crate) const LISTS: [i64; 3] = [10, 100, 500];
/// How many messages stand in a room whose history is read: a page and more.
const SAID: u64 = 60;
/// A page of history.
const PAGE: usize = 50;
/// How long the first user's account and room may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Rooms as the service would have left them, every third a direct chat; each has messages that are not read yet.
const ROOMS: &str = "
    with made as (
        insert into rooms (tenant_id, kind, key, matrix_room_id, name, first_user, second_user, message_count,
                           last_message, last_message_ts)
        select 1, case when n % 3 = 0 then 'dm' else 'custom' end, $1 || '/' || n, '!' || $1 || n || ':bench.local',
               'Room ' || n, $1, 'load-' || n % 100, n, 'What was said last, some forty letters of it.',
               now() - n * interval '1 second'
        from generate_series(1, $2::bigint) n
        returning matrix_room_id
    )
    insert into room_members (tenant_id, hub_user_id, matrix_room_id) select 1, $1, matrix_room_id from made";

/// Users with few and many rooms, and the load on their lists.
pub(crate) async fn lists(door: &Door, database: &Database) -> Result<Vec<(String, Load)>> {
    let client = connect(database.url()).await?;
    let mut loads = Vec::new();
    for rooms in LISTS {
        let user = format!("in-{rooms}");
        let caller = Caller::of(door, &user)?;
        let answer = caller.call("GET", "/api/v1/users/me", "").await?;
        ensure!(answer.status == 200, "users/me was answered {}", answer.text());
        client.execute(ROOMS, &[&user, &rooms]).await?;
        loads.push((list(rooms), caller.get("/api/v1/rooms")));
    }
    client.batch_execute("analyze rooms, room_members, users").await?;
    Ok(loads)
}

/// What the load on a list of so many rooms is called.
pub(crate) fn list(rooms: i64) -> String {
    format!("rooms, a list of {rooms}")
}

/// Saying something in a room of our own, and reading it back; `None`, and why, if there is no room.
pub(crate) async fn talk(door: &Door) -> Result<Result<[(&'static str, Load); 2], String>> {
    let caller = Caller::of(door, "writer")?;
    let body = json!({ "name": "bench" }).to_string();
    let deadline = Instant::now() + PATIENCE;
    let made = loop {
        let made = caller.call("POST", "/api/v1/rooms", &body).await?;
        // The account is made after sign-in.
        if made.status != 503 || Instant::now() > deadline {
            break made;
        }
        sleep(Duration::from_millis(200)).await;
    };
    if made.status != 201 {
        return Ok(Err(made.text()));
    }
    let room = made.json()?["matrix_room_id"].as_str().context("a room without an id")?.to_owned();
    let say = caller.say(&room);
    say.times(SAID).await?;
    let history = format!("/api/v1/messages/history/{}?limit={PAGE}", segment(&room));
    Ok(Ok([("messages/send", say), ("messages/history", caller.get(&history))]))
}

/// The same page, read from the homeserver as the service reads it: by a device of the bot.
pub(crate) async fn bare_history(bot: &Bot) -> Result<Load> {
    bot.put().times(SAID).await?;
    bot.history(PAGE).await
}

/// A user who calls.
struct Caller {
    server: Server,
    bearer: String,
}

impl Caller {
    fn of(door: &Door, user: &str) -> Result<Self> {
        let bearer = format!("Bearer {}", token::sign(&door.hub_key, user, 1)?);
        Ok(Self { server: door.server.clone(), bearer })
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        self.server.request(method, path, &[("Authorization", &self.bearer)], body)
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> Result<crate::http::Answer> {
        once(&self.server, &self.request(method, path, body)).await
    }

    fn get(&self, path: &str) -> Load {
        let request = self.request("GET", path, "");
        Load { server: self.server.clone(), requests: Arc::new(move |_| request.clone()), status: 200 }
    }

    fn say(&self, room: &str) -> Load {
        let (caller, room) =
            (Self { server: self.server.clone(), bearer: self.bearer.clone() }, room.to_owned());
        let requests = move |number| {
            let body = json!({ "room_id": room, "body": format!("message {number}") }).to_string();
            caller.request("POST", "/api/v1/messages/send", &body)
        };
        Load { server: self.server.clone(), requests: Arc::new(requests), status: 200 }
    }
}
