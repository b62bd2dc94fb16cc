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
    bootstrap::{Administrator, is_conduit},
    call::{Call, DEVICE},
    error::{Cause, Context, misconfigured},
};

const SETTING: &str = "setting a user's password";
/// Synapse's own API.
const SYNAPSE: &str = "/_synapse/admin";

/// The accounts, as somebody else's clients use them.
pub struct Passwords {
    appservice: Appservice,
    admin: AdminAccount,
    /// Synapse's `registration_shared_secret`: makes the administrator when there is none.
    registration_secret: Option<String>,
    is_conduit: OnceCell<bool>,
    /// Conduit's answers do not say to which command they belong.
    turn: Mutex<()>,
}

#[derive(Deserialize)]
struct Nonce {
    nonce: String,
}

impl Passwords {
    /// `admin` administrates the homeserver. On Synapse it is made when it is first needed, for which Synapse's
    /// `registration_shared_secret` is necessary. Does no I/O.
    pub fn new(appservice: Appservice, admin: AdminAccount, registration_secret: Option<String>) -> Self {
        Self { appservice, admin, registration_secret, is_conduit: OnceCell::new(), turn: Mutex::default() }
    }

    async fn is_conduit(&self) -> Result<bool> {
        let look =
            || async { is_conduit(&self.appservice).await.context("looking for the kind of homeserver") };
        self.is_conduit.get_or_try_init(look).await.copied()
    }

    /// Conduit makes passwords itself. The user, with it, then chooses another; which logs out their other devices.
    async fn choose_on_conduit(&self, user: &MatrixUserId, password: &str) -> Result<()> {
        let http = &self.appservice.http;
        let _turn = self.turn.lock().await;
        let administrator = Administrator::enter(http, &self.admin, true).await?;
        let reset = administrator.reset_password(user, localpart(user)).await;
        administrator.leave().await;
        let body = json!({
            "new_password": password,
            "logout_devices": true,
            "auth": {
                "type": "m.login.password",
                "identifier": { "type": "m.id.user", "user": localpart(user) },
                "password": reset?,
            },
        });
        let login = http.log_in(user, DEVICE).await.context(SETTING)?;
        let change = http.post().at("account").at("password").with_token(&login.access_token).body(&body);
        change.send::<IgnoredAny>().await.context(SETTING)?;
        // Conduit takes an account without password for a deactivated one, and remembers it room by room.
        let name = http.display_name(user).await.context(SETTING)?.unwrap_or_default();
        http.announce(user, &name).await.context(SETTING)
    }

    async fn set_on_synapse(&self, user: &MatrixUserId, password: &str) -> Result<()> {
        let body = json!({ "password": password, "logout_devices": true });
        match self.as_admin(user, &body).await {
            Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => {
                self.make_admin().await?;
                self.as_admin(user, &body).await.context(SETTING)?;
            }
            result => result.context(SETTING)?,
        }
        // Ours went with the others.
        self.appservice.http.log_in(user, DEVICE).await.context(SETTING).map(drop)
    }

    async fn as_admin(&self, user: &MatrixUserId, body: &Value) -> Result<(), Cause> {
        let http = &self.appservice.http;
        let admin = http.user(&self.admin.localpart);
        let set = || {
            let call = Call::new(http, Method::PUT, SYNAPSE).at("v2").at("users").at(user);
            // Never mended: an administrator that we made as an ordinary user could not become one any more.
            call.by(&admin).body(body).send_as_it_is::<IgnoredAny>()
        };
        match set().await {
            Err(cause) if cause.is("M_UNKNOWN_DEVICE") => {
                http.log_in(&admin, DEVICE).await?;
                set().await.map(drop)
            }
            result => result.map(drop),
        }
    }

    /// Shared-secret registration (Synapse's documentation, "Register users").
    async fn make_admin(&self) -> Result<()> {
        let context = "making an administrator";
        let (http, localpart, password) =
            (&self.appservice.http, &self.admin.localpart, &self.admin.password);
        let Some(secret) = &self.registration_secret else {
            let explanation = format!(
                "{} is no administrator of this Synapse: give us its registration_shared_secret, or make it one",
                http.user(localpart)
            );
            return Err(misconfigured(context, explanation));
        };
        let path = |method| Call::new(http, method, SYNAPSE).at("v1").at("register").by_nobody();
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
            // Somebody else has just made it; if it is no administrator, the next call says so.
            Err(cause) if cause.is("M_USER_IN_USE") => Ok(()),
            result => result.context(context).map(drop),
        }
    }
}

#[async_trait]
impl ExternalAccounts for Passwords {
    async fn set_password(&self, user: &MatrixUserId, password: &str) -> Result<()> {
        // Accounts of before may lack it, and from now on there may be a phone.
        self.appservice.http.ensure_push_rule(user, &self.appservice.bot).await?;
        if self.is_conduit().await? {
            self.choose_on_conduit(user, password).await
        } else {
            self.set_on_synapse(user, password).await
        }
    }

    async fn revoke(&self, user: &MatrixUserId) -> Result<()> {
        let nobodys = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.set_password(user, &nobodys).await?;
        // For good measure: whatever a homeserver leaves logged in when a password changes.
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
