//! Creates Matrix accounts of users, and checks that this service owns them.
//!
//! A foreign account has the localpart of a user and was created by another party, who reads everything that
//! is sent to it. It is never used. Its Hub user still reads and receives notifications; calls that need the
//! account are refused ([`TAKEN`](crate::domain::room::TAKEN)) until it is removed or the user has another
//! localpart.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{
        error::{Error, Result},
        id::{HubUserId, MatrixUserId, TenantId},
        lease::Lease,
        matrix_ids::MatrixIds,
        room::check_account,
        user::{Account, User},
    },
    port::{self, Ports},
};

/// The engine that creates and checks accounts.
pub struct Accounts {
    users: Arc<dyn port::Users>,
    calls: Arc<dyn port::Accounts>,
    ids: Arc<MatrixIds>,
}

/// The time after which a foreign account is checked again.
const FOREIGN_RETRY: Duration = Duration::from_mins(10);

impl Accounts {
    pub(crate) fn new(ports: &Ports, ids: &Arc<MatrixIds>) -> Self {
        Self { users: ports.users.clone(), calls: ports.accounts.clone(), ids: ids.clone() }
    }

    /// Returns a user of the tenant. Their Matrix account exists afterwards.
    pub(crate) async fn ensure(&self, tenant: TenantId, user: &HubUserId) -> Result<User> {
        let user = self.users.find(tenant, user).await?.ok_or(Error::NotFound("user"))?;
        if !user.provisioned {
            check_account(&user, &self.ids.of(&user))?;
            self.prepare(&user).await?;
        }
        Ok(user)
    }

    /// Ensures that a user's account exists, is owned by this service, and has the user's display name.
    pub(crate) async fn prepare(&self, user: &User) -> Result<()> {
        let id = self.ids.of(user);
        if user.account != Account::Ours {
            self.record_account(user, &id).await?;
        }
        self.calls.ensure_user(&id, &user.display_name).await
    }

    /// Claims an account on the homeserver, and stores its owner before the account is used.
    async fn record_account(&self, user: &User, id: &MatrixUserId) -> Result<()> {
        let owner = if self.calls.claim_account(id).await? { Account::Ours } else { Account::Foreign };
        let Lease::Held(account) = self.users.record_account(user, owner, FOREIGN_RETRY).await? else {
            // The user has another localpart by now, whose account is due.
            return Err(Error::Busy { retry_after: Duration::from_secs(1) });
        };
        if account == Account::Foreign && user.account != Account::Foreign {
            tracing::error!(
                user = %user.id(),
                account = %id,
                "Matrix account was not made by this service: it is not used"
            );
        }
        check_account(&User { account, ..user.clone() }, id)
    }
}
