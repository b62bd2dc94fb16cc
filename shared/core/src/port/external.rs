//! The ports of external access: accounts with a password, for Matrix clients beside ours.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    external::{Access, Sealed},
    id::{HubUserId, MatrixUserId, TenantId},
    user::User,
};

/// Who may use other Matrix clients, and their passwords.
///
/// Each change makes another generation. Whoever has told the homeserver a password asks afterwards whether it still is
/// the one.
#[async_trait]
pub trait ExternalAccess: Send + Sync {
    /// What is stored of a user; `None` if they have no access.
    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<Access>>;

    /// Users of all tenants who have access, ordered by id, after this one.
    async fn allowed(&self, after: Option<&HubUserId>, limit: i64) -> Result<Vec<User>>;

    /// The user may use other clients. Again is no change. `false`: the tenant has no such user.
    async fn enable(&self, tenant: TenantId, user: &HubUserId) -> Result<bool>;

    /// The user may not any longer: their password is forgotten, and their devices are due to be logged out. Again makes
    /// that due again. Returns the generation of this; `None`: the tenant has no such user.
    async fn disable(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<i64>>;

    /// Stores another password, if the stored generation still is this one. Returns the new generation; `None` if
    /// somebody else was quicker.
    async fn store(&self, user: &HubUserId, generation: i64, password: &Sealed) -> Result<Option<i64>>;

    /// The homeserver knows the password of this generation. `false`: there is another generation, or no access.
    async fn applied(&self, user: &HubUserId, generation: i64) -> Result<bool>;

    /// Claims users whose devices are to be logged out, with the generation. Nobody else gets them for the time of the
    /// lease.
    async fn claim_revocations(&self, lease: Duration, limit: i64) -> Result<Vec<(User, i64)>>;

    /// The devices are logged out, or could not be: then it is due again after a delay that grows with each failure. If
    /// there is another generation by now, its password counts as not told.
    async fn revoked(&self, user: &HubUserId, generation: i64, done: bool) -> Result<()>;
}

/// The accounts on the homeserver, as somebody else's clients use them.
#[async_trait]
pub trait ExternalAccounts: Send + Sync {
    /// The account has this password; all its devices but ours are logged out.
    async fn set_password(&self, user: &MatrixUserId, password: &str) -> Result<()>;

    /// Nobody knows the account's password any more; all its devices but ours are logged out.
    async fn revoke(&self, user: &MatrixUserId) -> Result<()>;
}

/// Keeps secrets that have to be shown again: sealed, they are of use only to us.
pub trait Vault: Send + Sync {
    /// Makes a password that nobody can guess.
    fn password(&self) -> Result<String>;

    /// Seals a secret of a user.
    fn seal(&self, user: &HubUserId, secret: &str) -> Result<Sealed>;

    /// Opens it again, for the same user. `None`: it was sealed with a key that we do not have any more, or is no secret
    /// of this user.
    fn open(&self, user: &HubUserId, sealed: &Sealed) -> Option<String>;
}
