//! The administrator of a Conduit, who talks to it in its admin room.

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

use super::{AdminAccount, BOOTSTRAPPING, conduit::CONDUIT};
use crate::{
    Registration,
    account::Login,
    call::Http,
    error::{Cause, Context, misconfigured},
};

/// What their devices are called, each for one visit: of two with one name the later would log the earlier out.
const DEVICE: &str = "BOOTSTRAP";
/// Conduit answers in milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How Conduit's answers are told from each other.
const RESET: &str = "reset the password for user";
const REGISTERED: &str = "Appservice registered";
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The administrator, logged in and in the admin room.
pub(crate) struct Administrator<'a> {
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

impl<'a> Administrator<'a> {
    /// Logs in, as the first user if there is none yet, and finds the admin room.
    pub(crate) async fn enter(http: &'a Http, admin: &AdminAccount, known: bool) -> Result<Self> {
        let token = token(http, admin, known).await?;
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
                "{} is no administrator of this Conduit: somebody else registered first. Invite it to {alias}, or log \
                 in as @{CONDUIT} with an emergency_password to do so",
                http.user(&admin.localpart),
            );
            return Err(misconfigured(BOOTSTRAPPING, explanation));
        }
        Ok(Self { http, token, room: room.room_id })
    }

    pub(super) async fn register(&self, registration: &Registration, text: &str) -> Result<()> {
        let conduit = self.http.user(CONDUIT);
        let command = self.say(&format!("{conduit}: register-appservice\n```\n{text}```")).await?;
        let answer = self.answer_to(&command, &conduit, |text| !text.contains(RESET)).await?;
        self.hide(&command).await;
        if answer.starts_with(REGISTERED) {
            tracing::info!(id = registration.id, "registered with Conduit");
            return Ok(());
        }
        let answer = [&registration.as_token, &registration.hs_token]
            .iter()
            .fold(answer, |answer, secret| answer.replace(secret.as_str(), "…"));
        Err(misconfigured(BOOTSTRAPPING, format!("Conduit answered: {answer}")))
    }

    /// Gives an account a password that Conduit makes up. Its devices stay logged in.
    pub(crate) async fn reset_password(&self, user: &MatrixUserId, localpart: &str) -> Result<String> {
        let context = "resetting a password";
        let conduit = self.http.user(CONDUIT);
        let command = self.say(&format!("{conduit}: reset-password {localpart}")).await?;
        // Others ask at the same time; what was not done says for whom, too, unless the command was none.
        let ours = format!("{RESET} {user}: ");
        let is_ours =
            |text: &str| text.contains(&ours) || !(text.contains(RESET) || text.contains(REGISTERED));
        let answer = self.answer_to(&command, &conduit, is_ours).await?;
        let success = format!("Successfully {ours}");
        match answer.strip_prefix(&success) {
            Some(password) if !password.trim().is_empty() => Ok(password.trim().to_owned()),
            // It may be the answer to somebody else, and hold their password.
            _ => Err(misconfigured(context, format!("Conduit did not reset the password of {user}"))),
        }
    }

    async fn say(&self, body: &str) -> Result<EventId> {
        let transaction = Uuid::new_v4().to_string();
        let path = self.http.put().at("rooms").at(&self.room).at("send").at("m.room.message");
        let call = path.at(transaction.as_str()).with_token(&self.token);
        let sent: SentEvent =
            call.body(&json!({ "msgtype": "m.text", "body": body })).send().await.context(BOOTSTRAPPING)?;
        Ok(sent.event_id)
    }

    /// The first text by Conduit after the command that may be meant for us; it refers to nothing.
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
            sleep(LOOK_AGAIN).await;
        }
        Err(misconfigured(BOOTSTRAPPING, format!("no answer by {conduit} in the admin room")))
    }

    /// The command holds our tokens; other administrators need not read them.
    async fn hide(&self, command: &EventId) {
        let transaction = Uuid::new_v4().to_string();
        let path =
            self.http.put().at("rooms").at(&self.room).at("redact").at(command).at(transaction.as_str());
        if let Err(cause) = path.with_token(&self.token).body(&json!({})).send::<IgnoredAny>().await {
            let cause: &dyn std::error::Error = &cause;
            tracing::warn!(cause, "the registration stays legible in the admin room");
        }
    }

    pub(crate) async fn leave(&self) {
        if let Err(cause) = self.http.post().at("logout").with_token(&self.token).send::<IgnoredAny>().await {
            let cause: &dyn std::error::Error = &cause;
            tracing::warn!(cause, "the administrator stays logged in");
        }
    }
}

async fn token(http: &Http, admin: &AdminAccount, known: bool) -> Result<String> {
    let context = "logging in as Conduit's administrator";
    let device = format!("{DEVICE}{}", Uuid::new_v4().simple());
    let user = http.user(&admin.localpart);
    match log_in(http, admin, &device).await {
        Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => {}
        login => return Ok(login.context(context)?.access_token),
    }
    match sign_up(http, admin, &device).await {
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
    // Somebody may have registered it at the same moment; else its password is another.
    match log_in(http, admin, &device).await {
        Err(cause) if cause.is_status(StatusCode::FORBIDDEN) && known => {
            Ok(http.log_in(&user, &device).await.context(context)?.access_token)
        }
        Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => {
            let explanation = format!(
                "{user} exists with another password. Give us that one, or set an emergency_password, log in as \
                 @{CONDUIT} with it, and say `reset-password {}` in the admin room",
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
    http.post().at("login").by_nobody().body(&body).send().await
}

/// The first user becomes administrator; but only if it logs in at once (no `inhibit_login`).
async fn sign_up(http: &Http, admin: &AdminAccount, device: &str) -> Result<Login, Cause> {
    let body = json!({
        "username": admin.localpart,
        "password": admin.password,
        "device_id": device,
        "inhibit_login": false,
        "auth": { "type": "m.login.dummy" },
    });
    http.post().at("register").by_nobody().body(&body).send().await
}
