//! Users: identity, role, account and rights.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    error::{Error, Result},
    id::{HubUserId, TenantId},
};

/// The role of a user in this service, ordered from the fewest rights to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May read.
    Viewer,
    /// May read and write.
    User,
    /// May read, write and administer the tenant.
    Admin,
    /// May read and write, and administer every tenant. Answers and events name it `admin`.
    #[serde(rename(serialize = "admin"))]
    #[cfg_attr(feature = "schema", schemars(skip))]
    SuperAdmin,
}

impl Role {
    /// Maps a role of the Hub. An unknown role becomes [`Role::Viewer`].
    pub fn from_hub(role: &str) -> Self {
        match role {
            "super_admin" => Self::SuperAdmin,
            "admin" => Self::Admin,
            "manager" | "user" | "terminal" => Self::User,
            _ => Self::Viewer,
        }
    }

    /// Returns the value in the database and in tokens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SuperAdmin => "super_admin",
            Self::Admin => "admin",
            Self::User => "user",
            Self::Viewer => "viewer",
        }
    }

    /// Checks that the role may administer a tenant.
    pub(crate) fn check_may_administer(self) -> Result<()> {
        if self < Self::Admin {
            return Err(Error::Forbidden {
                code: "admin_role_needed",
                detail: "only administrators may do this: ask one of them".into(),
            });
        }
        Ok(())
    }

    /// Checks that the role may write. Refuses viewers.
    pub(crate) fn check_may_write(self) -> Result<()> {
        if self == Self::Viewer {
            return Err(Error::Forbidden {
                code: "read_only_role",
                detail: "your role may read, not write: ask an administrator for another one".into(),
            });
        }
        Ok(())
    }
}

/// The identity of a user: the claims of a verified token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The user id (`sub`).
    pub hub_user_id: HubUserId,
    /// The tenant (`tenant_id`, or the default tenant).
    pub tenant: TenantId,
    /// The display name (`display_name`, or `sub`).
    pub display_name: String,
    /// The role (`role`, mapped).
    pub role: Role,
    /// The issue time (`iat`); `None` if the token has none. For a stored user, that of the newest token of
    /// the Hub.
    pub issued_at: Option<Timestamp>,
}

/// The state of a user's Matrix account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// The account is not created yet, or its creator is not known yet.
    Pending,
    /// This service created the account.
    Ours,
    /// The account was created by someone else, so it is never used.
    Foreign,
}

/// A stored user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The identity of the last sign-in. Its display name is the one in the Hub.
    pub identity: Identity,
    /// The display name that people see: that of the Hub, or the one that an administrator gave.
    pub display_name: String,
    /// The localpart of the user's Matrix account.
    pub localpart: String,
    /// Whether an administrator has allowed the user other Matrix clients.
    pub external_client_enabled: bool,
    /// Whether the Matrix account and the membership of the general room are ready.
    pub provisioned: bool,
    /// The state of the account with this localpart.
    pub account: Account,
    /// The time until which tokens of this service are void; `None` if the user was never logged out.
    pub logged_out_at: Option<Timestamp>,
}

/// An authenticated user.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user.
    pub user: User,
    /// The time at which the token expires (`exp`, with leeway).
    pub expires_at: Timestamp,
}

/// A user in the results of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSummary {
    /// The user id in the Hub (`sub` of the token).
    pub hub_user_id: HubUserId,
    /// The display name.
    pub display_name: String,
    /// The localpart of the user's Matrix account.
    pub localpart: String,
}

/// A search among the users of a tenant.
#[derive(Debug, Clone)]
pub struct UserQuery {
    /// A [folded](crate::name::fold) text that the name or id must contain; empty for all users.
    pub text: String,
    /// The user to leave out: the caller.
    pub except: HubUserId,
    /// The largest number of results.
    pub limit: i64,
}

impl Identity {
    /// Returns whether this stored identity takes precedence over a token of the same user. The token then
    /// changes nothing.
    ///
    /// The token that was issued later takes precedence. A token without `iat` counts as older than every
    /// token with one; of two tokens without it, the one that is presented later takes precedence. Of two
    /// tokens with the same `iat`, the one with fewer rights does, then the one with the smaller tenant and
    /// name. So the result does not depend on the order in which these tokens are presented.
    pub fn outranks(&self, token: &Self) -> bool {
        match (self.issued_at, token.issued_at) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(stored), Some(shown)) if stored == shown => self.order() <= token.order(),
            (Some(stored), Some(shown)) => stored > shown,
        }
    }

    fn order(&self) -> (Role, TenantId, &str) {
        (self.role, self.tenant, &self.display_name)
    }
}

impl Account {
    /// Returns the value in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ours => "ours",
            Self::Foreign => "taken",
        }
    }

    /// Parses the stored form. An unknown value becomes [`Account::Pending`], which nobody may use yet.
    pub fn parse(stored: &str) -> Self {
        [Self::Ours, Self::Foreign].into_iter().find(|one| one.as_str() == stored).unwrap_or(Self::Pending)
    }
}

impl User {
    /// Returns the user id in the Hub.
    pub fn id(&self) -> &HubUserId {
        &self.identity.hub_user_id
    }

    /// Returns the user's tenant.
    pub fn tenant(&self) -> TenantId {
        self.identity.tenant
    }

    /// Checks that a token of this service was issued after the last logout. One without `iat` counts as
    /// issued before it.
    pub(crate) fn check_not_logged_out(&self, issued_at: Option<Timestamp>) -> Result<()> {
        if self.logged_out_at.is_some_and(|at| issued_at.is_none_or(|issued_at| issued_at <= at)) {
            return Err(revoked());
        }
        Ok(())
    }
}

/// Returns the error for a token of a tenant that its user has left.
pub(crate) fn superseded() -> Error {
    Error::Unauthenticated {
        code: "token_superseded",
        detail: "the token is of a tenant that you are no longer in: sign in again".into(),
    }
}

/// Returns the error for a token of this service after its user was logged out.
pub(crate) fn revoked() -> Error {
    Error::Unauthenticated {
        code: "token_revoked",
        detail: "an administrator has logged you out: sign in again with a token of the Hub".into(),
    }
}

/// Returns the error of a process that cannot store the user of a token.
pub fn unknown_here() -> Error {
    Error::not_ready(
        "the user of the token is not known here yet: any other call signs them in, then try again",
    )
}
