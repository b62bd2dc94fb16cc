//! Accounts that this service made, and how it recognises them: by a mark that nobody else can make.
//!
//! The mark is a MAC of the user id. It comes into being with the account, as the name of its device, so that an account
//! whose registration was answered to nobody is recognised. Account data keep it when the device is gone, or renamed by its
//! owner. Neither says anything about any other account.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use messenger_core::id::MatrixUserId;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use sha2::Sha256;
use tokio::time::sleep;

use crate::{
    call::{DEVICE, Http},
    error::Cause,
};

/// The type of the account data that hold the mark.
const MARK: &str = "com.aesystek.messenger.account";
/// The name of our device as clients show it, before the mark.
const DEVICE_NAME: &str = "Messenger-Service";
/// Synapse makes the device after the account: another process may be in between.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOKS: usize = 12;

/// The mark, as account data hold it.
#[derive(Serialize, Deserialize, PartialEq)]
struct Mark {
    mark: String,
}

#[derive(Deserialize)]
struct Device {
    display_name: Option<String>,
}

impl Http {
    /// Makes the account, or recognises one that an earlier call made. Returns `false` if somebody else made it, or has
    /// the name for themselves; nothing is changed then.
    pub(crate) async fn claim(&self, user: &MatrixUserId) -> Result<bool, Cause> {
        let made = match self.register(user).await {
            Err(cause) if cause.is_of_another_service() => return Ok(false),
            made => made?,
        };
        if !made && !self.recognise(user).await? {
            return Ok(false);
        }
        let mark = Mark { mark: self.mark(user) };
        let call = self.put().account_data(user, MARK).body(&mark);
        call.send::<IgnoredAny>().await.map(|_| true)
    }

    /// Whether an account that exists is ours. One that was made in this moment may get its mark a little later.
    pub(crate) async fn recognise(&self, user: &MatrixUserId) -> Result<bool, Cause> {
        for _ in 1..LOOKS {
            if self.is_marked(user).await? {
                return Ok(true);
            }
            sleep(LOOK_AGAIN).await;
        }
        self.is_marked(user).await
    }

    /// The name of our device of an account.
    pub(crate) fn device_name(&self, user: &MatrixUserId) -> String {
        format!("{DEVICE_NAME} {}", self.mark(user))
    }

    async fn is_marked(&self, user: &MatrixUserId) -> Result<bool, Cause> {
        let data = self.get().account_data(user, MARK).without_device(user);
        if let Some(mark) = readable(data.send_as_it_is::<Mark>().await)?
            && mark.mark == self.mark(user)
        {
            return Ok(true);
        }
        let device = self.get().at("devices").at(DEVICE).without_device(user);
        let device = readable(device.send_as_it_is::<Device>().await)?;
        Ok(device.and_then(|device| device.display_name) == Some(self.device_name(user)))
    }

    fn mark(&self, user: &MatrixUserId) -> String {
        // HMAC takes keys of any length.
        Hmac::<Sha256>::new_from_slice(self.account_key.as_bytes()).map_or_else(
            |_| String::new(),
            |mut mac| {
                mac.update(user.as_str().as_bytes());
                hex::encode(&mac.finalize().into_bytes()[..16])
            },
        )
    }
}

/// Returns `None` if the answer has no mark: nothing is there, or it is not shown, or is something else.
fn readable<T>(answer: Result<T, Cause>) -> Result<Option<T>, Cause> {
    match answer {
        Err(Cause::Nonsense(_)) => Ok(None),
        Err(cause) if cause.is_refused_for_good() => Ok(None),
        answer => answer.map(Some),
    }
}
