//! The port of external access: users with a password for other Matrix clients.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    admin::{Administrator, ExpectedVersions},
    error::Result,
    external::{Access, Sealed},
    id::{HubUserId, TenantId},
    lease::Lease,
    user::User,
};

/// The users with external access, and their sealed passwords.
///
/// Each change increments the generation of the access. A caller that has set a password on the homeserver
/// reports its generation with [`applied`](Self::applied), and learns whether it is still the current one.
#[async_trait]
pub trait ExternalAccess: Send + Sync {
    /// Returns the access of a user; `None` if they have none.
    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<Access>>;

    /// Returns at most `limit` users with access, of all tenants, by id, beginning after `after`.
    async fn allowed(&self, after: Option<&HubUserId>, limit: i64) -> Result<Vec<User>>;

    /// Gives a user of the administered tenant access. Repeating it changes nothing. An adapter with an audit
    /// log appends the act, if it changes something.
    ///
    /// # Errors
    /// `not_found` if the tenant has no such user, and `version_mismatch`.
    async fn enable(&self, by: &Administrator, user: &HubUserId, expected: &ExpectedVersions) -> Result<()>;

    /// Withdraws the access: deletes the password, and makes the logout of the user's devices due. Repeating
    /// it makes the logout due again. Returns the new generation. An adapter with an audit log appends the
    /// act, if it changes something.
    ///
    /// # Errors
    /// `not_found` if the tenant has no such user, and `version_mismatch`.
    async fn disable(&self, by: &Administrator, user: &HubUserId, expected: &ExpectedVersions)
    -> Result<i64>;

    /// Stores a new password, and returns its generation. The access is lost if its generation is no longer
    /// `generation`, because another caller changed it first, if the user has none, or while a claimed logout
    /// is carried out, which would void the password.
    async fn store(&self, user: &HubUserId, generation: i64, password: &Sealed) -> Result<Lease<i64>>;

    /// Stores that the homeserver has the password of this generation, and cancels a due logout. The access
    /// is lost if its generation is another one by now, or if the user has none.
    async fn applied(&self, user: &HubUserId, generation: i64) -> Result<Lease<()>>;

    /// Claims at most `limit` users whose devices are due to be logged out, each with the generation. No
    /// other claim returns them until the lease ends.
    async fn claim_revocations(&self, lease: Duration, limit: i64) -> Result<Vec<(User, i64)>>;

    /// Claims the logout of the devices of this user, whether it is due now or after a delay. Returns the
    /// generation; `None` if there is nothing to log out. A lost claim means that another caller logs them out
    /// now.
    async fn claim_revocation(&self, user: &HubUserId, lease: Duration) -> Result<Option<Lease<i64>>>;

    /// Stores the result of a logout, and ends the lease. With `done` false, the logout is due again after a
    /// delay that grows with each failure.
    ///
    /// If the stored generation is another one by now, its password counts as not applied, because the logout
    /// has replaced it on the homeserver.
    async fn revoked(&self, user: &HubUserId, generation: i64, done: bool) -> Result<()>;
}
