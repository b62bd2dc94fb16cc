//! Devices of the bot whose tokens read: Conduit lets no Application Service read `/sync` and `/messages` by itself.

use std::sync::{Arc, LazyLock};

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

/// A device of the bot, and its token as long as it is good. Clones are the same device.
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

    fn named(name: &str) -> Self {
        Self { name: name.into(), token: Arc::default() }
    }

    /// Makes a call with the token of this device. A token that is no longer good is replaced once.
    pub(crate) async fn read<'a, T: DeserializeOwned>(
        &self,
        http: &'a Http,
        bot: &MatrixUserId,
        call: impl Fn(&'a Http) -> Call<'a>,
    ) -> Result<T, Cause> {
        let token = self.token(http, bot, None).await?;
        match call(http).send_with(&token).await {
            Err(cause) if cause.is_status(StatusCode::UNAUTHORIZED) => {
                let token = self.token(http, bot, Some(&token)).await?;
                call(http).send_with(&token).await
            }
            result => result,
        }
    }

    /// A token other than the one that is good for nothing.
    async fn token(
        &self,
        http: &Http,
        bot: &MatrixUserId,
        not: Option<&Arc<str>>,
    ) -> Result<Arc<str>, Cause> {
        let mut token = self.token.lock().await;
        match &*token {
            Some(token) if Some(token) != not => Ok(token.clone()),
            _ => {
                let fresh: Arc<str> = http.log_in(bot, &self.name).await?.access_token.into();
                *token = Some(fresh.clone());
                Ok(fresh)
            }
        }
    }
}
