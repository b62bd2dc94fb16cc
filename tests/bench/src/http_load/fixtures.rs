//! Users, rooms, messages and files that loads need, created at first use.
use anyhow::{Context, Result, bail};
use messenger_devstack::messenger::BOT;
use tokio::time::{Duration, Instant, sleep};
use uuid::Uuid;

use super::Loads;
use crate::http::HttpResponse;
use crate::load::Load;
use crate::options::Http;
use crate::pgbench::Pgbench;
use crate::request::{Caller, Credential, Endpoint, Words, bearer};
use crate::stack::{Homeserver, SERVER_NAME, Stack, connect};
use crate::system::{System, TEXT};

/// Time limit for a call that creates something: accounts are created after sign-in.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Users among whom a search looks.
const USERS: usize = 200;
/// A report of an alarm, and their number in a batch.
const REPORT: &str =
    r#"{"source_app":"bench","event_type":"machine.alarm","title":"alarm","dedup_key":"batch"}"#;
const REPORTS: usize = 100;
const PLACEHOLDERS: [&str; 12] = [
    "text",
    "padding",
    "run",
    "bot",
    "token",
    "partner",
    "room",
    "machine_room",
    "bot_room",
    "notification",
    "media_id",
    "batch",
];

/// The placeholders' values and the credentials for the loads on one service.
pub(super) struct Fixtures<'a> {
    loads: &'a Loads,
    system: &'a System,
    /// `None` for a service that the bench did not start.
    stack: Option<&'a Stack>,
    /// The highest number of clients.
    clients: usize,
    words: Words,
    users: Vec<String>,
    guests: Vec<Credential>,
}

impl<'a> Fixtures<'a> {
    pub(super) async fn new(
        loads: &'a Loads,
        system: &'a System,
        stack: Option<&'a Stack>,
        options: &Http,
    ) -> Result<Self> {
        let clients = options.clients.iter().copied().max().unwrap_or(1);
        let (words, users, guests) = (Words::new(), Vec::new(), Vec::new());
        let mut fixtures = Self { loads, system, stack, clients, words, users, guests };
        if let Some(stack) = stack.filter(|stack| stack.homeserver.is_none()) {
            fixtures.users().await?;
            connect(&stack.database_url()?).await?.batch_execute(include_str!("../../sql/rooms.sql")).await?;
        }
        Ok(fixtures)
    }

    /// Returns the load on an endpoint after all that it needs was created and called.
    pub(super) async fn prepare(&mut self, endpoint: &Endpoint) -> Result<Load> {
        if let Some((name, calls)) = &endpoint.prepare {
            self.call(name, *calls).await?;
        }
        self.load(endpoint).await
    }

    async fn load(&mut self, endpoint: &Endpoint) -> Result<Load> {
        for word in PLACEHOLDERS {
            if endpoint.uses(word) && !self.words.contains_key(word) {
                let value = self.create(word).await?;
                self.words.insert(word, value);
            }
        }
        let server = match endpoint.caller {
            Caller::Bot | Caller::Device => &self.homeserver()?.server,
            _ => &self.system.server,
        };
        let credentials = self.credentials(endpoint.caller).await?;
        let mut load = endpoint.load(server, &credentials, &self.words);
        if endpoint.insert_first {
            load.insert_first = Some(Pgbench::new(self.stack.context("no database")?).await?.url);
        }
        Ok(load)
    }

