//! The port of the stored users.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{HubUserId, TenantId},
    lease::Lease,
    user::{Account, Identity, User, UserQuery, UserSummary},
};

/// The users, and the queue of users whose Matrix account is to be provisioned (is *due*).
#[async_trait]
pub trait Users: Send + Sync {
    /// Stores the identity of a token, and returns the stored user.
    ///
    /// A stored identity that [outranks](Identity::outranks) the token stays unchanged. The returned user may
    /// then belong to another tenant than the token. In one transaction:
    ///
    /// * The display name follows that of the token, unless an administrator of the tenant gave another one.
    /// * A new user, a changed display name and a changed tenant make the account due.
    /// * A new user and a changed tenant release the direct messages that are held for the user.
    /// * A changed tenant or role appends a live event for the user.
    ///
    /// `localpart` is stored for a new user. It replaces the stored localpart only until this service is
    /// known to have created the account.
    async fn sign_in(&self, identity: &Identity, localpart: &str) -> Result<User>;

    /// Returns a user of this tenant; `None` if the tenant has no such user.
    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<User>>;

    /// Returns a user of any tenant; `None` if the user has never signed in.
    async fn in_any_tenant(&self, user: &HubUserId) -> Result<Option<User>>;

    /// Returns the users with these Matrix localparts. A user whose account this service did not create is
    /// left out.
    async fn with_localparts(&self, localparts: &[String]) -> Result<Vec<User>>;

    /// Returns users of a tenant: first those whose name begins with the text, by name; then those whose id
    /// begins with it, by id; then those whose name or id contains it elsewhere, by name.
    async fn search(&self, tenant: TenantId, query: &UserQuery) -> Result<Vec<UserSummary>>;

    /// Claims at most `limit` users whose account is due. No other claim returns them until the lease ends.
    ///
    /// The order is fair between tenants and within a tenant: the newest and the oldest due account of each
    /// tenant come first, then the second newest and the second oldest, and so on.
    async fn claim_due(&self, lease: Duration, limit: i64) -> Result<Vec<User>>;

    /// Marks the account as provisioned for `user`, as returned by [`claim_due`](Self::claim_due), and ends
    /// the lease. If the stored tenant or name has changed since, the account stays due.
    async fn provisioned(&self, user: &User) -> Result<()>;

    /// Ends the lease after a failure. The account is due again after a delay that grows with each failure.
    async fn postpone(&self, user: &HubUserId) -> Result<()>;

    /// Stores the state of the account with the localpart of `user`, and returns the state that is stored
    /// then.
    ///
    /// [`Account::Ours`] is never overwritten. [`Account::Foreign`] makes the account due again after
    /// `look_again`. The account is lost if the user has another localpart by now.
    async fn record_account(
        &self,
        user: &User,
        account: Account,
        look_again: Duration,
    ) -> Result<Lease<Account>>;

    /// Returns whether users are read from a copy, which may be older than a token. `false` for the database.
    fn may_lag(&self) -> bool {
        false
    }

    /// Registers a watcher of changes that any process makes to users. It is dropped with its last `Arc`.
    fn watch(&self, watcher: Arc<dyn UserWatcher>);
}

/// A receiver of changes of users. A single change may be lost.
pub trait UserWatcher: Send + Sync {
    /// Reports that the stored user has changed.
    fn changed(&self, user: &HubUserId, localpart: &str);

    /// Reports whether changes are signalled from now on. Changes before a `true` may have been missed.
    fn listening(&self, is_listening: bool);
}
