//! Devices that read `/sync` and `/messages` with access tokens of their own: Conduit refuses both to an
//! Application Service. Most are the bot's.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex as StdMutex},
};

use messenger_core::{id::MatrixUserId, lock};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::{
    call::{Call, Http},
    error::Cause,
};

/// The bot's device that reads `/sync`. One worker uses it at a time: a second login invalidates its token.
const RECONCILER: &str = "RECONCILE";

/// The device of a user that reads rooms as that user, where the bot may read more than the user.
const MEMBER: &str = "HUB_READER";
/// Most users whose devices are cached.
const MEMBERS_MAX: usize = 1000;

/// A cache of the users' devices. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Readers(Arc<StdMutex<HashMap<MatrixUserId, Device>>>);

impl Readers {
    pub(crate) fn of(&self, user: &MatrixUserId) -> Device {
        let mut devices = lock(&self.0);
        // A dropped token costs one login.
        if devices.len() >= MEMBERS_MAX && !devices.contains_key(user) {
            devices.clear();
        }
        devices.entry(user.clone()).or_insert_with(Device::of_member).clone()
    }
}

/// A device with its cached access token. Clones share the token.
#[derive(Clone)]
pub(crate) struct Device {
    name: Arc<str>,
    token: Arc<Mutex<Option<Arc<str>>>>,
}

impl Device {
    /// Returns the bot's device that reads `/sync`.
    pub(crate) fn reconciler() -> Self {
        Self::named(RECONCILER)
    }

    /// Returns the bot's device by which this process reads rooms. Each process has its own, because a login
    /// invalidates the token of the other user of a device. There are 4096 names, so that restarts do not add
    /// devices without end. Two processes with the same name work, with more logins.
    pub(crate) fn reader() -> Self {
        static NAME: LazyLock<String> = LazyLock::new(|| {
            let random = uuid::Uuid::new_v4().as_u128() & 0xfff;
            format!("READER{random:03x}")
        });
        Self::named(&NAME)
    }

    /// Returns the device of a user. All processes share it, which works with more logins.
    fn of_member() -> Self {
        Self::named(MEMBER)
    }

    fn named(name: &str) -> Self {
        Self { name: name.into(), token: Arc::default() }
    }

    /// Sends a call with the token of this device. Replaces an invalid token once.
    pub(crate) async fn read<'a, T: DeserializeOwned>(
        &self,
        http: &'a Http,
        user: &MatrixUserId,
        call: impl Fn(&'a Http) -> Call<'a>,
    ) -> Result<T, Cause> {
        let token = self.token(http, user, None).await?;
        match call(http).send_with(&token).await {
            Err(cause) if cause.is_status(StatusCode::UNAUTHORIZED) => {
                let token = self.token(http, user, Some(&token)).await?;
                call(http).send_with(&token).await
            }
            result => result,
        }
    }

    /// Returns the cached token. Logs in if there is none, or if it equals `invalid`.
    async fn token(
        &self,
        http: &Http,
        user: &MatrixUserId,
        invalid: Option<&Arc<str>>,
    ) -> Result<Arc<str>, Cause> {
        let mut token = self.token.lock().await;
        match &*token {
            Some(token) if Some(token) != invalid => Ok(token.clone()),
            _ => {
                let new: Arc<str> = http.log_in(user, &self.name).await?.access_token.into();
                *token = Some(new.clone());
                Ok(new)
            }
        }
    }
}
