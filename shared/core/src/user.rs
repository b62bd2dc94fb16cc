//! Users: who they are according to the Hub, what they may do, and finding them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::{
    Error, Hub, Result,
    id::{self, HubUserId, MatrixUserId, TenantId},
};

/// What a user may do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Administers their tenant.
    Admin,
    /// Reads and writes.
    User,
    /// Reads.
    Viewer,
}

impl Role {
    /// Maps a role of the Hub. An unknown one gets the fewest rights.
    pub fn from_hub(role: &str) -> Self {
        match role {
            "super_admin" | "admin" => Self::Admin,
            "manager" | "user" | "terminal" => Self::User,
            _ => Self::Viewer,
        }
    }

    /// The name used in answers and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Viewer => "viewer",
        }
    }
}

/// What a verified token says about its bearer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// `sub`.
    pub hub_user_id: HubUserId,
    /// `tenant_id`, or the default tenant.
    pub tenant: TenantId,
    /// `display_name`, or `sub`.
    pub display_name: String,
    /// `role`, mapped.
    pub role: Role,
}

/// A user as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// What the Hub said when they were last seen.
    pub identity: Identity,
    /// The localpart of their Matrix account.
    pub localpart: String,
    /// Whether an administrator allowed them other Matrix clients.
    pub external_client_enabled: bool,
    /// Whether their Matrix account and the general room are ready.
    pub provisioned: bool,
}

/// A user who is signed in, and until when.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub user: User,
    /// When their token ends (`exp`, with the leeway that was granted).
    pub expires_at: Timestamp,
}

/// One line of the list from which people pick somebody to write to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserSummary {
    /// `sub` of their token.
    pub hub_user_id: HubUserId,
    /// The name people see.
    pub display_name: String,
}

/// What to look for among the users of a tenant.
#[derive(Debug, Clone)]
pub struct UserQuery {
    /// Text that name or id must contain, [`fold`]ed; empty for everybody.
    pub text: String,
    /// Who is asking, and is left out.
    pub except: HubUserId,
    /// At most so many.
    pub limit: i64,
}

impl User {
    /// Who they are to the Hub.
    pub fn id(&self) -> &HubUserId {
        &self.identity.hub_user_id
    }

    /// Their tenant.
    pub fn tenant(&self) -> TenantId {
        self.identity.tenant
    }
}

impl Caller {
    /// Viewers read, and nothing else.
    pub(crate) fn check_may_write(&self) -> Result<()> {
        if self.user.identity.role == Role::Viewer {
            return Err(Error::Forbidden {
                code: "read_only_role",
                detail: "your role may read, not write: ask an administrator for another one".into(),
            });
        }
        Ok(())
    }
}

/// Folds text for searching: case, accents and ß do not matter.
pub fn fold(text: &str) -> String {
    text.nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .fold(String::with_capacity(text.len()), |mut folded, c| {
            match c {
                'ß' => folded.push_str("ss"),
                _ => folded.push(c),
            }
            folded
        })
        .trim()
        .to_owned()
}

impl Hub {
    /// Lets a bearer of a verified token in. The first time creates the user, makes their Matrix account due, and
    /// releases what was held for them; later changes of name, role and tenant are taken over.
    ///
    /// Safe under any number of parallel first requests, and independent of the homeserver.
    pub async fn sign_in(&self, identity: Identity) -> Result<User> {
        if let Some(user) = self.signed_in.get(&identity) {
            return Ok(user);
        }
        let localpart = id::localpart(&identity.hub_user_id, &self.reserved());
        let user = self.users.sign_in(&identity, &localpart).await?;
        self.remember_name(&user);
        self.signed_in.put(identity, user.clone());
        Ok(user)
    }

    /// Lets the bearer of a token of ours in. It says who they were when it was made; who they are the Hub has said
    /// since, and that stays. One of a former tenant lets nobody in.
    pub async fn recognise(&self, identity: Identity) -> Result<User> {
        if let Some(user) = self.signed_in.get(&identity) {
            return Ok(user);
        }
        let localpart = id::localpart(&identity.hub_user_id, &self.reserved());
        let known = self.users.by_localpart(&localpart).await?;
        match known.filter(|known| *known.id() == identity.hub_user_id) {
            None => self.sign_in(identity).await,
            Some(known) if known.tenant() == identity.tenant => {
                self.signed_in.put(identity, known.clone());
                Ok(known)
            }
            Some(_) => Err(Error::Unauthenticated {
                code: "token_superseded",
                detail: "the token is of a tenant that you are no longer in: sign in again".into(),
            }),
        }
    }

    /// The Matrix id of a user.
    pub fn matrix_id(&self, user: &User) -> MatrixUserId {
        self.matrix_id_of(&user.localpart)
    }

    /// Users of the caller's tenant whose name or id contains the text, prefix matches first, without the caller.
    pub async fn find_users(&self, caller: &Caller, text: &str, limit: i64) -> Result<Vec<UserSummary>> {
        let query = UserQuery { text: fold(text), except: caller.user.id().clone(), limit };
        self.users.search(caller.user.tenant(), &query).await
    }

    /// The Matrix id of the bot.
    pub(crate) fn bot(&self) -> MatrixUserId {
        self.matrix_id_of(&self.settings.bot_localpart)
    }

    pub(crate) fn matrix_id_of(&self, localpart: &str) -> MatrixUserId {
        MatrixUserId::new(format!("@{localpart}:{}", self.settings.server_name))
    }

    fn reserved(&self) -> [&str; 4] {
        [&self.settings.bot_localpart, "conduit", "server", "hubadmin"]
    }
}
