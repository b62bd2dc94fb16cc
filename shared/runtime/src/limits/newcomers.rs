//! First sign-ins: how many users of a tenant may come into being in an hour.

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

/// Most users that are remembered as known.
const KNOWN: u64 = 50_000;
const HOUR: Duration = Duration::from_hours(1);

/// Counts new users. Costs no query until a tenant has used up its limit.
pub(super) struct Newcomers {
    rate: Rate,
    most: u32,
    /// Users who were let in, by the hash of tenant and id.
    known: Cache<u64, ()>,
    hasher: RandomState,
}

impl Newcomers {
    pub(super) fn new(most: u32) -> Self {
        let known = Cache::builder().max_capacity(KNOWN).build();
        Self { rate: Rate::new(most, HOUR), most, known, hasher: RandomState::new() }
    }

    fn refusal(&self, tenant: TenantId, retry_after: Duration) -> Error {
        let most = self.most;
        tracing::warn!(%tenant, most, "first sign-ins are refused: too many in an hour");
        Error::Limited {
            detail: format!("too many people sign in for the first time: at most {most} an hour in a tenant")
                .into(),
            retry_after,
        }
    }
}

impl Limits {
    /// Lets a user in by `sign_in`, unless they are new to a tenant that has had too many new users.
    ///
    /// A user without a Matrix account counts as new, once. Sign-ins that happen at the same time may exceed the limit
    /// by their number.
    pub(crate) async fn admit(
        &self,
        messenger: &Messenger,
        (tenant, id): (TenantId, HubUserId),
        sign_in: impl Future<Output = Result<User>>,
    ) -> Result<User> {
        let Newcomers { rate, known, hasher, .. } = &self.newcomers;
        let key = hasher.hash_one((tenant, &id));
        if rate.is_off() || known.get(&key).is_some() {
            return sign_in.await;
        }
        if let Err(retry_after) = rate.check(tenant)
            && !messenger.users().is_known(tenant, &id).await?
        {
            return Err(self.newcomers.refusal(tenant, retry_after));
        }
        let user = sign_in.await?;
        known.insert(key, ());
        if !user.provisioned {
            // Who is already in does not go out again if somebody else was quicker.
            let _ = rate.take(tenant);
        }
        Ok(user)
    }
}