    /// Makes calls until they succeed. Returns the last response.
    async fn call(&mut self, name: &str, calls: u64) -> Result<HttpResponse> {
        let endpoint = self.loads.find(name).with_context(|| format!("no load {name}"))?;
        let load = Box::pin(self.load(endpoint)).await?;
        let deadline = Instant::now() + TIMEOUT;
        loop {
            match load.call(calls).await {
                Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(200)).await,
                result => return result.with_context(|| name.to_owned()),
            }
        }
    }

    /// Makes a call and returns a field of its response.
    async fn field(&mut self, name: &str, field: &str) -> Result<String> {
        let response = self.call(name, 1).await?.json()?;
        let value = response.get(field).with_context(|| format!("{name}: no {field} in {response}"))?;
        Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// Creates the object of a placeholder.
    async fn create(&mut self, word: &str) -> Result<String> {
        Ok(match word {
            "text" => TEXT.to_owned(),
            "padding" => "measured".repeat(512),
            "run" => Uuid::new_v4().simple().to_string(),
            "bot" => format!("@{BOT}:{SERVER_NAME}"),
            "token" => self.users().await?[0].clone(),
            "partner" => {
                self.users().await?;
                "load-1".to_owned()
            }
            "room" if self.stack.is_some_and(|stack| stack.homeserver.is_none()) => {
                "!team:bench.local".to_owned()
            }
            "room" => self.field("create the room", "matrix_room_id").await?,
            "machine_room" => self.field("create the machine's room", "matrix_room_id").await?,
            "bot_room" => self.field("create the bot's room", "room_id").await?,
            "notification" => self.field("notifications/send?wait=0", "id").await?,
            "media_id" => {
                let url = self.field("messages/upload", "file_url").await?;
                let media = url.strip_prefix("mxc://").and_then(|media| media.split_once('/'));
                let (server, id) = media.with_context(|| format!("no content URI: {url}"))?;
                self.words.insert("media_server", server.to_owned());
                id.to_owned()
            }
            "batch" => vec![REPORT; REPORTS].join(","),
            _ => bail!("no value for {{{word}}}"),
        })
    }

    async fn credentials(&mut self, caller: Caller) -> Result<Vec<Credential>> {
        Ok(match caller {
            Caller::Nobody => Vec::new(),
            Caller::User => vec![bearer(&self.users().await?[0])],
            Caller::Guest => self.guests().await?,
            Caller::Member(rooms) => vec![bearer(&self.member(rooms).await?)],
            Caller::Satellite => vec![("X-Service-Token", self.system.service_token.clone())],
            Caller::Homeserver => vec![bearer(self.system.hs_token.as_ref().context("no hs_token")?)],
            Caller::Bot => vec![bearer(&self.homeserver()?.as_token)],
            Caller::Device => vec![bearer(&self.field("log in the bot's device", "access_token").await?)],
        })
    }

    fn homeserver(&self) -> Result<&'a Homeserver> {
        self.stack.and_then(|stack| stack.homeserver.as_ref()).context("no homeserver of our own")
    }

    /// Signs in users `load-0`, `load-1` … and returns their tokens. With a homeserver only two are needed.
    async fn users(&mut self) -> Result<&[String]> {
        if self.users.is_empty() {
            let users = if self.homeserver().is_ok() { 2 } else { USERS };
            self.users = self.system.sign_in("load", users, 1).await?;
        }
        Ok(&self.users)
    }

    /// Signs in a guest for each client; all have joined the machine's room once.
    async fn guests(&mut self) -> Result<Vec<Credential>> {
        if self.guests.is_empty() {
            let tokens = self.system.sign_in("guest", self.clients, 1).await?;
            self.guests = tokens.iter().map(|token| bearer(token)).collect();
            self.call("join the machine's room", self.clients as u64).await?;
        }
        Ok(self.guests.clone())
    }

    /// Signs in a user and stores that they are a member of this many rooms.
    async fn member(&self, rooms: i64) -> Result<String> {
        let user = format!("member-of-{rooms}");
        let tokens = self.system.sign_in(&user, 1, 1).await?;
        let client = connect(&self.stack.context("no database")?.database_url()?).await?;
        client.execute(include_str!("../../sql/member.sql"), &[&format!("{user}-0"), &rooms]).await?;
        client.batch_execute("analyze rooms, room_members, users").await?;
        Ok(tokens.concat())
    }
}
