//! Devices whose tokens read, mostly of the bot: Conduit lets no Application Service read `/sync` and `/messages` by itself.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex as StdMutex, PoisonError},
};

use messenger_core::id::MatrixUserId;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::{
    call::{Call, Http},
    error::Cause,
};

/// The device that reads the homeserver's own stream. One worker uses it at a time: a second login takes its token away.
const RECONCILER: &str = "RECONCILE";

/// The device of a user by which rooms are read as that user, where the bot may read what they may not.
const MEMBER: &str = "HUB_READER";
/// How many users' devices are remembered.
const MEMBERS_MAX: usize = 1000;

/// The devices by which rooms are read as their members. Clones are the same devices.
#[derive(Clone, Default)]
pub(crate) struct Readers(Arc<StdMutex<HashMap<MatrixUserId, Device>>>);

impl Readers {
    pub(crate) fn of(&self, user: &MatrixUserId) -> Device {
        let mut devices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A token that is forgotten costs a login.
        if devices.len() >= MEMBERS_MAX && !devices.contains_key(user) {
            devices.clear();
        }
        devices.entry(user.clone()).or_insert_with(Device::of_member).clone()
    }
}

/// A device, and its token as long as it is good. Clones are the same device.
#[derive(Clone)]
pub(crate) struct Device {
    name: Arc<str>,
    token: Arc<Mutex<Option<Arc<str>>>>,
}

impl Device {
    /// The one that reads the homeserver's stream.
    pub(crate) fn reconciler() -> Self {
        Self::named(RECONCILER)
    }

    /// The one by which this process reads rooms. Each process has its own, or they would take each other's tokens away;
    /// there are not more than 4096 of them, so that the bot's devices do not grow in number with every start. Two that
    /// meet log in more often, and work.
    pub(crate) fn reader() -> Self {
        static NAME: LazyLock<String> = LazyLock::new(|| {
            let random = uuid::Uuid::new_v4().as_u128() & 0xfff;
            format!("READER{random:03x}")
        });
        Self::named(&NAME)
    }

    /// The one by which rooms are read as one of their members. It is the same for all processes: they take each other's
    /// tokens away, log in more often, and work.
    fn of_member() -> Self {
        Self::named(MEMBER)
    }

    fn named(name: &str) -> Self {
        Self { name: name.into(), token: Arc::default() }
    }

    /// Makes a call with the token of this device of a user. A token that is no longer good is replaced once.
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

    /// A token other than the one that is good for nothing.
    async fn token(
        &self,
        http: &Http,
        user: &MatrixUserId,
        not: Option<&Arc<str>>,
    ) -> Result<Arc<str>, Cause> {
        let mut token = self.token.lock().await;
        match &*token {
            Some(token) if Some(token) != not => Ok(token.clone()),
            _ => {
                let fresh: Arc<str> = http.log_in(user, &self.name).await?.access_token.into();
                *token = Some(fresh.clone());
                Ok(fresh)
            }
        }
    }
}
