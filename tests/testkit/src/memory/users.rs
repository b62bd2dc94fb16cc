//! Users in memory.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    event::payload::{EventPayload, RoleChanged},
    id::{HubUserId, TenantId},
    lease::Lease,
    name::fold,
    port::{UserWatcher, Users},
    user::{Account, Identity, User, UserQuery, UserSummary},
};

use super::{Memory, State};

/// The longest backoff after failures.
const BACKOFF_MAX: Duration = Duration::from_mins(5);

pub(super) type Table = BTreeMap<HubUserId, Stored>;

pub(super) struct Stored {
    pub(super) user: User,
    /// The time from which the account is to be provisioned; `None` if it is provisioned.
    pub(super) due: Option<Timestamp>,
    pub(super) failures: u32,
    leased_until: Timestamp,
    /// The number of changes that are notified.
    pub(super) version: i64,
}

impl Stored {
    fn new(identity: &Identity, localpart: &str, now: Timestamp) -> Self {
        let user = User {
            identity: identity.clone(),
            display_name: identity.display_name.clone(),
            localpart: localpart.to_owned(),
            external_client_enabled: false,
            provisioned: false,
            account: Account::Pending,
            logged_out_at: None,
        };
        Self { user, due: Some(now), failures: 0, leased_until: now, version: 1 }
    }

    fn make_due(&mut self, now: Timestamp) {
        self.due = Some(now);
        self.failures = 0;
        self.user.provisioned = false;
    }
}

/// Returns the part of a user whose changes are notified.
fn observable(user: &User) -> (Identity, &str, Account) {
    (Identity { issued_at: None, ..user.identity.clone() }, &user.localpart, user.account)
}

#[async_trait]
impl Users for Memory {
    async fn sign_in(&self, identity: &Identity, localpart: &str) -> Result<User> {
        self.act("signing a user in", |state| state.sign_in(identity, localpart)).await
    }

    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<User>> {
        self.act("finding a user", |state| state.user(tenant, user).cloned()).await
    }

    async fn in_any_tenant(&self, user: &HubUserId) -> Result<Option<User>> {
        self.act("finding a user", |state| state.users.get(user).map(|stored| stored.user.clone())).await
    }

