//! Registration and login of accounts.

use std::fmt::Display;

use messenger_core::id::MatrixUserId;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;

use crate::{
    call::{DEVICE, Http},
    error::Cause,
    path::Malformed,
};

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

    /// Returns the localpart of a user of this homeserver.
    pub(crate) fn localpart<'u>(&self, user: &'u MatrixUserId) -> Result<&'u str, Malformed> {
        let parts = user.as_str().strip_prefix('@').and_then(|rest| rest.split_once(':'));
        match parts {
            Some((localpart, server)) if !localpart.is_empty() && server == &*self.server_name => {
                Ok(localpart)
            }
            _ => Err(Malformed::new(user.as_str(), "user id of this homeserver")),
        }
    }
}
