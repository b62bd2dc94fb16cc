//! Signing in: a verified token makes its bearer a user, and the newest token of the Hub says who the user is.

use super::{Caller, Identity, User};
use crate::{
    Error, Messenger, Result,
    id::{self, HubUserId},
};

/// Localparts that are never given to a user, beside the bot's and those of the settings: Conduit's own account, and the
/// administrator that this service makes.
const RESERVED: [&str; 3] = ["conduit", "server", "hubadmin"];

impl Messenger {
    /// Signs in the bearer of a verified token of the Hub. The first time creates the user, makes their Matrix account
    /// due, and releases what was held for them; later changes of name, role and tenant are stored.
    ///
    /// Safe under any number of parallel first requests, and independent of the homeserver.
    ///
    /// # Errors
    /// `token_superseded` for a token of another tenant that an earlier call was told to be outdated; see
    /// [`Identity::outranks`].
    pub async fn sign_in(&self, identity: Identity) -> Result<User> {
        let identity = self.told_from_the_bot(identity);
        if let Some(known) = self.remembered(&identity.hub_user_id)
            && (known.identity == identity || known.identity.outranks(&identity))
        {
            return in_tenant_of(known, &identity);
        }
        let seen = self.signed_in.generation();
        let user = self.users.sign_in(&identity, &self.localpart_of(&identity.hub_user_id)).await?;
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

    fn localpart_of(&self, user: &HubUserId) -> String {
        let configured = self.settings.reserved_localparts.iter().map(String::as_str);
        let reserved: Vec<_> =
            RESERVED.into_iter().chain([self.settings.bot_localpart.as_str()]).chain(configured).collect();
        id::localpart(user, &reserved)
    }
}

/// Refuses a token of a tenant that its bearer is no longer in.
pub(crate) fn superseded() -> Error {
    Error::Unauthenticated {
        code: "token_superseded",
        detail: "the token is of a tenant that you are no longer in: sign in again".into(),
    }
}

fn in_tenant_of(user: User, token: &Identity) -> Result<User> {
    if user.tenant() == token.tenant { Ok(user) } else { Err(superseded()) }
}
