//! How a user gets a Matrix account and the tenant's general room. It happens after sign-in, by the worker, so that a
//! homeserver that is away never keeps anybody out; whoever needs the account at once makes it ready themselves.
//!
//! An account that this service did not make is never used, since its maker reads everything that is sent to it. The Hub
//! user of the same name reads and is notified as ever. Calls that need the account are refused ([`TAKEN`]) until it is gone
//! or the user has another one.

use std::time::Duration;

use crate::{
    Error, Messenger, Result,
    error::{Failure, Refusal},
    id::{HubUserId, MatrixUserId, TenantId},
    room::{RoomKey, RoomKind},
    user::{Account, User},
};

/// The code of a refusal because of an account that somebody else made.
pub const TAKEN: &str = "matrix_account_taken";
/// How long one worker may take for an account before another may try.
const LEASE: Duration = Duration::from_mins(1);
/// The time after which an account that was found to be taken is tried again.
const LOOK_AGAIN: Duration = Duration::from_mins(10);
/// The most accounts that a worker claims at once.
const BATCH: usize = 8;

impl Messenger {
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
        if is_account_taken(&error) {
            return Ok(()); // logged, and due again already
        }
        // An account that the homeserver refuses is told of once, not with each attempt.
        if error.refusal().is_none() || self.refused.get(user.id()).is_none() {
            tracing::warn!(user = %user.id(), error = &error as &dyn std::error::Error, "provisioning is postponed");
        }
        if error.refusal().is_some() {
            self.refused.put(user.id().clone(), ());
        }
        self.users.postpone(user.id()).await
    }

    /// Makes a user's account and general room ready. Idempotent.
    pub(crate) async fn provision(&self, user: &User) -> Result<()> {
        self.account_of(user).await?;
        let general = RoomKey { tenant: user.tenant(), kind: RoomKind::General };
        let room = self.room(&general).await?;
        match self.join(&general, &room, user).await {
            // Somebody banned them from it: they can use everything else.
            Err(error) if error.refusal() == Some(Refusal::Forbidden) => {
                let error: &dyn std::error::Error = &error;
                tracing::info!(user = %user.id(), %room, error, "a user is kept out of the room of everybody");
            }
            joined => joined?,
        }
        self.take_invitations(user).await?;
        self.users.provisioned(user).await
    }

    /// Accepts the invitations that other clients sent before there was an account: as everywhere here, who is invited is
    /// in. Only those who may use other clients can have sent one.
    async fn take_invitations(&self, user: &User) -> Result<()> {
        if self.inviting.get(user.id()).is_some() || self.external_access.allowed(None, 1).await?.is_empty() {
            return Ok(());
        }
        // Opening a chat of theirs provisions them in turn.
        self.inviting.put(user.id().clone(), ());
        let taken = self.take_each_invitation(user).await;
        self.inviting.remove(user.id());
        taken
    }

    async fn take_each_invitation(&self, user: &User) -> Result<()> {
        let id = self.matrix_id(user);
        for (room, inviter) in self.room_state.invitations(&id).await? {
            let taken = match self.rooms.tenant_of(&room).await? {
                Some(tenant) if tenant == user.tenant() => match self.comes_in(&room, &id).await {
                    Ok(true) => self.memberships.add(tenant, &room, user.id()).await,
                    Ok(false) => Ok(()),
                    Err(error) => Err(error),
                },
                Some(_) => Ok(()),
                None => Box::pin(self.adopt_from(&room, &inviter)).await.map(drop),
            };
            match taken {
                // A room over which the homeserver fails keeps nobody out of the others.
                Err(error) if matches!(error.failure(), Some(Failure::Broken | Failure::Rejected)) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(user = %user.id(), %room, error, "an invitation cannot be accepted");
                }
                taken => taken?,
            }
        }
        Ok(())
    }

    /// A user of the tenant whose Matrix account exists.
    pub(crate) async fn provisioned_account(&self, tenant: TenantId, user: &HubUserId) -> Result<User> {
        let user = self.users.find(tenant, user).await?.ok_or(Error::NotFound("user"))?;
        if !user.provisioned {
            check_account(&user, &self.matrix_id(&user))?;
            self.account_of(&user).await?;
        }
        Ok(user)
    }

    /// The account exists, is ours, and has the user's name.
    async fn account_of(&self, user: &User) -> Result<()> {
        let id = self.matrix_id(user);
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

/// Refuses a user whose account somebody else made.
pub(crate) fn check_account(user: &User, id: &MatrixUserId) -> Result<()> {
    if user.account != Account::Foreign {
        return Ok(());
    }
    let detail = format!(
        "the Matrix account {id} of `{}` was made by somebody else and is not used: ask an administrator to remove it, or \
         to add its name to MATRIX_RESERVED_LOCALPARTS",
        user.id()
    );
    Err(Error::Conflict { code: TAKEN, detail: detail.into(), retry_after: None })
}

pub(crate) fn is_account_taken(error: &Error) -> bool {
    error.code() == TAKEN
}
