//! Accounts of users: registration, login and display name.

use std::fmt::Display;

use messenger_core::{Result, id::MatrixUserId};
use reqwest::StatusCode;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;

use crate::{
    call::{DEVICE, Http},
    error::{Cause, Context},
    path::Malformed,
};

/// Most characters of a display name. Synapse refuses longer ones.
const DISPLAY_NAME_MAX: usize = 256;
/// The explanations that come with `M_FORBIDDEN` for an account that does not exist: of Synapse, then of
/// Conduit.
const NO_ACCOUNT: [&str; 2] = ["has not registered this user", "User does not exist"];

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    displayname: Option<String>,
}

/// The response to a login.
#[derive(Deserialize)]
pub(crate) struct Login {
    pub(crate) access_token: String,
}

impl Http {
    /// Returns the id of a user of this homeserver.
    pub(crate) fn user(&self, localpart: impl Display) -> MatrixUserId {
        MatrixUserId::new(format!("@{localpart}:{}", self.server_name))
    }

    /// Registers an account with its device. Returns `false` if the account exists; it is not changed then.
    pub(crate) async fn register(&self, user: &MatrixUserId) -> Result<bool, Cause> {
        // Synapse creates the device only together with a login.
        let body = json!({
            "type": "m.login.application_service",
            "username": self.localpart(user)?,
            "device_id": DEVICE,
            "initial_device_display_name": self.device_name(user),
            "inhibit_login": false,
        });
        match self.post().at("register").body(&body).send_once::<IgnoredAny>().await {
            Err(cause) if cause.is("M_USER_IN_USE") => Ok(false),
            result => result.map(|_| true),
        }
    }

    /// Logs in with a device. Creates the device if it is missing; otherwise its former token becomes
    /// invalid.
    pub(crate) async fn log_in(&self, user: &MatrixUserId, device: &str) -> Result<Login, Cause> {
        let body = json!({
            "type": "m.login.application_service",
            "identifier": { "type": "m.id.user", "user": self.localpart(user)? },
            "device_id": device,
            "initial_device_display_name": self.device_name(user),
        });
        self.post().at("login").body(&body).send_once().await
    }

    /// Registers the account, or logs its device in, if `cause` says that it is missing. Returns whether the
    /// call should be repeated.
    pub(crate) async fn restore_account(&self, user: &MatrixUserId, cause: &Cause) -> Result<bool, Cause> {
        let Some(refusal) = cause.refusal() else { return Ok(false) };
        match refusal.errcode.as_deref() {
            Some("M_UNKNOWN_DEVICE") => self.log_in(user, DEVICE).await.map(|_| true),
            Some("M_FORBIDDEN") if NO_ACCOUNT.iter().any(|text| refusal.explanation.contains(text)) => {
                // Another process may have registered it meanwhile.
                Ok(self.register(user).await? || self.recognise(user).await?)
            }
            _ => Ok(false),
        }
    }

    /// Sets the display name and the push rule of urgent notifications on an account of the service.
    pub(crate) async fn ensure_user(
        &self,
        user: &MatrixUserId,
        display_name: &str,
        bot: &MatrixUserId,
    ) -> Result<()> {
        // Checked here, because Conduit's error would look like a wrong registration.
        self.localpart(user).map_err(Cause::from).context("ensuring a user")?;
        // A missing account or device is restored by these calls.
        let named = if self.ensure_push_rule(user, bot).await? {
            // Conduit pushes to an older account only after its display name was set again.
            self.set_display_name(user, display_name).await
        } else {
            self.update_display_name(user, display_name).await
        };
        named.context("setting a user's display name")
    }

    /// Ensures that a user has an account and a device.
    pub(crate) async fn check_account(&self, user: &MatrixUserId) -> Result<(), Cause> {
        self.get().at("account").at("whoami").by(user).send::<IgnoredAny>().await.map(drop)
    }

    /// Sets the display name if it differs: Conduit sends a member event to each room of the user even if it
    /// does not.
    pub(crate) async fn update_display_name(&self, user: &MatrixUserId, name: &str) -> Result<(), Cause> {
        let name = shortened(name);
        if self.display_name(user).await?.unwrap_or_default() == name {
            return Ok(());
        }
        self.set_display_name(user, &name).await
    }

    /// Sets the display name. On Conduit even an unchanged name sends a member event to each room of the
    /// user, after which Conduit pushes to an account that had no password before.
    pub(crate) async fn set_display_name(&self, user: &MatrixUserId, name: &str) -> Result<(), Cause> {
        // Called as the user, because Conduit ignores the path and changes the name of the caller.
        let call = self.put().at("profile").at(user).at("displayname").by(user);
        call.body(&json!({ "displayname": shortened(name) })).send::<IgnoredAny>().await.map(drop)
    }

    /// Returns the display name. Returns `None` if the account has none.
    pub(crate) async fn display_name(&self, user: &MatrixUserId) -> Result<Option<String>, Cause> {
        let profile = self.get().at("profile").at(user).at("displayname").by(user).send::<Profile>().await;
        match profile {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(None),
            profile => Ok(profile?.displayname),
        }
    }

    fn localpart<'u>(&self, user: &'u MatrixUserId) -> Result<&'u str, Malformed> {
        let parts = user.as_str().strip_prefix('@').and_then(|rest| rest.split_once(':'));
        match parts {
            Some((localpart, server)) if !localpart.is_empty() && server == &*self.server_name => {
                Ok(localpart)
            }
            _ => Err(Malformed::new(user.as_str(), "user id of this homeserver")),
        }
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(DISPLAY_NAME_MAX).collect()
}
