//! The operator's configuration of the homeserver.

use std::fmt;

/// The address of the homeserver, and the identity of this service on it.
#[derive(Clone, PartialEq, Eq)]
pub struct HomeserverConfig {
    /// Its address, such as `http://127.0.0.1:8008`.
    pub homeserver_url: String,
    /// Its `server_name`: the part of Matrix ids after the colon.
    pub server_name: String,
    /// The token by which the homeserver authenticates this service.
    pub as_token: String,
    /// The key of the marks on accounts of this service. With another key, only accounts in the database are
    /// recognised.
    pub account_key: String,
    /// The localpart of the bot.
    pub bot_localpart: String,
    /// The bot's display name.
    pub bot_display_name: String,
}

/// Hides the token and the key.
impl fmt::Debug for HomeserverConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HomeserverConfig")
            .field("homeserver_url", &self.homeserver_url)
            .field("server_name", &self.server_name)
            .field("bot_localpart", &self.bot_localpart)
            .field("bot_display_name", &self.bot_display_name)
            .finish_non_exhaustive()
    }
}

/// The administrator account of the homeserver. On Conduit it is the first user: this service registers it on
/// a new one.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminAccount {
    /// Its localpart, such as `hubadmin`; not that of the bot.
    pub localpart: String,
    /// Its password. Keep it: a change of the registration needs it again.
    pub password: String,
}

/// Hides the password.
impl fmt::Debug for AdminAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminAccount").field("localpart", &self.localpart).finish_non_exhaustive()
    }
}
