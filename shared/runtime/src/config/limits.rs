//! The variables `LIMIT_…` and `TRUSTED_PROXIES`.

use std::time::Duration;

use crate::limits::{MinimumRate, TrustedProxies};

use super::Env;

/// The largest value of every limit: more than a process can hold.
const MOST: u32 = 1_000_000_000;

/// Limits of one process. In each of them, zero means "off". `docs/limits.md` justifies the defaults.
#[derive(Debug, Clone)]
pub struct LimitConfig {
    /// `LIMIT_FAILURES_PER_ADDRESS`: failed authentications of an address per minute.
    pub failures_per_address: u32,
    /// `LIMIT_NOTIFICATIONS_PER_TOKEN`: notifications of a service token per second.
    pub notifications_per_token: u32,
    /// `LIMIT_SENDS_PER_USER`: messages, uploads, new rooms and invitations of a user per minute.
    pub sends_per_user: u32,
    /// `LIMIT_NEW_USERS_PER_TENANT`: first sign-ins of a tenant per hour.
    pub new_users_per_tenant: u32,
    /// `LIMIT_STREAMS_PER_USER`: streams of a user that are open at once.
    pub streams_per_user: u32,
    /// `LIMIT_POLLS_PER_USER`: polls of a user that wait at once.
    pub polls_per_user: u32,
    /// `LIMIT_CONNECTIONS`: open connections.
    pub connections: u32,
    /// `LIMIT_CONNECTIONS_PER_ADDRESS`: open connections of an address. `None`: three quarters of all that
    /// are possible, for addresses of other machines.
    pub connections_per_address: Option<u32>,
    /// `LIMIT_BODY_SECONDS`: the longest time for which the body of a request may make no progress.
    pub body_silence: Duration,
    /// `LIMIT_BODY_BYTES_PER_SECOND`: the slowest average rate of a body.
    pub body_bytes_per_second: u32,
    /// `LIMIT_WRITE_SECONDS`: the longest time for which a client may read nothing of an answer.
    pub write_silence: Duration,
    /// `TRUSTED_PROXIES`: the proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: TrustedProxies,
}

impl LimitConfig {
    pub(super) fn read(env: &mut Env<'_>) -> Self {
        let per_address = env.optional("LIMIT_CONNECTIONS_PER_ADDRESS");
        Self {
            failures_per_address: env.number("LIMIT_FAILURES_PER_ADDRESS", 1200, 0, MOST),
            notifications_per_token: env.number("LIMIT_NOTIFICATIONS_PER_TOKEN", 0, 0, MOST),
            sends_per_user: env.number("LIMIT_SENDS_PER_USER", 1200, 0, MOST),
            new_users_per_tenant: env.number("LIMIT_NEW_USERS_PER_TENANT", 20_000, 0, MOST),
            streams_per_user: env.number("LIMIT_STREAMS_PER_USER", 250, 0, MOST),
            polls_per_user: env.number("LIMIT_POLLS_PER_USER", 100, 0, MOST),
            connections: env.number("LIMIT_CONNECTIONS", 0, 0, MOST),
            connections_per_address: per_address
                .map(|_| env.number("LIMIT_CONNECTIONS_PER_ADDRESS", 0, 0, MOST)),
            body_silence: env.whole_seconds("LIMIT_BODY_SECONDS", 20),
            body_bytes_per_second: env.number("LIMIT_BODY_BYTES_PER_SECOND", 1000, 0, MOST),
            write_silence: env.whole_seconds("LIMIT_WRITE_SECONDS", 120),
            trusted_proxies: env.trusted_proxies(),
        }
    }

    /// Returns the minimum rate of a request's body.
    pub fn minimum_rate(&self) -> MinimumRate {
        MinimumRate { silence: self.body_silence, bytes_per_second: self.body_bytes_per_second }
    }
}

impl Env<'_> {
    fn whole_seconds(&mut self, name: &str, default: u32) -> Duration {
        Duration::from_secs(self.number(name, default, 0, 86_400).into())
    }

    fn trusted_proxies(&mut self) -> TrustedProxies {
        let list = self.optional("TRUSTED_PROXIES").unwrap_or_default();
        TrustedProxies::parse(&list).unwrap_or_else(|wrong| {
            self.problems.push(format!(
                "TRUSTED_PROXIES has `{wrong}`, must have addresses like 10.0.0.7 or networks like 10.0.0.0/24"
            ));
            TrustedProxies::default()
        })
    }
}
