//! Accounts: made once, with one device, and named as the Hub names their people.

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

/// Most characters of a display name. Synapse refuses a longer one.
const DISPLAY_NAME_MAX: usize = 256;
/// What the servers say, as `M_FORBIDDEN`, of an account that does not exist: Synapse, then Conduit.
const NO_ACCOUNT: [&str; 2] = ["has not registered this user", "User does not exist"];

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    displayname: Option<String>,
}

/// What a login brings.
#[derive(Deserialize)]
pub(crate) struct Login {
    pub(crate) access_token: String,
}

impl Http {
    /// The id of a user of this homeserver.
    pub(crate) fn user(&self, localpart: impl Display) -> MatrixUserId {
        MatrixUserId::new(format!("@{localpart}:{}", self.server_name))
    }

    /// Makes the account and its device; `false` if the account exists already, and stays as it is.
    pub(crate) async fn register(&self, user: &MatrixUserId) -> Result<bool, Cause> {
        // With a login: Synapse makes the device only then.
        let body = json!({
            "type": "m.login.application_service",
            "username": self.localpart(user)?,
            "device_id": DEVICE,
            "initial_device_display_name": self.device_name(user),
            "inhibit_login": false,
        });
        match self.post().at("register").body(&body).send_as_it_is::<IgnoredAny>().await {
            Err(cause) if cause.is("M_USER_IN_USE") => Ok(false),
            result => result.map(|_| true),
        }
    }

    /// Gives the account a device, or the device another token.
    pub(crate) async fn log_in(&self, user: &MatrixUserId, device: &str) -> Result<Login, Cause> {
        let body = json!({
            "type": "m.login.application_service",
            "identifier": { "type": "m.id.user", "user": self.localpart(user)? },
            "device_id": device,
            "initial_device_display_name": self.device_name(user),
        });
        self.post().at("login").body(&body).send_as_it_is().await
    }

    /// Whether a call failed for want of the account or its device, which is there now.
    pub(crate) async fn mend_account(&self, user: &MatrixUserId, cause: &Cause) -> Result<bool, Cause> {
        let Some(refusal) = cause.refusal() else { return Ok(false) };
        match refusal.errcode.as_deref() {
            Some("M_UNKNOWN_DEVICE") => self.log_in(user, DEVICE).await.map(|_| true),
            Some("M_FORBIDDEN") if NO_ACCOUNT.iter().any(|text| refusal.explanation.contains(text)) => {
                // Somebody else may have been quicker.
                Ok(self.register(user).await? || self.recognise(user).await?)
            }
            _ => Ok(false),
        }
    }

    /// Gives an account of ours this display name and the push rule of urgent notifications.
    pub(crate) async fn ensure_user(
        &self,
        user: &MatrixUserId,
        display_name: &str,
        bot: &MatrixUserId,
    ) -> Result<()> {
        // Refused here: Conduit answers as if the registration were wrong.
        self.localpart(user).map_err(Cause::from).context("ensuring a user")?;
        // Calls in the name of a user make an account that is gone, or its device.
        let named = if self.ensure_push_rule(user, bot).await? {
            // Conduit may not push to an account of before until its name is told anew.
            self.announce(user, display_name).await
        } else {
            self.rename(user, display_name).await
        };
        named.context("setting a user's display name")
    }

    /// Whoever calls as this user has an account and a device afterwards.
    pub(crate) async fn check_account(&self, user: &MatrixUserId) -> Result<(), Cause> {
        self.get().at("account").at("whoami").by(user).send::<IgnoredAny>().await.map(drop)
    }

    /// Changes the display name if it is another: Conduit tells every room of the user even if nothing has changed.
    pub(crate) async fn rename(&self, user: &MatrixUserId, name: &str) -> Result<(), Cause> {
        let name = shortened(name);
        if self.display_name(user).await?.unwrap_or_default() == name {
            return Ok(());
        }
        self.announce(user, &name).await
    }

    /// Tells every room of the user their display name, also an unchanged one on Conduit: only then does Conduit notice
    /// that an account which had no password before is somebody to whom it pushes.
    pub(crate) async fn announce(&self, user: &MatrixUserId, name: &str) -> Result<(), Cause> {
        // As the user themselves: Conduit changes the name of whoever asks, whatever the path says.
        let call = self.put().at("profile").at(user).at("displayname").by(user);
        call.body(&json!({ "displayname": shortened(name) })).send::<IgnoredAny>().await.map(drop)
    }

    /// `None` if the account has none.
    pub(crate) async fn display_name(&self, user: &MatrixUserId) -> Result<Option<String>, Cause> {
        let known = self.get().at("profile").at(user).at("displayname").by(user).send::<Profile>().await;
        match known {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(None),
            known => Ok(known?.displayname),
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
