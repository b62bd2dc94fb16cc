//! Users in memory.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    event::Kind,
    id::{HubUserId, TenantId},
    port::Users,
    user::{Identity, User, UserQuery, UserSummary, fold},
};

use serde_json::json;

use super::{Memory, State};

/// The longest rest after failures.
const REST_MAX: Duration = Duration::from_mins(5);

pub(super) type Table = BTreeMap<HubUserId, Stored>;

pub(super) struct Stored {
    pub(super) user: User,
    /// When the account is to be made ready; `None` if it is.
    pub(super) due: Option<Timestamp>,
    pub(super) failures: u32,
    leased_until: Timestamp,
}

#[async_trait]
impl Users for Memory {
    async fn sign_in(&self, identity: &Identity, localpart: &str) -> Result<User> {
        self.act("signing a user in", |state| state.sign_in(identity, localpart)).await
    }

    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<User>> {
        self.act("finding a user", |state| state.user(tenant, user).cloned()).await
    }

    async fn by_localpart(&self, localpart: &str) -> Result<Option<User>> {
        self.act("finding a user", |state| {
            state.users.values().map(|stored| &stored.user).find(|user| user.localpart == localpart).cloned()
        })
        .await
    }

    async fn search(&self, tenant: TenantId, query: &UserQuery) -> Result<Vec<UserSummary>> {
        self.act("searching users", |state| state.search(tenant, query)).await
    }

    async fn claim_due(&self, lease: Duration, limit: i64) -> Result<Vec<User>> {
        self.act("claiming accounts", |state| state.claim_users(lease, limit)).await
    }

    async fn provisioned(&self, user: &User) -> Result<()> {
        self.act("storing that an account is ready", |state| state.provisioned(user)).await
    }

    async fn postpone(&self, user: &HubUserId) -> Result<()> {
        self.act("postponing an account", |state| {
            let now = state.now;
            if let Some(stored) = state.users.get_mut(user) {
                let rest = Duration::from_secs(1).saturating_mul(1 << stored.failures.min(20)).min(REST_MAX);
                stored.failures += 1;
                stored.due = Some(now + rest);
                stored.leased_until = now;
            }
        })
        .await
    }
}

impl State {
    /// The users of all tenants.
    pub(super) fn all_users(&self) -> impl Iterator<Item = &User> {
        self.users.values().map(|stored| &stored.user)
    }

    /// A user of this tenant.
    pub(super) fn user(&self, tenant: TenantId, user: &HubUserId) -> Option<&User> {
        self.users.get(user).map(|stored| &stored.user).filter(|user| user.tenant() == tenant)
    }

    fn sign_in(&mut self, identity: &Identity, localpart: &str) -> User {
        let now = self.now;
        let id = &identity.hub_user_id;
        let before = self.users.get(id).map(|stored| stored.user.identity.clone());
        let stored = self.users.entry(id.clone()).or_insert_with(|| Stored {
            user: User {
                identity: identity.clone(),
                localpart: localpart.to_owned(),
                external_client_enabled: false,
                provisioned: false,
            },
            due: Some(now),
            failures: 0,
            leased_until: now,
        });
        let moved = before.as_ref().is_none_or(|before| before.tenant != identity.tenant);
        let former = before.as_ref().map(|before| before.tenant).filter(|_| moved);
        if moved || before.is_some_and(|before| before.display_name != identity.display_name) {
            stored.due = Some(now);
            stored.failures = 0;
            stored.user.provisioned = false;
            self.work = true;
        }
        stored.user.identity = identity.clone();
        let user = stored.user.clone();
        if moved {
            let left: Vec<_> = self
                .members
                .keys()
                .filter(|(tenant, member, _)| member == id && *tenant != identity.tenant)
                .cloned()
                .collect();
            for (tenant, user, room) in left {
                self.depart(tenant, &room, &user);
            }
            if let Some(former) = former {
                self.tell_member(Kind::AccessWithdrawn, former, id, &json!({}));
            }
            self.release_held(identity.tenant, id);
        }
        user
    }

    fn search(&self, tenant: TenantId, query: &UserQuery) -> Vec<UserSummary> {
        let mut found: Vec<_> = self
            .users
            .values()
            .map(|stored| &stored.user)
            .filter(|user| user.tenant() == tenant && *user.id() != query.except)
            .map(|user| (fold(&user.identity.display_name), fold(user.id().as_str()), user))
            .filter(|(name, id, _)| name.contains(&query.text) || id.contains(&query.text))
            .map(|(name, id, user)| match (name.starts_with(&query.text), id.starts_with(&query.text)) {
                (true, _) => (1, name, user),
                (false, true) => (2, id, user),
                (false, false) => (3, name, user),
            })
            .collect();
        found.sort_by(|a, b| (a.0, &a.1, a.2.id()).cmp(&(b.0, &b.1, b.2.id())));
        found
            .into_iter()
            .take(usize::try_from(query.limit).unwrap_or_default())
            .map(|(_, _, user)| UserSummary {
                hub_user_id: user.id().clone(),
                display_name: user.identity.display_name.clone(),
            })
            .collect()
    }

    fn claim_users(&mut self, lease: Duration, limit: i64) -> Vec<User> {
        let now = self.now;
        let mut tenants: BTreeMap<TenantId, Vec<(Timestamp, HubUserId)>> = BTreeMap::new();
        for (id, stored) in &self.users {
            if let Some(due) = stored.due.filter(|due| *due <= now && stored.leased_until <= now) {
                tenants.entry(stored.user.tenant()).or_default().push((due, id.clone()));
            }
        }
        let mut places = Vec::new();
        for due in tenants.values_mut() {
            due.sort();
            let count = due.len();
            // From both ends to the middle.
            places.extend(due.drain(..).enumerate().map(|(n, (_, id))| (n.min(count - 1 - n), id)));
        }
        places.sort();
        let claimed = places.into_iter().take(usize::try_from(limit).unwrap_or_default());
        let mut users = Vec::new();
        for (_, id) in claimed {
            if let Some(stored) = self.users.get_mut(&id) {
                stored.leased_until = now + lease;
                users.push(stored.user.clone());
            }
        }
        users
    }

    fn provisioned(&mut self, told: &User) {
        let now = self.now;
        let Some(stored) = self.users.get_mut(told.id()) else { return };
        stored.leased_until = now;
        stored.failures = 0;
        let (is, was) = (&stored.user.identity, &told.identity);
        if is.tenant == was.tenant && is.display_name == was.display_name {
            stored.due = None;
            stored.user.provisioned = true;
        } else {
            stored.due = Some(now);
        }
    }
}
