//! Registration with Conduit, which reads no registration file: an administrator sends it in the admin room.

use messenger_core::Result;
use reqwest::StatusCode;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use sha2::{Digest, Sha256};

use super::admin_room::{AdminRoom, BOOTSTRAPPING, CONDUIT};
use crate::{
    AdminAccount, Appservice, Registration,
    error::{Cause, Context},
    registration::yaml,
};

/// The statuses of homeservers without Conduit's own account, or with restricted profiles.
const NO_PROFILE: [StatusCode; 3] = [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED];
/// The type of the bot's account data with the registration state.
const REGISTRATION_STATE: &str = "com.aesystek.messenger.registration";

/// The time at which a new Conduit gets the address to push to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Push {
    Now,
    Later,
}

/// A digest of the registration that Conduit has.
#[derive(Serialize, Deserialize, PartialEq)]
struct RegistrationState {
    sha256: String,
}

/// Returns whether the homeserver is a Conduit, by its own account, which no other homeserver has.
pub(crate) async fn is_conduit(appservice: &Appservice) -> Result<bool, Cause> {
    let conduit = appservice.http.user(CONDUIT);
    let profile = appservice.http.get().at("profile").at(&conduit).unauthenticated();
    match profile.send::<IgnoredAny>().await {
        Err(cause) if NO_PROFILE.iter().any(|status| cause.is_status(*status)) => Ok(false),
        result => result.map(|_| true),
    }
}

/// Registers this service with Conduit, unless Conduit has the same registration already. `is_known` states
/// whether it knows the token of this service. Returns whether Conduit pushes by this registration.
pub(super) async fn register(
    appservice: &Appservice,
    registration: &Registration,
    admin: &AdminAccount,
    is_known: bool,
    push: Push,
) -> Result<bool> {
    if is_known {
        let state = appservice.registration_state().await.context(BOOTSTRAPPING)?;
        let is_current = state == Some(RegistrationState::of(&yaml(registration)));
        if is_current || push == Push::Later {
            return Ok(is_current);
        }
    }
    let url = registration.url.clone().filter(|_| push == Push::Now);
    let text = yaml(&Registration { url, ..registration.clone() });
    let admin_room = AdminRoom::enter(&appservice.http, admin, is_known).await?;
    admin_room.register(registration, &text).await?;
    admin_room.log_out().await;
    // The state is stored in the bot's account data.
    appservice.http.register(&appservice.bot).await.context("registering the bot")?;
    let store = appservice
        .http
        .put()
        .account_data(&appservice.bot, REGISTRATION_STATE)
        .body(&RegistrationState::of(&text));
    store.send::<IgnoredAny>().await.context("storing the registration state")?;
    Ok(push == Push::Now)
}

impl RegistrationState {
    fn of(yaml: &str) -> Self {
        Self { sha256: hex::encode(Sha256::digest(yaml)) }
    }
}

impl Appservice {
    async fn registration_state(&self) -> Result<Option<RegistrationState>, Cause> {
        match self.http.get().account_data(&self.bot, REGISTRATION_STATE).send().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(None),
            state => state.map(Some),
        }
    }
}
