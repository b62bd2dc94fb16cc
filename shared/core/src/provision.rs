//! How a user gets a Matrix account and the tenant's general room. It happens after sign-in, by the worker, so that a
//! homeserver that is away never keeps anybody out; whoever needs the account at once makes it ready themselves.

use std::time::Duration;

use crate::{
    Error, Hub, Result,
    id::{HubUserId, TenantId},
    room::{RoomKey, RoomKind},
    user::User,
};

/// How long one worker may take for an account before another may try.
const LEASE: Duration = Duration::from_mins(1);
/// How many accounts a worker takes at once.
const BATCH: usize = 8;

impl Hub {
    /// Provisions users whose account is due. Returns how many it took.
    pub async fn provision_due(&self) -> Result<usize> {
        let due = self.claim_accounts(BATCH).await?;
        let results = futures::future::join_all(due.iter().map(|user| self.provision_claimed(user))).await;
        results.into_iter().collect::<Result<()>>()?;
        Ok(due.len())
    }

    /// Claims at most so many users whose account is due, fairly between tenants.
    pub async fn claim_accounts(&self, most: usize) -> Result<Vec<User>> {
        self.users.claim_due(LEASE, i64::try_from(most).unwrap_or(i64::MAX)).await
    }

    /// Provisions a claimed user; if the homeserver fails, the account is due again later. An error leaves it to the end
    /// of its lease.
    pub async fn provision_claimed(&self, user: &User) -> Result<()> {
        let Err(error) = self.provision(user).await else { return Ok(()) };
        tracing::warn!(user = %user.id(), error = &error as &dyn std::error::Error, "provisioning is postponed");
        self.users.postpone(user.id()).await
    }

    /// Makes a user's account and general room ready. Idempotent.
    pub(crate) async fn provision(&self, user: &User) -> Result<()> {
        self.homeserver.ensure_user(&self.matrix_id(user), &user.identity.display_name).await?;
        let general = RoomKey { tenant: user.tenant(), kind: RoomKind::General };
        let room = self.room(&general).await?;
        self.join(&general, &room, user).await?;
        self.users.provisioned(user).await
    }

    /// A user of the tenant whose Matrix account exists.
    pub(crate) async fn provisioned_account(&self, tenant: TenantId, user: &HubUserId) -> Result<User> {
        let user = self.users.find(tenant, user).await?.ok_or(Error::NotFound("user"))?;
        if !user.provisioned {
            self.homeserver.ensure_user(&self.matrix_id(&user), &user.identity.display_name).await?;
        }
        Ok(user)
    }
}
