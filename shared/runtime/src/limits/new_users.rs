//! The limit of first sign-ins of a tenant per hour.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use messenger_core::{
    Error, Messenger, Result,
    id::{HubUserId, TenantId},
    user::User,
};
use moka::sync::Cache;

use super::{Limits, rate::Rate};

/// Most users that are cached as known.
const KNOWN: u64 = 50_000;
const HOUR: Duration = Duration::from_hours(1);

/// The counter of new users. It costs no query until a tenant has reached its limit.
pub(super) struct NewUsers {
    rate: Rate,
    most: u32,
    /// Users who were admitted, by the hash of tenant and id.
    known: Cache<u64, ()>,
    hasher: RandomState,
}

impl NewUsers {
    pub(super) fn new(most: u32) -> Self {
        let known = Cache::builder().max_capacity(KNOWN).build();
        Self { rate: Rate::new(most, HOUR), most, known, hasher: RandomState::new() }
    }

    fn refusal(&self, tenant: TenantId, retry_after: Duration) -> Error {
        let most = self.most;
        tracing::warn!(%tenant, most, "first sign-in refused: the tenant has reached its limit per hour");
        Error::Limited {
            detail: format!("too many people sign in for the first time: at most {most} an hour in a tenant")
                .into(),
            retry_after,
        }
    }
}

impl Limits {
    /// Signs a user in, unless they are new to a tenant that has had too many new users.
    ///
    /// A user without a Matrix account counts as new, once. Concurrent sign-ins may exceed the limit by their
    /// number.
    pub(crate) async fn admit(
        &self,
        messenger: &Messenger,
        (tenant, id): (TenantId, HubUserId),
        sign_in: impl Future<Output = Result<User>>,
    ) -> Result<User> {
        let NewUsers { rate, known, hasher, .. } = &self.new_users;
        let key = hasher.hash_one((tenant, &id));
        if rate.is_off() || known.get(&key).is_some() {
            return sign_in.await;
        }
        if let Err(retry_after) = rate.check(tenant)
            && !messenger.users().is_known(tenant, &id).await?
        {
            return Err(self.new_users.refusal(tenant, retry_after));
        }
        let user = sign_in.await?;
        known.insert(key, ());
        if !user.provisioned {
            // The user is signed in already, even if another one took the last place meanwhile.
            let _ = rate.take(tenant);
        }
        Ok(user)
    }
}
