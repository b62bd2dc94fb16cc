//! Matrix accounts of users: created for them, and never used if somebody else created one of that name.
//!
//! The creator of a foreign account reads everything that is sent to it. The Hub user of the same name reads and is notified
//! as ever; calls that need the account are refused ([`TAKEN`](crate::domain::room::TAKEN)) until it is gone or the user has
//! another one.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{
        error::{Error, Result},
        id::{HubUserId, MatrixUserId, TenantId},
        matrix_ids::MatrixIds,
        room::check_account,
        user::{Account, User},
    },
    port::{self, Ports},
};

/// Creates and checks accounts.
pub struct Accounts {
    users: Arc<dyn port::Users>,
    homeserver: Arc<dyn port::Homeserver>,
    ids: Arc<MatrixIds>,
}

/// The time after which an account that was found to be taken is tried again.
const LOOK_AGAIN: Duration = Duration::from_mins(10);

impl Accounts {
    pub(crate) fn new(ports: &Ports, ids: &Arc<MatrixIds>) -> Self {
        Self { users: ports.users.clone(), homeserver: ports.homeserver.clone(), ids: ids.clone() }
    }

    /// A user of the tenant whose Matrix account exists.
    pub(crate) async fn ensure(&self, tenant: TenantId, user: &HubUserId) -> Result<User> {
        let user = self.users.find(tenant, user).await?.ok_or(Error::NotFound("user"))?;
        if !user.provisioned {
            check_account(&user, &self.ids.of(&user))?;
            self.prepare(&user).await?;
        }
        Ok(user)
    }

    /// The account exists, is ours, and has the user's name.
    pub(crate) async fn prepare(&self, user: &User) -> Result<()> {
        let id = self.ids.of(user);
        if user.account != Account::Ours {
            self.record_account(user, &id).await?;
        }
        self.homeserver.ensure_user(&id, &user.identity.display_name).await
    }

    /// Finds out whose account it is, and stores it before the account is used.
    async fn record_account(&self, user: &User, id: &MatrixUserId) -> Result<()> {
        let found = if self.homeserver.claim_account(id).await? { Account::Ours } else { Account::Foreign };
        // Without one the user has another localpart by now, whose account is due.
        let account = self.users.record_account(user, found, LOOK_AGAIN).await?;
        let account = account.ok_or(Error::Busy { retry_after: Duration::from_secs(1) })?;
        if account == Account::Foreign && user.account != Account::Foreign {
            tracing::error!(user = %user.id(), account = %id, "the Matrix account exists and was not made by this service: it is not used");
        }
        check_account(&User { account, ..user.clone() }, id)
    }
}
