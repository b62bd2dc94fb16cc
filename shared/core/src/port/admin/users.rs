//! The port of the administration of users.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    admin::{Administrator, ExpectedVersions, UserRecord, UserRecordQuery},
    error::Result,
    id::{HubUserId, TenantId},
};

/// A display name that an administrator gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenName {
    /// The name.
    pub display_name: String,
    /// The same, [folded](crate::name::fold) for search.
    pub search_name: String,
}

/// The users as administrators see and change them. An act and its entry in the audit log are stored
/// together; an act that changes nothing has no entry.
///
/// Acts fail with `not_found` if the administered tenant has no such user, and with `version_mismatch` if the
/// user has none of the expected versions.
#[async_trait]
pub trait AdminUsers: Send + Sync {
    /// Returns users of a tenant by name, at most `limit`.
    async fn list(&self, tenant: TenantId, query: &UserRecordQuery) -> Result<Vec<UserRecord>>;

    /// Returns a user of this tenant; `None` if the tenant has no such user.
    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<UserRecord>>;

    /// Gives a user another display name, or with `None` that of the Hub. A changed name makes the account
    /// due.
    async fn rename(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
        name: Option<&GivenName>,
    ) -> Result<UserRecord>;

    /// Logs a user out. In one transaction:
    ///
    /// * Tokens of this service that were issued until `at` become void.
    /// * A live event ends the user's event streams.
    /// * If the user may use other Matrix clients, the password becomes void and the logout of all devices
    ///   due. The generation of that revocation is returned as well.
    async fn log_out(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
        at: Timestamp,
    ) -> Result<(UserRecord, Option<i64>)>;

    /// Stores that these users have called now. Returns those for whom it is stored: a user who is being
    /// changed is left out.
    async fn seen(&self, users: &[HubUserId]) -> Result<Vec<HubUserId>>;
}
