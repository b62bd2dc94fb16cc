//! Making a homeserver ready for us, without a manual step and as often as one likes.

mod administrator;
mod conduit;

use std::fmt;

use messenger_core::{Error, Result};
use reqwest::StatusCode;
use serde::de::IgnoredAny;

use crate::{
    Appservice, HomeserverConfig, Registration,
    error::{Cause, Context, misconfigured},
};

pub(crate) use administrator::Administrator;
pub(crate) use conduit::is_at as is_conduit;

const BOOTSTRAPPING: &str = "bootstrapping the homeserver";

/// The administrator of a Conduit. It is its first user: a new Conduit gets it from us, with this password.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminAccount {
    /// Such as `hubadmin`; not the bot.
    pub localpart: String,
    /// Is kept: when the registration changes, it is needed again.
    pub password: String,
}

/// Never shows the password.
impl fmt::Debug for AdminAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminAccount").field("localpart", &self.localpart).finish_non_exhaustive()
    }
}

/// When a Conduit is told where to push.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Push {
    Now,
    Later,
}

/// The homeserver knows our registration, and the bot has its account, its device and its name.
///
/// Conduit is registered through its admin room, anew whenever the registration has changed. Any other homeserver reads
/// the registration from a file ([`yaml`](crate::registration::yaml)); an unknown token is then an error that says so.
/// `admin` is for Conduit only. A new Conduit gives the rights of an administrator to whoever registers first: call
/// this before others can reach it.
pub async fn bootstrap(
    config: &HomeserverConfig,
    registration: &Registration,
    admin: &AdminAccount,
) -> Result<()> {
    prepare(config, registration, admin, Push::Now).await.map(drop)
}

/// The same, but a Conduit that does not know us yet is not told where to push: it would push at once, and after a failure
/// wait for half a minute, then for two, and so on. Returns whether the homeserver pushes by this registration;
/// otherwise call [`bootstrap`] when the service answers.
pub async fn bootstrap_without_push(
    config: &HomeserverConfig,
    registration: &Registration,
    admin: &AdminAccount,
) -> Result<bool> {
    prepare(config, registration, admin, Push::Later).await
}

/// Returns whether the homeserver pushes.
async fn prepare(
    config: &HomeserverConfig,
    registration: &Registration,
    admin: &AdminAccount,
    push: Push,
) -> Result<bool> {
    agree(config, registration)?;
    let mut pushes = true;
    let appservice = Appservice::new(config.clone())?;
    let known = appservice.is_known().await.context(BOOTSTRAPPING)?;
    if conduit::is_at(&appservice).await.context(BOOTSTRAPPING)? {
        pushes = conduit::register(&appservice, registration, admin, known, push).await?;
    } else if !known {
        let explanation = format!(
            "the homeserver does not know the Application Service's token. On Synapse: store the registration \
             (id {:?}, with this as_token) as a file, name that file in app_service_config_files of homeserver.yaml, \
             and restart Synapse",
            registration.id,
        );
        return Err(misconfigured(BOOTSTRAPPING, explanation));
    }
    appservice.settle_bot(&config.bot_display_name).await?;
    Ok(pushes)
}

impl Appservice {
    /// Whether the homeserver knows our token.
    async fn is_known(&self) -> Result<bool, Cause> {
        match self.http.get().at("account").at("whoami").send::<IgnoredAny>().await {
            Err(cause) if cause.is_status(StatusCode::UNAUTHORIZED) => Ok(false),
            // Conduit, as long as the bot has no account.
            Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => Ok(true),
            result => result.map(|_| true),
        }
    }

    async fn settle_bot(&self, display_name: &str) -> Result<()> {
        // Registered before anything else is done as the bot. What counts is whether it can act.
        let registered = self.http.register(&self.bot).await;
        if let Err(cause) = self.http.check_account(&self.bot).await {
            return Err(registered.err().unwrap_or(cause)).context("registering the bot");
        }
        self.http.rename(&self.bot, display_name).await.context("setting the bot's display name")
    }
}

fn agree(config: &HomeserverConfig, registration: &Registration) -> Result<()> {
    let wrong = |field: &str| Error::invalid(format!("/{field}"), "differs from the configuration");
    if registration.as_token != config.as_token {
        Err(wrong("as_token"))
    } else if registration.bot_localpart != config.bot_localpart {
        Err(wrong("bot_localpart"))
    } else if registration.server_name != config.server_name {
        Err(wrong("server_name"))
    } else {
        Ok(())
    }
}
