//! External access: the stored password, and the credentials for another Matrix client.

use std::fmt;

use serde::Serialize;

use crate::domain::id::MatrixUserId;

/// A secret that only its [`Vault`](crate::port::Vault) can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// With which key.
    pub key_id: String,
    /// What is stored.
    pub bytes: Vec<u8>,
}

/// What is stored of a user who has access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Grows with each change.
    pub generation: i64,
    /// Their password, if they have asked for it.
    pub password: Option<Sealed>,
    /// Whether the homeserver knows it.
    pub applied: bool,
}

/// What a user enters into another Matrix client.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ExternalClient {
    /// The homeserver's address.
    pub homeserver: String,
    /// Their Matrix id.
    pub user_id: MatrixUserId,
    /// Its localpart.
    pub username: String,
    /// Their password.
    pub password: String,
}

/// What has become of a withdrawn access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawal {
    /// All external devices are logged out.
    Done,
    /// The homeserver is away: the worker goes on with it.
    Pending,
}

/// Never shows the password.
impl fmt::Debug for ExternalClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalClient").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}
