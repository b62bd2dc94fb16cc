//! Conduit reads no registration file: its administrator registers us by a message in its admin room.

use messenger_core::Result;
use reqwest::StatusCode;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use sha2::{Digest, Sha256};

use super::{AdminAccount, BOOTSTRAPPING, Push, administrator::Administrator};
use crate::{
    Appservice, Registration,
    error::{Cause, Context},
    registration::yaml,
};

/// Conduit's own account, which answers in the admin room.
pub(super) const CONDUIT: &str = "conduit";
/// What servers answer that have no such account, or do not show profiles to everybody.
const NO_PROFILE: [StatusCode; 3] = [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED];
/// Where the bot's account data hold what Conduit was last told of us.
const REGISTRATION_STATE: &str = "com.aesystek.messenger.registration";

#[derive(Serialize, Deserialize, PartialEq)]
struct RegistrationState {
    sha256: String,
}

/// Whether the homeserver is a Conduit: no other has this account from the start.
pub(crate) async fn is_at(appservice: &Appservice) -> Result<bool, Cause> {
    let conduit = appservice.http.user(CONDUIT);
    let profile = appservice.http.get().at("profile").at(&conduit).by_nobody();
    match profile.send::<IgnoredAny>().await {
        Err(cause) if NO_PROFILE.iter().any(|status| cause.is_status(*status)) => Ok(false),
        result => result.map(|_| true),
    }
}

/// Tells Conduit the registration, unless it was told exactly that before. `known`: it knows our token. Returns whether it
/// pushes by this registration.
pub(super) async fn register(
    appservice: &Appservice,
    registration: &Registration,
    admin: &AdminAccount,
    known: bool,
    push: Push,
) -> Result<bool> {
    if known {
        let is_current = appservice.told().await.context(BOOTSTRAPPING)?
            == Some(RegistrationState::of(&yaml(registration)));
        if is_current || push == Push::Later {
            return Ok(is_current);
        }
    }
    let url = registration.url.clone().filter(|_| push == Push::Now);
    let text = yaml(&Registration { url, ..registration.clone() });
    let administrator = Administrator::enter(&appservice.http, admin, known).await?;
    administrator.register(registration, &text).await?;
    administrator.leave().await;
    // The account data are the bot's, so it has to exist.
    appservice.http.register(&appservice.bot).await.context("registering the bot")?;
    let note = appservice
        .http
        .put()
        .account_data(&appservice.bot, REGISTRATION_STATE)
        .body(&RegistrationState::of(&text));
    note.send::<IgnoredAny>().await.context("noting the registration")?;
    Ok(push == Push::Now)
}

impl RegistrationState {
    fn of(text: &str) -> Self {
        Self { sha256: hex::encode(Sha256::digest(text)) }
    }
}

impl Appservice {
    async fn told(&self) -> Result<Option<RegistrationState>, Cause> {
        match self.http.get().account_data(&self.bot, REGISTRATION_STATE).send().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(None),
            told => told.map(Some),
        }
    }
}
