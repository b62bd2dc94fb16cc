//! Conduit's admin room, in which an administrator sends commands as messages.

use std::time::Duration;

use messenger_core::{
    Result,
    id::{EventId, MatrixUserId, RoomId},
};
use reqwest::StatusCode;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    AdminAccount, Registration,
    call::Http,
    error::{Cause, Context, misconfigured},
    login::Login,
};

pub(super) const BOOTSTRAPPING: &str = "bootstrapping the homeserver";
/// The localpart of Conduit's own account, which answers commands.
pub(super) const CONDUIT: &str = "conduit";
/// The prefix of the administrator's devices. Each login has its own: a second login would log the first one
/// out.
const DEVICE_PREFIX: &str = "BOOTSTRAP";
/// The time limit for an answer, which normally takes milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// A part of Conduit's answers to `reset-password`.
const RESET: &str = "reset the password for user";
/// The beginning of Conduit's answers to `register-appservice`.
const REGISTERED: &str = "Appservice registered";
/// The wait before the room is read again.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The admin room, with a login of an administrator who is in it.
pub(crate) struct AdminRoom<'a> {
    http: &'a Http,
    token: String,
    room: RoomId,
}

#[derive(Deserialize)]
struct Room {
    room_id: RoomId,
}

#[derive(Deserialize)]
struct Joined {
    joined_rooms: Vec<RoomId>,
}

#[derive(Deserialize)]
struct SentEvent {
    event_id: EventId,
}

#[derive(Deserialize)]
struct Messages {
    /// Newest first.
    chunk: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    event_id: EventId,
    sender: String,
    content: Value,
}

impl<'a> AdminRoom<'a> {
    /// Logs the administrator in and finds the admin room. Registers the administrator on a new Conduit.
    /// `is_known` states whether Conduit knows the token of this service.
    pub(crate) async fn enter(http: &'a Http, admin: &AdminAccount, is_known: bool) -> Result<Self> {
        let token = token(http, admin, is_known).await?;
        let alias = format!("#admins:{}", http.server_name);
        let room: Room = http
            .get()
            .at("directory")
            .at("room")
            .at(alias.as_str())
            .with_token(&token)
            .send()
            .await
            .context("looking for Conduit's admin room")?;
        let joined: Joined =
            http.get().at("joined_rooms").with_token(&token).send().await.context(BOOTSTRAPPING)?;
        if !joined.joined_rooms.contains(&room.room_id) {
            let explanation = format!(
                "{} is not an administrator of this Conduit: another user registered first. Invite it to {alias}, or log \
                 in as @{CONDUIT} with an emergency_password to do so",
                http.user(&admin.localpart),
            );
            return Err(misconfigured(BOOTSTRAPPING, explanation));
        }
        Ok(Self { http, token, room: room.room_id })
    }

    /// Registers this service. `yaml` is the registration as Conduit gets it.
    pub(super) async fn register(&self, registration: &Registration, yaml: &str) -> Result<()> {
        let conduit = self.http.user(CONDUIT);
        let command = self.send(&format!("{conduit}: register-appservice\n```\n{yaml}```")).await?;
        let answer = self.answer_to(&command, &conduit, |text| !text.contains(RESET)).await?;
        self.redact(&command).await;
        if answer.starts_with(REGISTERED) {
            tracing::info!(id = registration.id, "application service registered with Conduit");
            return Ok(());
        }
        let answer = [&registration.as_token, &registration.hs_token]
            .iter()
            .fold(answer, |answer, secret| answer.replace(secret.as_str(), "…"));
        Err(misconfigured(BOOTSTRAPPING, format!("Conduit answered: {answer}")))
    }

    /// Resets an account's password. Returns the new one, which Conduit generates. The devices stay logged
    /// in.
    pub(crate) async fn reset_password(&self, user: &MatrixUserId, localpart: &str) -> Result<String> {
        let context = "resetting a password";
        let conduit = self.http.user(CONDUIT);
        let command = self.send(&format!("{conduit}: reset-password {localpart}")).await?;
        // Other processes send commands at the same time. Failures name the user, too, unless the command was
        // invalid.
        let ours = format!("{RESET} {user}: ");
        let is_ours =
            |text: &str| text.contains(&ours) || !(text.contains(RESET) || text.contains(REGISTERED));
        let answer = self.answer_to(&command, &conduit, is_ours).await?;
        let success = format!("Successfully {ours}");
        match answer.strip_prefix(&success) {
            Some(password) if !password.trim().is_empty() => Ok(password.trim().to_owned()),
            // Not logged: it may be an answer to another process, with a password.
            _ => Err(misconfigured(context, format!("Conduit did not reset the password of {user}"))),
        }
    }

