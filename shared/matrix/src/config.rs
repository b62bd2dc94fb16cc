//! What operators decide about the homeserver.

use std::fmt;

/// Where the homeserver is and who we are there.
#[derive(Clone, PartialEq, Eq)]
pub struct HomeserverConfig {
    /// Its address, such as `http://127.0.0.1:8008`.
    pub homeserver_url: String,
    /// Its `server_name`: the part of Matrix ids after the colon.
    pub server_name: String,
    /// The secret by which it knows us.
    pub as_token: String,
    /// The key of the marks by which it recognises accounts that it made. With another key only those are recognised that
    /// the database knows.
    pub account_key: String,
    /// The localpart of the bot.
    pub bot_localpart: String,
    /// The bot's name, as people see it.
    pub bot_display_name: String,
}

/// Never shows the token.
impl fmt::Debug for HomeserverConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("homeserver_url", &self.homeserver_url)
            .field("server_name", &self.server_name)
            .field("bot_localpart", &self.bot_localpart)
            .field("bot_display_name", &self.bot_display_name)
            .finish_non_exhaustive()
    }
}
