//! The user directory: signs users in, and finds them by token, name and Matrix id.

mod signed_in;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use signed_in::SignedIn;

use crate::{
    domain::{
        error::Result,
        id::{HubUserId, MatrixUserId, TenantId},
        matrix_ids::MatrixIds,
        message::People,
        name::fold,
        user::{Caller, Identity, User, UserQuery, UserSummary, superseded},
    },
    port::{self, Ports},
};

/// Users of this service. Keeps those who signed in lately in memory.
pub struct UserDirectory {
    users: Arc<dyn port::Users>,
    messages: Arc<dyn port::Messages>,
    ids: Arc<MatrixIds>,
    signed_in: SignedIn,
}

impl UserDirectory {
    pub(crate) fn new(ports: &Ports, ids: &Arc<MatrixIds>) -> Self {
        let (users, messages) = (ports.users.clone(), ports.messages.clone());
        Self { users, messages, ids: ids.clone(), signed_in: SignedIn::new(ids.clone()) }
    }

    /// Signs in the bearer of a verified token of the Hub. The first time creates the user, makes their Matrix account
    /// due, and releases what was held for them; later changes of name, role and tenant are stored.
    ///
    /// Safe under any number of parallel first requests, and independent of the homeserver.
    ///
    /// # Errors
    /// `token_superseded` for a token of another tenant that an earlier call was told to be outdated; see
    /// [`Identity::outranks`].
    pub async fn sign_in(&self, identity: Identity) -> Result<User> {
        let identity = self.ids.distinguish_from_bot(identity);
        if let Some(known) = self.remembered(&identity.hub_user_id)
            && (known.identity == identity || known.identity.outranks(&identity))
        {
            return in_tenant_of(known, &identity);
        }
        let seen = self.signed_in.generation();
        let user = self.users.sign_in(&identity, &self.ids.new_localpart(&identity.hub_user_id)).await?;
        self.signed_in.remember(&user, seen);
        in_tenant_of(user, &identity)
    }

    /// Signs in the bearer of a token of ours. It names the user; name, role and tenant are as the Hub said last.
    ///
    /// # Errors
    /// `token_superseded` for a token of a former tenant.
    pub async fn recognise(&self, identity: Identity) -> Result<User> {
        if let Some(known) = self.remembered(&identity.hub_user_id) {
            return in_tenant_of(known, &identity);
        }
        let seen = self.signed_in.generation();
        let Some(known) = self.users.in_any_tenant(&identity.hub_user_id).await? else {
            return self.sign_in(identity).await;
        };
        self.signed_in.remember(&known, seen);
        in_tenant_of(known, &identity)
    }

    /// The caller as stored now: what was remembered when the call began may have changed.
    ///
    /// # Errors
    /// `token_superseded` if the caller is in another tenant by now.
    pub(crate) async fn refreshed(&self, caller: &Caller) -> Result<Caller> {
        let stored = self.users.find(caller.user.tenant(), caller.user.id()).await?;
        Ok(Caller { user: stored.ok_or_else(superseded)?, expires_at: caller.expires_at })
    }

    fn remembered(&self, user: &HubUserId) -> Option<User> {
        self.signed_in.watch(self.users.as_ref());
        self.signed_in.get(user)
    }

    /// Users of the caller's tenant whose name or id contains the text, prefix matches first, without the caller.
    pub async fn search(&self, caller: &Caller, text: &str, limit: i64) -> Result<Vec<UserSummary>> {
        let query = UserQuery { text: fold(text), except: caller.user.id().clone(), limit };
        self.users.search(caller.user.tenant(), &query).await
    }

    /// Returns those of these Matrix ids that are users of this service.
    pub(crate) async fn people(&self, ids: impl Iterator<Item = &MatrixUserId>) -> Result<People> {
        let mut localparts: Vec<_> =
            ids.filter_map(|id| self.ids.user_localpart(id)).map(str::to_owned).collect();
        localparts.sort_unstable();
        localparts.dedup();
        let users =
            if localparts.is_empty() { Vec::new() } else { self.messages.people(&localparts).await? };
        Ok(People::new(users, self.ids.clone()))
    }

    /// Returns whether a tenant has this user.
    pub async fn is_known(&self, tenant: TenantId, user: &HubUserId) -> Result<bool> {
        self.users.find(tenant, user).await.map(|user| user.is_some())
    }

    /// Drops the cached copy of a user: the store has another one.
    pub(crate) fn forget(&self, user: &User) {
        self.signed_in.forget(user);
    }

    /// The names under which people see them. Those of users are remembered for a short while.
    pub(crate) async fn names<'a>(
        &self,
        ids: impl Iterator<Item = &'a MatrixUserId>,
    ) -> Result<HashMap<MatrixUserId, String>> {
        let ids: HashSet<_> = ids.collect();
        let known = ids.iter().filter_map(|id| Some(((*id).clone(), self.signed_in.name(id)?)));
        let mut names: HashMap<_, _> = known.collect();
        let unknown: Vec<_> = ids.into_iter().filter(|id| !names.contains_key(*id)).collect();
        let seen = self.signed_in.generation();
        let people = self.people(unknown.iter().copied()).await?;
        people.users().for_each(|user| self.signed_in.remember(user, seen));
        names.extend(unknown.into_iter().map(|id| (id.clone(), people.name(id))));
        Ok(names)
    }
}

fn in_tenant_of(user: User, token: &Identity) -> Result<User> {
    if user.tenant() == token.tenant { Ok(user) } else { Err(superseded()) }
}
