//! External access in memory.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Error, Result,
    admin::{Administrator, ExpectedVersions},
    external::{Access, Sealed},
    id::{HubUserId, TenantId},
    lease::Lease,
    port::ExternalAccess,
    user::User,
};

use super::{Memory, State, users};

/// The longest backoff after failures.
const BACKOFF_MAX: Duration = Duration::from_mins(5);

pub(super) type Table = BTreeMap<HubUserId, Stored>;

pub(super) struct Stored {
    access: Access,
    pub(super) revoke_due: Option<Timestamp>,
    leased_until: Timestamp,
    failures: u32,
}

#[async_trait]
impl ExternalAccess for Memory {
    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<Access>> {
        self.act("finding an external access", |state| {
            state.user(tenant, user).filter(|user| user.external_client_enabled)?;
            state.external.get(user).map(|stored| stored.access.clone())
        })
        .await
    }

    async fn allowed(&self, after: Option<&HubUserId>, limit: i64) -> Result<Vec<User>> {
        self.act("listing external accesses", |state| {
            let mut users: Vec<_> = state.all_users().filter(|user| user.external_client_enabled).collect();
            users.sort_by_key(|user| user.id());
            let later = users.into_iter().filter(|user| after.is_none_or(|after| user.id() > after));
            later.take(usize::try_from(limit).unwrap_or_default()).cloned().collect()
        })
        .await
    }

    async fn enable(&self, by: &Administrator, user: &HubUserId, expected: &ExpectedVersions) -> Result<()> {
        self.act("enabling an external access", |state| {
            state.allow(by, user, expected, true)?;
            let now = state.now;
            state.external.entry(user.clone()).or_insert_with(|| Stored::new(now));
            Ok(())
        })
        .await?
    }

    async fn disable(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
    ) -> Result<i64> {
        self.act("disabling an external access", |state| {
            state.allow(by, user, expected, false)?;
            let now = state.now;
            let mut stored = Stored::new(now);
            if let Some(before) = state.external.remove(user) {
                stored.access.generation = before.access.generation + 1;
                stored.leased_until = before.leased_until;
            }
            stored.revoke_due = Some(now);
            let generation = stored.access.generation;
            state.external.insert(user.clone(), stored);
            Ok(generation)
        })
        .await?
    }

    async fn store(&self, user: &HubUserId, generation: i64, password: &Sealed) -> Result<Lease<i64>> {
        self.act("storing a password", |state| {
            let now = state.now;
            if state.external.get(user).is_some_and(|stored| stored.is_being_revoked_at(now)) {
                return Lease::Lost;
            }
            let Some(access) = state.allowed(user).filter(|access| access.generation == generation) else {
                return Lease::Lost;
            };
            let generation = generation + 1;
            *access = Access { generation, password: Some(password.clone()), applied: false };
            Lease::Held(generation)
        })
        .await
    }

    async fn applied(&self, user: &HubUserId, generation: i64) -> Result<Lease<()>> {
        self.act("storing that a password was applied", |state| {
            let Some(access) = state.allowed(user).filter(|access| access.generation == generation) else {
                return Lease::Lost;
            };
            access.applied = true;
            if let Some(stored) = state.external.get_mut(user) {
                stored.revoke_due = None;
            }
            Lease::Held(())
        })
        .await
    }

    async fn claim_revocations(&self, lease: Duration, limit: i64) -> Result<Vec<(User, i64)>> {
        self.act("claiming revocations", |state| {
            let now = state.now;
            let State { external, users, .. } = state;
            external
                .iter_mut()
                .filter(|(_, one)| one.revoke_due.is_some_and(|due| due <= now) && one.leased_until <= now)
                .take(usize::try_from(limit).unwrap_or_default())
                .filter_map(|(user, one)| {
                    one.leased_until = now + lease;
                    Some((users.get(user)?.user.clone(), one.access.generation))
                })
                .collect()
        })
        .await
    }

    async fn claim_revocation(&self, user: &HubUserId, lease: Duration) -> Result<Option<Lease<i64>>> {
        self.act("claiming a revocation", |state| {
            let now = state.now;
            let stored = state.external.get_mut(user).filter(|stored| stored.revoke_due.is_some())?;
            if stored.is_being_revoked_at(now) {
                return Some(Lease::Lost);
            }
            stored.leased_until = now + lease;
            Some(Lease::Held(stored.access.generation))
        })
        .await
    }

    async fn revoked(&self, user: &HubUserId, generation: i64, done: bool) -> Result<()> {
        self.act("storing the result of a revocation", |state| {
            let now = state.now;
            let Some(stored) = state.external.get_mut(user) else { return };
            stored.leased_until = now;
            if stored.access.generation != generation {
                stored.access.applied = false;
            } else if done {
                stored.revoke_due = None;
                stored.failures = 0;
            } else if stored.revoke_due.is_some() {
                let backoff =
                    Duration::from_secs(1).saturating_mul(1 << stored.failures.min(20)).min(BACKOFF_MAX);
                stored.revoke_due = Some(now + backoff);
                stored.failures += 1;
            }
        })
        .await
    }
}

impl Stored {
    /// Returns whether it waits after a failure.
    pub(super) fn is_backing_off_at(&self, now: Timestamp) -> bool {
        self.failures > 0 && self.revoke_due.is_some_and(|due| due > now)
    }

    fn is_being_revoked_at(&self, now: Timestamp) -> bool {
        self.revoke_due.is_some() && self.leased_until > now
    }

    fn new(now: Timestamp) -> Self {
        let access = Access { generation: 1, password: None, applied: false };
        Self { access, revoke_due: None, leased_until: now, failures: 0 }
    }
}

impl State {
    fn allow(
        &mut self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
        enabled: bool,
    ) -> Result<()> {
        let stored = self.users.get_mut(user).filter(|stored| stored.user.tenant() == by.tenant);
        let users::Stored { user: known, version, .. } = stored.ok_or(Error::NotFound("user"))?;
        expected.check(*version)?;
        if std::mem::replace(&mut known.external_client_enabled, enabled) != enabled {
            self.note_change(user);
        }
        Ok(())
    }

    fn allowed(&mut self, user: &HubUserId) -> Option<&mut Access> {
        self.users.get(user).filter(|stored| stored.user.external_client_enabled)?;
        self.external.get_mut(user).map(|stored| &mut stored.access)
    }
}
