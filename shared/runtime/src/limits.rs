//! Limits of this process for one client, at once or in a period. `docs/limits.md` has the table.
//!
//! Each is checked before the work that it saves: a refusal costs no query and reads no body. It is 429 with
//! `Retry-After`.

pub(crate) mod address;
pub(crate) mod body;
pub(crate) mod connections;
mod new_users;
mod rate;
mod slots;

use std::{net::IpAddr, time::Duration};

use http::request::Parts;
use messenger_core::{Error, Result, notification::Satellite, user::Caller};

pub use self::{
    address::{Peer, TrustedProxies},
    body::{MinimumRate, MinimumRateBody},
    slots::{Holding, Slot},
};
use self::{new_users::NewUsers, rate::Rate, slots::Slots};
use crate::config::LimitConfig;

/// `Retry-After` for a slot: it is not known when one becomes free.
const SLOT_PAUSE: Duration = Duration::from_secs(10);

/// The limits of a process, and its counters.
pub struct Limits {
    config: LimitConfig,
    failures: Rate,
    notifications: Rate,
    sends: Rate,
    new_users: NewUsers,
    streams: Slots,
    polls: Slots,
}

impl Limits {
    /// Starts all counters at zero.
    pub fn new(config: LimitConfig) -> Self {
        let minute = Duration::from_mins(1);
        Self {
            failures: Rate::new(config.failures_per_address, minute),
            notifications: Rate::new(config.notifications_per_token, Duration::from_secs(1)),
            sends: Rate::new(config.sends_per_user, minute),
            new_users: NewUsers::new(config.new_users_per_tenant),
            streams: Slots::new(),
            polls: Slots::new(),
            config,
        }
    }

    /// Returns the address of the client of a request.
    pub fn client(&self, parts: &Parts) -> IpAddr {
        self.config.trusted_proxies.client(&parts.extensions, &parts.headers)
    }

    /// Counts refused credentials. Returns the refusal, or 429 if the address had too many of them.
    ///
    /// Valid credentials are never refused for the failures of others: a whole factory can share one address.
    /// Expired tokens do not count, since all tokens expire; nor do tokens that only the configuration
    /// refuses.
    pub fn refused(&self, client: IpAddr, refusal: Error) -> Error {
        if matches!(refusal.code(), "token_expired" | "sso_disabled") {
            return refusal;
        }
        let most = self.config.failures_per_address;
        match self.failures.take(address::counted(client)) {
            Ok(()) => refusal,
            Err(retry_after) => Error::Limited {
                detail: format!(
                    "too many requests with wrong credentials come from this address, at most {most} a minute are \
                     answered: sign in again, or check the token that is configured"
                )
                .into(),
                retry_after,
            },
        }
    }

    /// Counts a notification of a service token.
    pub fn notification(&self, satellite: &Satellite) -> Result<()> {
        let most = self.config.notifications_per_token;
        self.notifications.take((satellite.tenant, &satellite.token)).map_err(|retry_after| Error::Limited {
            detail: format!("this service token sends too much: at most {most} notifications a second")
                .into(),
            retry_after,
        })
    }

    /// Counts a message, a file, a new room or an invitation of a user.
    pub fn send(&self, caller: &Caller) -> Result<()> {
        let most = self.config.sends_per_user;
        self.sends.take((caller.user.tenant(), caller.user.id())).map_err(|retry_after| Error::Limited {
            detail: format!(
                "you send too much: at most {most} messages, files, new rooms and invitations a minute"
            )
            .into(),
            retry_after,
        })
    }

    /// Takes a slot for a stream of a user.
    pub fn stream(&self, caller: &Caller) -> Result<Slot> {
        let most = self.config.streams_per_user;
        slot(&self.streams, caller, most, "streams are open for you", "close one that is not needed")
    }

    /// Takes a slot for a waiting poll of a user.
    pub fn waiting_poll(&self, caller: &Caller) -> Result<Slot> {
        let most = self.config.polls_per_user;
        slot(&self.polls, caller, most, "polls wait for you", "let each reader ask once at a time")
    }
}

fn slot(slots: &Slots, caller: &Caller, most: u32, which: &str, mend: &str) -> Result<Slot> {
    slots.take((caller.user.tenant(), caller.user.id()), most).ok_or_else(|| Error::Limited {
        detail: format!("too many {which}: at most {most} at once, so {mend}").into(),
        retry_after: SLOT_PAUSE,
    })
}
