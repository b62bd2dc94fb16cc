//! The Matrix ids of this service's users and of its bot.

use crate::domain::{
    id::{self, HubUserId, MatrixUserId},
    name,
    settings::MessengerSettings,
    user::{Identity, User},
};

/// Localparts that no user gets, beside the bot's and those of the settings: Conduit's own accounts, and the
/// administrator that this service creates.
const RESERVED: [&str; 3] = ["conduit", "server", "hubadmin"];

/// Matrix ids on this service's homeserver, derived from the settings.
#[derive(Debug)]
pub struct MatrixIds {
    server_name: String,
    bot_localpart: String,
    bot_display_name: String,
    reserved: Vec<String>,
}

impl MatrixIds {
    /// Takes the names from the settings.
    pub fn new(settings: &MessengerSettings) -> Self {
        Self {
            server_name: settings.server_name.clone(),
            bot_localpart: settings.bot_localpart.clone(),
            bot_display_name: settings.bot_display_name.clone(),
            reserved: settings.reserved_localparts.clone(),
        }
    }

    /// Returns the Matrix id of a user.
    pub fn of(&self, user: &User) -> MatrixUserId {
        self.of_localpart(&user.localpart)
    }

    /// Returns the Matrix id of a localpart on the homeserver.
    pub fn of_localpart(&self, localpart: &str) -> MatrixUserId {
        MatrixUserId::new(format!("@{localpart}:{}", self.server_name))
    }

    /// Returns the Matrix id of the bot.
    pub fn bot(&self) -> MatrixUserId {
        self.of_localpart(&self.bot_localpart)
    }

    /// Returns the display name of the bot.
    pub(crate) fn bot_display_name(&self) -> &str {
        &self.bot_display_name
    }

    /// Returns the `server_name` of the homeserver.
    pub(crate) fn server_name(&self) -> &str {
        &self.server_name
    }

    /// Returns the localpart of an id on this homeserver; `None` for an id of another homeserver.
    pub(crate) fn localpart<'i>(&self, id: &'i MatrixUserId) -> Option<&'i str> {
        id.localpart(&self.server_name)
    }

    /// Returns the localpart of a user's id; `None` for the bot and for an id of another homeserver.
    pub(crate) fn user_localpart<'i>(&self, id: &'i MatrixUserId) -> Option<&'i str> {
        self.localpart(id).filter(|localpart| *localpart != self.bot_localpart)
    }

    /// Parses `@localpart:server` and returns the localpart; `None` if it is no id on this homeserver.
    pub(crate) fn localpart_in<'n>(&self, name: &'n str) -> Option<&'n str> {
        let (localpart, server) = name.strip_prefix('@')?.split_once(':')?;
        (server == self.server_name).then_some(localpart)
    }

    /// Returns the localpart for the account of a user who has none yet.
    pub(crate) fn new_localpart(&self, user: &HubUserId) -> String {
        let configured = self.reserved.iter().map(String::as_str);
        let reserved: Vec<_> =
            RESERVED.into_iter().chain([self.bot_localpart.as_str()]).chain(configured).collect();
        id::localpart(user, &reserved)
    }

    /// Returns whether readers could mistake a display name for the bot's name, localpart or Matrix id.
    pub(crate) fn is_like_bot(&self, display_name: &str) -> bool {
        let bot = self.bot();
        let names = [&self.bot_display_name, &self.bot_localpart, bot.as_str()];
        names.into_iter().any(|name| name::is_like(name, display_name))
    }

    /// Appends the user id to a display name that readers could mistake for the bot's name, localpart or
    /// Matrix id.
    pub(crate) fn distinguish_from_bot(&self, identity: Identity) -> Identity {
        if !self.is_like_bot(&identity.display_name) {
            return identity;
        }
        let id = name::legible(identity.hub_user_id.as_str());
        Identity { display_name: format!("{} ({id})", identity.display_name), ..identity }
    }
}
