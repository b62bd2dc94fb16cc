//! Signs users in, and finds them by token, name and Matrix id.

mod signed_in;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use signed_in::SignedIn;

use crate::{
    domain::{
        error::Result,
        id::{HubUserId, MatrixUserId, TenantId},
        matrix_ids::MatrixIds,
        message::People,
        name::fold,
        user::{Caller, Identity, User, UserQuery, UserSummary, superseded, unknown_here},
    },
    port::{self, Ports},
};

/// The directory of this service's users. Caches those who signed in recently.
pub struct UserDirectory {
    users: Arc<dyn port::Users>,
    ids: Arc<MatrixIds>,
    signed_in: SignedIn,
}

impl UserDirectory {
    pub(crate) fn new(ports: &Ports, ids: &Arc<MatrixIds>) -> Self {
        Self { users: ports.users.clone(), ids: ids.clone(), signed_in: SignedIn::new(ids.clone()) }
    }

    /// Signs in the bearer of a verified token of the Hub.
    ///
    /// The first sign-in creates the user, makes their Matrix account due, and releases notifications that
    /// were held for them. Later ones store changes of name, role and tenant. Safe under parallel first
    /// requests, and independent of the homeserver.
    ///
    /// # Errors
    /// `token_superseded` for a token of a former tenant; see [`Identity::outranks`].
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %identity.tenant, user = %identity.hub_user_id)
    )]
    pub async fn sign_in(&self, identity: Identity) -> Result<User> {
        let known = self.cached(&identity.hub_user_id);
        // Each call of a user passes here, so a known identity is not compared with the bot again.
        if let Some(known) = known.clone().filter(|known| known.identity == identity) {
            return self.in_tenant_of(known, &identity);
        }
        let identity = self.ids.distinguish_from_bot(identity);
        if let Some(known) =
            known.filter(|known| known.identity == identity || known.identity.outranks(&identity))
        {
            return self.in_tenant_of(known, &identity);
        }
        let seen = self.signed_in.generation();
        let user = self.users.sign_in(&identity, &self.ids.new_localpart(&identity.hub_user_id)).await?;
        self.signed_in.remember(&user, seen);
        self.in_tenant_of(user, &identity)
    }

    /// Signs in the bearer of a token of this service.
    ///
    /// The token names the user. Name, role and tenant are those of the last token of the Hub. `issued_at` is
    /// the token's own `iat`.
    ///
    /// # Errors
    /// `token_superseded` for a token of a former tenant, and `token_revoked` for one from before a logout.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %identity.tenant, user = %identity.hub_user_id)
    )]
    pub async fn recognise(&self, identity: Identity, issued_at: Option<Timestamp>) -> Result<User> {
        let user = self.recognised(identity).await?;
        user.check_not_logged_out(issued_at)?;
        Ok(user)
    }

    async fn recognised(&self, identity: Identity) -> Result<User> {
        if let Some(known) = self.cached(&identity.hub_user_id) {
            return self.in_tenant_of(known, &identity);
        }
        let seen = self.signed_in.generation();
        let Some(known) = self.users.in_any_tenant(&identity.hub_user_id).await? else {
            return self.sign_in(identity).await;
        };
        self.signed_in.remember(&known, seen);
        self.in_tenant_of(known, &identity)
    }

    /// Returns the caller as stored now. The cached user may have changed since.
    ///
    /// # Errors
    /// `token_superseded` if the caller has moved to another tenant.
    pub(crate) async fn refreshed(&self, caller: &Caller) -> Result<Caller> {
        let stored = self.users.find(caller.user.tenant(), caller.user.id()).await?;
        Ok(Caller { user: stored.ok_or_else(superseded)?, expires_at: caller.expires_at })
    }

    /// Returns a cached user.
    fn cached(&self, user: &HubUserId) -> Option<User> {
        self.signed_in.watch(self.users.as_ref());
        self.signed_in.get(user)
    }

    /// Returns users of the caller's tenant whose name or id contains the text, prefix matches first, without
    /// the caller.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn search(&self, caller: &Caller, text: &str, limit: i64) -> Result<Vec<UserSummary>> {
        let query = UserQuery { text: fold(text), except: caller.user.id().clone(), limit };
        self.users.search(caller.user.tenant(), &query).await
    }

    /// Returns the users of this service among these Matrix ids.
    pub(crate) async fn people(&self, ids: impl Iterator<Item = &MatrixUserId>) -> Result<People> {
        let mut localparts: Vec<_> =
            ids.filter_map(|id| self.ids.user_localpart(id)).map(str::to_owned).collect();
        localparts.sort_unstable();
        localparts.dedup();
        let users =
            if localparts.is_empty() { Vec::new() } else { self.users.with_localparts(&localparts).await? };
        Ok(People::new(users, self.ids.clone()))
    }

    /// Returns whether a tenant has this user.
    #[tracing::instrument(level = "debug", skip_all, fields(%tenant, %user))]
    pub async fn is_known(&self, tenant: TenantId, user: &HubUserId) -> Result<bool> {
        self.users.find(tenant, user).await.map(|user| user.is_some())
    }

    /// Drops the cached copy of a user because the stored one differs.
    pub(crate) fn forget(&self, user: &User) {
        self.signed_in.forget(user);
    }

    /// Returns the display names of these Matrix ids. Names of users are cached for a short time.
    pub(crate) async fn names<'a>(
        &self,
        ids: impl Iterator<Item = &'a MatrixUserId>,
    ) -> Result<HashMap<MatrixUserId, String>> {
        let ids: HashSet<_> = ids.collect();
        let cached = ids.iter().filter_map(|id| Some(((*id).clone(), self.signed_in.name(id)?)));
        let mut names: HashMap<_, _> = cached.collect();
        let unknown: Vec<_> = ids.into_iter().filter(|id| !names.contains_key(*id)).collect();
        let seen = self.signed_in.generation();
        let people = self.people(unknown.iter().copied()).await?;
        people.users().for_each(|user| self.signed_in.remember(user, seen));
        names.extend(unknown.into_iter().map(|id| (id.clone(), people.name(id))));
        Ok(names)
    }

    /// Returns the user if the token is of their tenant.
    ///
    /// # Errors
    /// `token_superseded` for a token of a former tenant, and `not_ready` for a token that may be newer than
    /// the copy from which the user was read.
    fn in_tenant_of(&self, user: User, token: &Identity) -> Result<User> {
        if user.tenant() == token.tenant {
            Ok(user)
        } else if self.users.may_lag() && !user.identity.outranks(token) {
            Err(unknown_here())
        } else {
            Err(superseded())
        }
    }
}