    async fn with_localparts(&self, localparts: &[String]) -> Result<Vec<User>> {
        self.act("finding users", |state| {
            let ours = state.all_users().filter(|user| user.account == Account::Ours);
            ours.filter(|user| localparts.contains(&user.localpart)).cloned().collect()
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
        self.act("storing that an account is provisioned", |state| state.provisioned(user)).await
    }

    async fn postpone(&self, user: &HubUserId) -> Result<()> {
        self.act("postponing an account", |state| {
            let now = state.now;
            if let Some(stored) = state.users.get_mut(user) {
                let backoff =
                    Duration::from_secs(1).saturating_mul(1 << stored.failures.min(20)).min(BACKOFF_MAX);
                stored.failures += 1;
                stored.due = Some(now + backoff);
                stored.leased_until = now;
            }
        })
        .await
    }

    async fn record_account(
        &self,
        user: &User,
        account: Account,
        look_again: Duration,
    ) -> Result<Lease<Account>> {
        self.act("storing the owner of an account", |state| state.record_account(user, account, look_again))
            .await
    }

    fn watch(&self, watcher: Arc<dyn UserWatcher>) {
        let weak = Arc::downgrade(&watcher);
        self.watchers().push(weak);
        watcher.listening(true);
    }
}

impl State {
    /// Returns the users of all tenants.
    pub(super) fn all_users(&self) -> impl Iterator<Item = &User> {
        self.users.values().map(|stored| &stored.user)
    }

    /// Returns a user of this tenant.
    pub(super) fn user(&self, tenant: TenantId, user: &HubUserId) -> Option<&User> {
        self.users.get(user).map(|stored| &stored.user).filter(|user| user.tenant() == tenant)
    }

    fn sign_in(&mut self, identity: &Identity, localpart: &str) -> User {
        let now = self.now;
        let id = &identity.hub_user_id;
        let before = self.users.get(id).map(|stored| stored.user.clone());
        let stored = self.users.entry(id.clone()).or_insert_with(|| Stored::new(identity, localpart, now));
        if stored.user.account != Account::Ours && stored.user.localpart != localpart {
            localpart.clone_into(&mut stored.user.localpart);
            stored.user.account = Account::Pending;
            stored.make_due(now);
            self.has_work = true;
        }
        if before.as_ref().is_none_or(|before| !before.identity.outranks(identity)) {
            let was = before.as_ref().map(|before| &before.identity);
            if was
                .is_none_or(|was| was.tenant != identity.tenant || was.display_name != identity.display_name)
            {
                stored.make_due(now);
                self.has_work = true;
            }
            stored.user.identity = identity.clone();
            stored.user.display_name.clone_from(&identity.display_name);
            self.publish_change(was, identity);
        }
        let user = self.users[id].user.clone();
        if before.is_some_and(|before| observable(&before) != observable(&user)) {
            self.note_change(id);
        }
        user
    }

    /// Counts a change of a user, and notifies their watchers.
    pub(super) fn note_change(&mut self, user: &HubUserId) {
        let Some(stored) = self.users.get_mut(user) else { return };
        stored.version += 1;
        self.changed.push((user.clone(), stored.user.localpart.clone()));
    }

    /// Publishes the effects of a token. A user who moves leaves the rooms of the former tenant, and gets the
    /// direct messages that are held in the new one.
    fn publish_change(&mut self, was: Option<&Identity>, is: &Identity) {
        let id = &is.hub_user_id;
        match was {
            Some(was) if was.tenant == is.tenant && was.role == is.role => return,
            Some(was) if was.tenant == is.tenant => {
                let changed = EventPayload::RoleChanged(RoleChanged { role: is.role });
                return self.publish_to_user(is.tenant, id, &changed);
            }
            Some(was) => {
                let members = self.members.keys();
                let left = members.filter(|(tenant, member, _)| member == id && *tenant != is.tenant);
                for (tenant, user, room) in left.cloned().collect::<Vec<_>>() {
                    self.leave(tenant, &room, &user);
                }
                self.publish_to_user(was.tenant, id, &EventPayload::AccessWithdrawn {});
            }
            None => {}
        }
        self.release_held(is.tenant, id);
        self.enter_inbox(is.tenant, id);
    }

    fn record_account(&mut self, user: &User, account: Account, look_again: Duration) -> Lease<Account> {
        let now = self.now;
        let stored = self.users.get_mut(user.id()).filter(|one| one.user.localpart == user.localpart);
        let Some(stored) = stored else { return Lease::Lost };
        if stored.user.account == Account::Ours {
            return Lease::Held(Account::Ours);
        }
        let has_changed = std::mem::replace(&mut stored.user.account, account) != account;
        if account == Account::Foreign {
            stored.due = Some(now + look_again);
            stored.failures = 0;
            stored.leased_until = now;
        }
        if has_changed {
            self.note_change(user.id());
        }
        Lease::Held(account)
    }

    fn search(&self, tenant: TenantId, query: &UserQuery) -> Vec<UserSummary> {
        let mut found: Vec<_> = self
            .users
            .values()
            .map(|stored| &stored.user)
            .filter(|user| user.tenant() == tenant && *user.id() != query.except)
            .map(|user| (fold(&user.display_name), fold(user.id().as_str()), user))
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
                display_name: user.display_name.clone(),
                localpart: user.localpart.clone(),
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
        let mut queue = Vec::new();
        for due in tenants.values_mut() {
            due.sort();
            let count = due.len();
            // Alternates between the oldest and the newest of a tenant.
            queue.extend(due.drain(..).enumerate().map(|(n, (_, id))| (n.min(count - 1 - n), id)));
        }
        queue.sort();
        let claimed = queue.into_iter().take(usize::try_from(limit).unwrap_or_default());
        let mut users = Vec::new();
        for (_, id) in claimed {
            if let Some(stored) = self.users.get_mut(&id) {
                stored.leased_until = now + lease;
                users.push(stored.user.clone());
            }
        }
        users
    }

    fn provisioned(&mut self, provisioned: &User) {
        let now = self.now;
        let Some(stored) = self.users.get_mut(provisioned.id()) else { return };
        stored.leased_until = now;
        stored.failures = 0;
        let (is, was) = (&stored.user.identity, &provisioned.identity);
        if is.tenant == was.tenant && is.display_name == was.display_name {
            stored.due = None;
            stored.user.provisioned = true;
        } else {
            stored.due = Some(now);
        }
    }
}
