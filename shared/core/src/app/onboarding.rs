//! Onboarding: gives a user a Matrix account and the general room of their tenant.
//!
//! The worker does it after sign-in, so a homeserver that is away keeps nobody out; a call that needs the account at once does
//! it itself.

use std::{sync::Arc, time::Duration};

use futures::future;

use crate::{
    app::{accounts::Accounts, room_registry::RoomRegistry},
    domain::{
        error::{Refusal, Result},
        id::HubUserId,
        matrix_ids::MatrixIds,
        room::{RoomKey, RoomKind, account_refused, check_account},
        user::{Caller, User},
    },
    live::cache::Cache,
    port::{self, Ports},
};

/// Time for which a process knows that it has onboarded a user, whom the worker has not marked yet.
const READY_FOR: Duration = Duration::from_secs(10);

/// Provisions users.
pub struct Onboarding {
    users: Arc<dyn port::Users>,
    accounts: Arc<Accounts>,
    registry: Arc<RoomRegistry>,
    ids: Arc<MatrixIds>,
    ready: Cache<HubUserId, ()>,
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

    /// Their Matrix accounts exist, whatever the worker has come to.
    pub(crate) async fn make_ready(&self, caller: &Caller, users: &[User]) -> Result<()> {
        let waiting = users.iter().map(|user| async {
            let ready = self.make_one_ready(user).await;
            ready.map_err(|error| account_refused(Some(caller), user, error))
        });
        future::join_all(waiting).await.into_iter().collect()
    }

    /// Makes the account of a user ready, if the worker has not done so yet. The worker marks them as provisioned.
    pub(crate) async fn make_one_ready(&self, user: &User) -> Result<()> {
        if user.provisioned || self.ready.get(user.id()).is_some() {
            return Ok(());
        }
        // What this process remembers of a user may be some seconds old.
        match self.users.find(user.tenant(), user.id()).await? {
            Some(now) if !now.provisioned => {
                check_account(&now, &self.ids.of(&now))?;
                self.provision(&now).await
            }
            _ => Ok(()),
        }
    }

    /// Makes a user's account and the general room of their tenant ready. Idempotent.
    pub(crate) async fn provision(&self, user: &User) -> Result<()> {
        self.accounts.prepare(user).await?;
        let general = RoomKey { tenant: user.tenant(), kind: RoomKind::General };
        let room = self.registry.find_or_create(&general).await?;
        match self.registry.join(&general, &room, user).await {
            // Somebody banned them from it: they can use everything else.
            Err(error) if error.refusal() == Some(Refusal::Forbidden) => {
                let error: &dyn std::error::Error = &error;
                tracing::info!(user = %user.id(), %room, error, "a user is banned from the general room");
            }
            joined => joined?,
        }
        self.ready.put(user.id().clone(), ());
        Ok(())
    }
}
