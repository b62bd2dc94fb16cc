//! Provisioning by the worker: onboards the users whose account is due, and accepts their pending
//! invitations.

use std::{sync::Arc, time::Duration};

use crate::{
    app::{onboarding::Onboarding, room_registry::RoomRegistry},
    domain::{
        error::{Failure, Result},
        id::HubUserId,
        matrix_ids::MatrixIds,
        room::is_account_taken,
        user::User,
    },
    live::cache::Cache,
    port::{self, Ports},
    sync::{ingest::Ingest, invitations::Invitations},
};

/// Lease on a user: after this time another worker may provision them.
const LEASE: Duration = Duration::from_mins(1);

/// Most users that a worker claims at once.
const BATCH: usize = 8;
/// Time for which a rejected account is not logged again.
const REJECTED_FOR: Duration = Duration::from_hours(24);

/// The engine that provisions users whose account is due.
pub struct Provisioning {
    users: Arc<dyn port::Users>,
    external_access: Arc<dyn port::ExternalAccess>,
    membership_calls: Arc<dyn port::MembershipCalls>,
    memberships: Arc<dyn port::Memberships>,
    onboarding: Arc<Onboarding>,
    registry: Arc<RoomRegistry>,
    ingest: Arc<Ingest>,
    invitations: Arc<Invitations>,
    ids: Arc<MatrixIds>,
    /// Users whose account the homeserver rejected within the last [`REJECTED_FOR`].
    rejected: Cache<HubUserId, ()>,
}

impl Provisioning {
    pub(crate) fn new(
        ports: &Ports,
        onboarding: &Arc<Onboarding>,
        registry: &Arc<RoomRegistry>,
        ingest: &Arc<Ingest>,
        invitations: &Arc<Invitations>,
        ids: &Arc<MatrixIds>,
    ) -> Self {
        Self {
            users: ports.users.clone(),
            external_access: ports.external_access.clone(),
            membership_calls: ports.membership_calls.clone(),
            memberships: ports.memberships.clone(),
            onboarding: onboarding.clone(),
            registry: registry.clone(),
            ingest: ingest.clone(),
            invitations: invitations.clone(),
            ids: ids.clone(),
            rejected: Cache::with_ttl(REJECTED_FOR),
        }
    }

    /// Prepares a user's account and rooms, and marks the user as provisioned. Idempotent.
    async fn provision(&self, user: &User) -> Result<()> {
        self.onboarding.provision(user).await?;
        self.accept_invitations(user).await?;
        self.users.provisioned(user).await
    }

    /// Provisions users whose account is due. Returns their number.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn provision_due(&self) -> Result<usize> {
        let due = self.claim(BATCH).await?;
        let results = futures::future::join_all(due.iter().map(|user| self.provision_claimed(user))).await;
        results.into_iter().collect::<Result<()>>()?;
        Ok(due.len())
    }

    /// Claims at most `most` users whose account is due, fairly between tenants.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn claim(&self, most: usize) -> Result<Vec<User>> {
        self.users.claim_due(LEASE, i64::try_from(most).unwrap_or(i64::MAX)).await
    }

    /// Provisions a claimed user, or postpones the account if the homeserver fails.
    ///
    /// # Errors
    /// If the database fails. The account is due again after its lease.
    pub async fn provision_claimed(&self, user: &User) -> Result<()> {
        let Err(error) = self.provision(user).await else { return Ok(()) };
        if is_account_taken(&error) {
            return Ok(()); // logged and postponed by onboarding
        }
        // A rejected account is logged once, not with each attempt.
        if error.refusal().is_none() || self.rejected.get(user.id()).is_none() {
            tracing::warn!(user = %user.id(), error = &error as &dyn std::error::Error, "provisioning failed; postponed");
        }
        if error.refusal().is_some() {
            self.rejected.put(user.id().clone(), ());
        }
        self.users.postpone(user.id()).await
    }

    /// Accepts the invitations that other clients sent before the account was ready. Only users who may use
    /// other clients can have sent one.
    async fn accept_invitations(&self, user: &User) -> Result<()> {
        if self.external_access.allowed(None, 1).await?.is_empty() {
            return Ok(());
        }
        self.accept_each_invitation(user).await
    }

    async fn accept_each_invitation(&self, user: &User) -> Result<()> {
        let id = self.ids.of(user);
        for (room, inviter) in self.membership_calls.invitations(&id).await? {
            let result = match self.registry.tenant_of(&room).await? {
                Some(tenant) if tenant == user.tenant() => match self.invitations.accept(&room, &id).await {
                    Ok(true) => self.memberships.add(tenant, &room, user.id()).await,
                    Ok(false) => Ok(()),
                    Err(error) => Err(error),
                },
                Some(_) => Ok(()),
                None => self.ingest.adopt_from(&room, &inviter).await.map(drop),
            };
            match result {
                // A room whose homeserver calls fail must not hold back the user's other rooms.
                Err(error) if matches!(error.failure(), Some(Failure::Broken | Failure::Rejected)) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(user = %user.id(), %room, error, "invitation cannot be accepted");
                }
                result => result?,
            }
        }
        Ok(())
    }
}
