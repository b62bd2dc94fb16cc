//! Accounts of users: claim and display name.

use messenger_core::{Result, id::MatrixUserId};
use reqwest::StatusCode;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;

use crate::{
    call::Http,
    error::{Cause, Context},
};

/// Most characters of a display name. Synapse refuses longer ones.
const DISPLAY_NAME_MAX: usize = 256;

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    displayname: Option<String>,
}

impl Http {
    /// Registers an account, or recognises it as one of this service. Returns `false` if others registered or
    /// reserved it; nothing is changed then.
    pub(crate) async fn claim(&self, user: &MatrixUserId) -> Result<bool, Cause> {
        let is_new = match self.register(user).await {
            Err(cause) if cause.is_of_another_service() => return Ok(false),
            registered => registered?,
        };
        if !is_new && !self.recognise(user).await? {
            return Ok(false);
        }
        self.store_mark(user).send::<IgnoredAny>().await.map(|_| true)
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
}

fn shortened(name: &str) -> String {
    name.chars().take(DISPLAY_NAME_MAX).collect()
}
