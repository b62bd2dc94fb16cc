//! External access: the stored password, and the credentials for another Matrix client.

use std::fmt;

use crate::domain::id::MatrixUserId;

/// An encrypted secret, which only the [`Vault`](crate::port::Vault) can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the key that encrypted it.
    pub key_id: String,
    /// The encrypted bytes.
    pub bytes: Vec<u8>,
}

/// The stored external access of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The generation, which each change increments.
    pub generation: i64,
    /// The password; `None` until the user asks for it.
    pub password: Option<Sealed>,
    /// Whether the homeserver has this password.
    pub applied: bool,
}

/// The credentials that a user enters into another Matrix client.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalClient {
    /// The homeserver's address.
    pub homeserver: String,
    /// The user's Matrix id.
    pub user_id: MatrixUserId,
    /// The localpart of that id.
    pub username: String,
    /// The password.
    pub password: String,
}

/// The progress of a withdrawn access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawal {
    /// All external devices are logged out.
    Done,
    /// The homeserver cannot be reached. The worker repeats the logout.
    Pending,
}

/// Omits the password.
impl fmt::Debug for ExternalClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalClient").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}
