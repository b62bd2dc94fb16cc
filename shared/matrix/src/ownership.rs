//! Ownership of accounts: an account of this service has a mark that nobody else can forge.
//!
//! The mark is a MAC of the user id. Registration stores it as the name of the device, so that an account is
//! recognised even if the response to its registration was lost. A copy in the account data remains if the
//! device is removed or renamed. The mark of one account is not valid for another.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use messenger_core::id::MatrixUserId;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::time::sleep;

use crate::{
    call::{Call, DEVICE, Http},
    error::Cause,
};

/// The type of the account data with the mark.
const MARK: &str = "com.aesystek.messenger.account";
/// The name of the device as clients show it, followed by the mark.
const DEVICE_NAME: &str = "Messenger-Service";
/// The wait before another look for the mark: Synapse creates the device after the account.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// Most looks for the mark.
const ATTEMPTS: usize = 12;

/// The account data with the mark.
#[derive(Serialize, Deserialize, PartialEq)]
struct Mark {
    mark: String,
}

#[derive(Deserialize)]
struct Device {
    display_name: Option<String>,
}

impl Http {
    /// Begins the call that stores the mark in the account data.
    pub(crate) fn store_mark<'a>(&'a self, user: &'a MatrixUserId) -> Call<'a> {
        self.put().account_data(user, MARK).body(&Mark { mark: self.mark(user) })
    }

    /// Returns whether an existing account belongs to this service. Waits up to three seconds for the mark,
    /// which an account gets just after its registration.
    pub(crate) async fn recognise(&self, user: &MatrixUserId) -> Result<bool, Cause> {
        for _ in 1..ATTEMPTS {
            if self.is_marked(user).await? {
                return Ok(true);
            }
            sleep(RETRY_INTERVAL).await;
        }
        self.is_marked(user).await
    }

    /// Returns the name of the device on an account.
    pub(crate) fn device_name(&self, user: &MatrixUserId) -> String {
        format!("{DEVICE_NAME} {}", self.mark(user))
    }

    async fn is_marked(&self, user: &MatrixUserId) -> Result<bool, Cause> {
        let data = self.get().account_data(user, MARK).without_device(user);
        if let Some(mark) = optional(data.send_once::<Mark>().await)?
            && mark.mark == self.mark(user)
        {
            return Ok(true);
        }
        let device = self.get().at("devices").at(DEVICE).without_device(user);
        let device = optional(device.send_once::<Device>().await)?;
        Ok(device.and_then(|device| device.display_name) == Some(self.device_name(user)))
    }

    fn mark(&self, user: &MatrixUserId) -> String {
        // This never fails: HMAC accepts keys of any length.
        Hmac::<Sha256>::new_from_slice(self.account_key.as_bytes()).map_or_else(
            |_| String::new(),
            |mut mac| {
                mac.update(user.as_str().as_bytes());
                hex::encode(&mac.finalize().into_bytes()[..16])
            },
        )
    }
}

/// Returns `None` if the response has no mark: the homeserver refused, or its content is another.
fn optional<T>(response: Result<T, Cause>) -> Result<Option<T>, Cause> {
    match response {
        Err(Cause::InvalidBody(_)) => Ok(None),
        Err(cause) if cause.is_rejected() => Ok(None),
        response => response.map(Some),
    }
}
