//! Provisions users: gives each a Matrix account and the membership of their tenant's general room.
//!
//! The worker does it after sign-in, so that users can sign in while the homeserver is unreachable. A call
//! that needs the account at once provisions the user itself.

use std::{sync::Arc, time::Duration};

use futures::future;

use crate::{
    app::{accounts::Accounts, room_registry::RoomRegistry},
    domain::{
        error::{Refusal, Result},
        id::{HubUserId, TenantId},
        matrix_ids::MatrixIds,
        room::{RoomKey, RoomKind, account_refused, check_account},
        user::{Caller, User},
    },
    live::cache::Cache,
    port::{self, Ports},
};

/// The time for which a process remembers that it has provisioned a user whom the worker has not marked yet.
const READY_FOR: Duration = Duration::from_secs(10);

/// The engine that provisions users.
pub struct Onboarding {
    users: Arc<dyn port::Users>,
    accounts: Arc<Accounts>,
    registry: Arc<RoomRegistry>,
    ids: Arc<MatrixIds>,
    /// The users that this process has provisioned, each in a tenant.
    ready: Cache<(TenantId, HubUserId), ()>,
}

impl Onboarding {
    pub(crate) fn new(
        ports: &Ports,
        accounts: &Arc<Accounts>,
        registry: &Arc<RoomRegistry>,
        ids: &Arc<MatrixIds>,
    ) -> Self {
        Self {
            users: ports.users.clone(),
            accounts: accounts.clone(),
            registry: registry.clone(),
            ids: ids.clone(),
            ready: Cache::with_ttl(READY_FOR),
        }
    }

    /// Makes the accounts of users ready. A refused account becomes an answer for the caller.
    pub(crate) async fn make_ready(&self, caller: &Caller, users: &[User]) -> Result<()> {
        let results = users.iter().map(|user| async {
            let result = self.make_one_ready(user).await;
            result.map_err(|error| account_refused(Some(caller), user, error))
        });
        future::join_all(results).await.into_iter().collect()
    }

    /// Makes the account of a user ready if the worker has not done so yet. The worker marks the user as
    /// provisioned.
    pub(crate) async fn make_one_ready(&self, user: &User) -> Result<()> {
        if user.provisioned || self.ready.get(&(user.tenant(), user.id().clone())).is_some() {
            return Ok(());
        }
        // The cached user may be some seconds old.
        match self.users.find(user.tenant(), user.id()).await? {
            Some(stored) if !stored.provisioned => {
                check_account(&stored, &self.ids.of(&stored))?;
                self.provision(&stored).await
            }
            _ => Ok(()),
        }
    }

    /// Creates a user's account and joins them to the general room of their tenant. Idempotent.
    pub(crate) async fn provision(&self, user: &User) -> Result<()> {
        self.accounts.prepare(user).await?;
        let general = RoomKey { tenant: user.tenant(), kind: RoomKind::General };
        let room = self.registry.find_or_create(&general).await?;
        match self.registry.join(&general, &room, user).await {
            // A banned user can use all other rooms.
            Err(error) if error.refusal() == Some(Refusal::Forbidden) => {
                let error: &dyn std::error::Error = &error;
                tracing::info!(
                    user = %user.id(),
                    %room,
                    error,
                    "joining the general room was refused: the user is banned"
                );
            }
            joined => joined?,
        }
        self.ready.put((user.tenant(), user.id().clone()), ());
        Ok(())
    }
}
