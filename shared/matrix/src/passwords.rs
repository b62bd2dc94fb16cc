//! Passwords for other Matrix clients: on Synapse through its admin API, on Conduit through its admin room.

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use messenger_core::{Result, id::MatrixUserId, port::ExternalAccounts};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use sha1::Sha1;
use tokio::sync::{Mutex, OnceCell};
use uuid::Uuid;

use crate::{
    AdminAccount, Appservice,
    bootstrap::{AdminRoom, is_conduit},
    call::{Call, DEVICE},
    error::{Cause, Context, misconfigured},
};

const SETTING: &str = "setting a user's password";
/// The number of attempts to change a generated password on Conduit.
const TRIES: usize = 5;
/// The root of Synapse's admin API.
const SYNAPSE: &str = "/_synapse/admin";

/// Passwords of the accounts for other Matrix clients.
pub struct Passwords {
    appservice: Appservice,
    admin: AdminAccount,
    /// Synapse's `registration_shared_secret`, with which a missing administrator is registered.
    registration_secret: Option<String>,
    is_conduit: OnceCell<bool>,
    /// Serialises commands in Conduit's admin room, whose answers name no command.
    admin_room_lock: Mutex<()>,
}

#[derive(Deserialize)]
struct Nonce {
    nonce: String,
}

impl Passwords {
    /// Creates the adapter. Does no I/O. `admin` is an administrator of the homeserver. On Synapse, the first
    /// use registers it, which needs Synapse's `registration_shared_secret`.
    pub fn new(appservice: Appservice, admin: AdminAccount, registration_secret: Option<String>) -> Self {
        Self {
            appservice,
            admin,
            registration_secret,
            is_conduit: OnceCell::new(),
            admin_room_lock: Mutex::default(),
        }
    }

    async fn is_conduit(&self) -> Result<bool> {
        let detect =
            || async { is_conduit(&self.appservice).await.context("detecting the homeserver's kind") };
        self.is_conduit.get_or_try_init(detect).await.copied()
    }

    /// Sets a password on Conduit, which generates passwords itself: the user changes the generated one,
    /// which logs out the other devices.
    async fn set_on_conduit(&self, user: &MatrixUserId, password: &str) -> Result<()> {
        let http = &self.appservice.http;
        let _lock = self.admin_room_lock.lock().await;
        let admin_room = AdminRoom::enter(http, &self.admin, true).await?;
        let changed = self.reset_and_change(&admin_room, user, password).await;
        admin_room.log_out().await;
        changed?;
        // Conduit caches per room that an account without a password is deactivated; a member event refreshes
        // that.
        let name = http.display_name(user).await.context(SETTING)?.unwrap_or_default();
        http.set_display_name(user, &name).await.context(SETTING)
    }

    /// Tries again if another process has reset the same password or logged the same device in meanwhile.
    async fn reset_and_change(
        &self,
        admin_room: &AdminRoom<'_>,
        user: &MatrixUserId,
        password: &str,
    ) -> Result<()> {
        let http = &self.appservice.http;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let generated = admin_room.reset_password(user, localpart(user)).await?;
            let login = http.log_in(user, DEVICE).await.context(SETTING)?;
            let body = json!({
                "new_password": password,
                "logout_devices": true,
                "auth": {
                    "type": "m.login.password",
                    "identifier": { "type": "m.id.user", "user": localpart(user) },
                    "password": generated,
                },
            });
            let change = http.post().at("account").at("password").with_token(&login.access_token).body(&body);
            match change.send::<IgnoredAny>().await {
                Err(cause) if cause.is_status(StatusCode::UNAUTHORIZED) && attempts < TRIES => {}
                result => return result.context(SETTING).map(drop),
            }
        }
    }

    async fn set_on_synapse(&self, user: &MatrixUserId, password: &str) -> Result<()> {
        let body = json!({ "password": password, "logout_devices": true });
        match self.as_admin(user, &body).await {
            Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => {
                self.register_admin().await?;
                self.as_admin(user, &body).await.context(SETTING)?;
            }
            result => result.context(SETTING)?,
        }
        // The device of this service was logged out with the others.
        self.appservice.http.log_in(user, DEVICE).await.context(SETTING).map(drop)
    }

    async fn as_admin(&self, user: &MatrixUserId, body: &Value) -> Result<(), Cause> {
        let http = &self.appservice.http;
        let admin = http.user(&self.admin.localpart);
        let set = || {
            let call = Call::new(http, Method::PUT, SYNAPSE).at("v2").at("users").at(user);
            // Sent once: an administrator that was restored as an ordinary user could not be registered any
            // more.
            call.by(&admin).body(body).send_once::<IgnoredAny>()
        };
        match set().await {
            Err(cause) if cause.is("M_UNKNOWN_DEVICE") => {
                http.log_in(&admin, DEVICE).await?;
                set().await.map(drop)
            }
            result => result.map(drop),
        }
    }

    /// Registers the administrator by the shared secret (Synapse's documentation, "Shared-Secret
    /// Registration").
    async fn register_admin(&self) -> Result<()> {
        let context = "registering an administrator";
        let (http, localpart, password) =
            (&self.appservice.http, &self.admin.localpart, &self.admin.password);
        let Some(secret) = &self.registration_secret else {
            let explanation = format!(
                "{} is not an administrator of this Synapse: make it one, or configure the registration_shared_secret",
                http.user(localpart)
            );
            return Err(misconfigured(context, explanation));
        };
        let path = |method| Call::new(http, method, SYNAPSE).at("v1").at("register").unauthenticated();
        let nonce: Nonce = path(Method::GET).send().await.context(context)?;
        let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes())
            .map_err(|error| misconfigured(context, error.to_string()))?;
        mac.update([nonce.nonce.as_str(), localpart, password, "admin"].join("\0").as_bytes());
        let body = json!({
            "nonce": nonce.nonce,
            "username": localpart,
            "password": password,
            "admin": true,
            "mac": hex::encode(mac.finalize().into_bytes()),
        });
        match path(Method::POST).body(&body).send::<IgnoredAny>().await {
            // It exists. If it is not an administrator, the next call fails.
            Err(cause) if cause.is("M_USER_IN_USE") => Ok(()),
            result => result.context(context).map(drop),
        }
    }
}

#[async_trait]
impl ExternalAccounts for Passwords {
    async fn set_password(&self, user: &MatrixUserId, password: &str) -> Result<()> {
        // Older accounts may lack the push rule, and from now on there may be a phone.
        self.appservice.http.ensure_push_rule(user, &self.appservice.bot).await?;
        if self.is_conduit().await? {
            self.set_on_conduit(user, password).await
        } else {
            self.set_on_synapse(user, password).await
        }
    }

    async fn revoke(&self, user: &MatrixUserId) -> Result<()> {
        let unknown = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.set_password(user, &unknown).await?;
        // A homeserver may leave devices logged in when the password changes.
        let context = "logging a user's devices out";
        let http = &self.appservice.http;
        http.post().at("logout").at("all").by(user).send::<IgnoredAny>().await.context(context)?;
        http.log_in(user, DEVICE).await.context(context).map(drop)
    }
}

fn localpart(user: &MatrixUserId) -> &str {
    let rest = user.as_str().trim_start_matches('@');
    rest.split_once(':').map_or(rest, |(localpart, _)| localpart)
}
