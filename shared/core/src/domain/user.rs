//! Users: identity, role, account and rights.

use crate::domain::{
    error::{Error, Result},
    id::{HubUserId, TenantId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a user may do here.
///
/// In the order of their rights, the fewest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and writes.
    User,
    /// Administers their tenant.
    Admin,
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

    /// Viewers read, and nothing else.
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
    /// `iat`; `None` if the token has none. Of a stored user, that of the newest token of the Hub.
    pub issued_at: Option<Timestamp>,
}

/// The state of a user's Matrix account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// It is not made yet, or it is not known yet by whom.
    Pending,
    /// This service made it.
    Ours,
    /// Somebody else made it, so it is never used.
    Foreign,
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
    /// The state of the account that has the localpart.
    pub account: Account,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSummary {
    /// `sub` of their token.
    pub hub_user_id: HubUserId,
    /// The name people see.
    pub display_name: String,
    /// The localpart of their Matrix account.
    pub localpart: String,
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

impl Identity {
    /// Whether a stored identity counts more than a token for the same user, which then changes nothing.
    ///
    /// The token that was issued later counts. A token without `iat` is older than every token that has one; of two
    /// without it, the token that is shown later counts. Of two tokens that were issued at the same time, the token with
    /// the fewer rights counts, then the smaller tenant and name: in whatever order tokens are shown, the same one is left.
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
    /// The name used in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ours => "ours",
            Self::Foreign => "taken",
        }
    }

    /// Reads the name back. An unknown one is an account that nobody may use yet.
    pub fn parse(stored: &str) -> Self {
        [Self::Ours, Self::Foreign].into_iter().find(|one| one.as_str() == stored).unwrap_or(Self::Pending)
    }
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

/// Refuses a token of a tenant that its bearer is no longer in.
pub(crate) fn superseded() -> Error {
    Error::Unauthenticated {
        code: "token_superseded",
        detail: "the token is of a tenant that you are no longer in: sign in again".into(),
    }
}