    async fn send(&self, body: &str) -> Result<EventId> {
        let transaction = Uuid::new_v4().to_string();
        let path = self.http.put().at("rooms").at(&self.room).at("send").at("m.room.message");
        let call = path.at(transaction.as_str()).with_token(&self.token);
        let sent: SentEvent =
            call.body(&json!({ "msgtype": "m.text", "body": body })).send().await.context(BOOTSTRAPPING)?;
        Ok(sent.event_id)
    }

    /// Waits for the first text by Conduit after the command that `is_ours` accepts. Answers do not name
    /// their command.
    async fn answer_to(
        &self,
        command: &EventId,
        conduit: &MatrixUserId,
        is_ours: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        while Instant::now() < deadline {
            let path = self.http.get().at("rooms").at(&self.room).at("messages").with_token(&self.token);
            let page: Messages =
                path.query("dir", "b").query("limit", "30").send().await.context(BOOTSTRAPPING)?;
            let since = page.chunk.into_iter().take_while(|message| message.event_id != *command);
            let answers = since.filter(|message| {
                message.sender == conduit.as_str() && message.content["msgtype"] == "m.text"
            });
            let texts = answers.filter_map(|message| message.content["body"].as_str().map(str::to_owned));
            if let Some(text) = texts.filter(|text| is_ours(text)).last() {
                return Ok(text);
            }
            sleep(RETRY_INTERVAL).await;
        }
        Err(misconfigured(BOOTSTRAPPING, format!("no answer by {conduit} in the admin room")))
    }

    /// Redacts a command with tokens, which other administrators need not read.
    async fn redact(&self, command: &EventId) {
        let transaction = Uuid::new_v4().to_string();
        let path =
            self.http.put().at("rooms").at(&self.room).at("redact").at(command).at(transaction.as_str());
        if let Err(cause) = path.with_token(&self.token).body(&json!({})).send::<IgnoredAny>().await {
            let cause: &dyn std::error::Error = &cause;
            tracing::warn!(cause, "redacting the registration in the admin room failed");
        }
    }

    /// Logs the administrator out.
    pub(crate) async fn log_out(&self) {
        if let Err(cause) = self.http.post().at("logout").with_token(&self.token).send::<IgnoredAny>().await {
            let cause: &dyn std::error::Error = &cause;
            tracing::warn!(cause, "logging the administrator out failed");
        }
    }
}

/// Logs the administrator in, or registers it. Returns its access token.
async fn token(http: &Http, admin: &AdminAccount, is_known: bool) -> Result<String> {
    let context = "logging in as Conduit's administrator";
    let device = format!("{DEVICE_PREFIX}{}", Uuid::new_v4().simple());
    let user = http.user(&admin.localpart);
    match log_in(http, admin, &device).await {
        Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => {}
        login => return Ok(login.context(context)?.access_token),
    }
    match register(http, admin, &device).await {
        Err(cause) if cause.is("M_USER_IN_USE") => {}
        Err(cause) if cause.is_status(StatusCode::UNAUTHORIZED) || cause.is_status(StatusCode::FORBIDDEN) => {
            let explanation = format!(
                "{user} cannot log in with its password and cannot be registered ({cause}). Allow registration \
                 (allow_registration = true, no registration_token) until this has succeeded once"
            );
            return Err(misconfigured(context, explanation));
        }
        login => return Ok(login.context(context)?.access_token),
    }
    // Another process registered it meanwhile, or it has another password.
    match log_in(http, admin, &device).await {
        Err(cause) if cause.is_status(StatusCode::FORBIDDEN) && is_known => {
            Ok(http.log_in(&user, &device).await.context(context)?.access_token)
        }
        Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => {
            let explanation = format!(
                "{user} exists with another password. Configure that one, or set an emergency_password, log in as \
                 @{CONDUIT} with it, and send `reset-password {}` in the admin room",
                admin.localpart,
            );
            Err(misconfigured(context, explanation))
        }
        login => Ok(login.context(context)?.access_token),
    }
}

async fn log_in(http: &Http, admin: &AdminAccount, device: &str) -> Result<Login, Cause> {
    let body = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": admin.localpart },
        "password": admin.password,
        "device_id": device,
    });
    http.post().at("login").unauthenticated().body(&body).send().await
}

/// Registers the administrator. The first user becomes one, but only with a login (no `inhibit_login`).
async fn register(http: &Http, admin: &AdminAccount, device: &str) -> Result<Login, Cause> {
    let body = json!({
        "username": admin.localpart,
        "password": admin.password,
        "device_id": device,
        "inhibit_login": false,
        "auth": { "type": "m.login.dummy" },
    });
    http.post().at("register").unauthenticated().body(&body).send().await
}
