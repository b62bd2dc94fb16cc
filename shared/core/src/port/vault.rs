//! The port of the vault.

use crate::domain::{error::Result, external::Sealed, id::HubUserId};

/// The vault: encrypts secrets that must be shown again later.
pub trait Vault: Send + Sync {
    /// Returns a new random password.
    fn password(&self) -> Result<String>;

    /// Encrypts a secret of a user.
    fn seal(&self, user: &HubUserId, secret: &str) -> Result<Sealed>;

    /// Decrypts a secret of the same user. Returns `None` if its key is no longer configured, or if it is no
    /// secret of this user.
    fn open(&self, user: &HubUserId, sealed: &Sealed) -> Option<String>;
}
