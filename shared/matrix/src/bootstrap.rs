//! Bootstrap of a homeserver: registers this service and its bot. It may be repeated.

mod admin_room;
mod conduit;

use messenger_core::{Error, Result};
use reqwest::StatusCode;
use serde::de::IgnoredAny;

use crate::{
    AdminAccount, Appservice, HomeserverConfig, Registration,
    error::{Cause, Context, misconfigured},
};

use admin_room::BOOTSTRAPPING;
use conduit::Push;

pub(crate) use admin_room::AdminRoom;
pub(crate) use conduit::is_conduit;

/// Ensures that the homeserver has the registration, and the bot its account, device and display name.
///
/// With Conduit, the service registers through the admin room, again after each change of the registration.
/// Other homeservers read the registration from a file ([`yaml`](crate::registration::yaml)); an unknown
/// token is an error that explains this. `admin` is used on Conduit only. The first user of a new Conduit
/// becomes its administrator: call this before others can reach it.
pub async fn bootstrap(
    config: &HomeserverConfig,
    registration: &Registration,
    admin: &AdminAccount,
) -> Result<()> {
    prepare(config, registration, admin, Push::Now).await.map(drop)
}

/// Bootstraps before this service listens: a new Conduit gets the registration without `url`. Otherwise it
/// would push at once, fail, and retry after 30 seconds, then after two minutes, and so on. Returns whether
/// the homeserver pushes. If not, call [`bootstrap`] when the service listens.
pub async fn bootstrap_without_push(
    config: &HomeserverConfig,
    registration: &Registration,
    admin: &AdminAccount,
) -> Result<bool> {
    prepare(config, registration, admin, Push::Later).await
}

/// Bootstraps the homeserver. Returns whether it pushes.
async fn prepare(
    config: &HomeserverConfig,
    registration: &Registration,
    admin: &AdminAccount,
    push: Push,
) -> Result<bool> {
    check_agreement(config, registration)?;
    let mut pushes = true;
    let appservice = Appservice::new(config.clone())?;
    let is_known = appservice.is_token_known().await.context(BOOTSTRAPPING)?;
    if is_conduit(&appservice).await.context(BOOTSTRAPPING)? {
        pushes = conduit::register(&appservice, registration, admin, is_known, push).await?;
    } else if !is_known {
        let explanation = format!(
            "the homeserver does not know the Application Service's token. On Synapse: store the registration \
             (id {:?}, with this as_token) as a file, name that file in app_service_config_files of homeserver.yaml, \
             and restart Synapse",
            registration.id,
        );
        return Err(misconfigured(BOOTSTRAPPING, explanation));
    }
    appservice.register_bot(&config.bot_display_name).await?;
    Ok(pushes)
}

impl Appservice {
    /// Returns whether the homeserver knows the token of this service.
    async fn is_token_known(&self) -> Result<bool, Cause> {
        match self.http.get().at("account").at("whoami").send::<IgnoredAny>().await {
            Err(cause) if cause.is_status(StatusCode::UNAUTHORIZED) => Ok(false),
            // Conduit's response until the bot has an account.
            Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => Ok(true),
            result => result.map(|_| true),
        }
    }

    async fn register_bot(&self, display_name: &str) -> Result<()> {
        // A failed registration does not matter if the bot has an account that works.
        let registered = self.http.register(&self.bot).await;
        if let Err(cause) = self.http.check_account(&self.bot).await {
            return Err(registered.err().unwrap_or(cause)).context("registering the bot");
        }
        self.http.update_display_name(&self.bot, display_name).await.context("setting the bot's display name")
    }
}

/// Returns an error if the two have different tokens, bots or servers.
fn check_agreement(config: &HomeserverConfig, registration: &Registration) -> Result<()> {
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
