//! Users as administrators see them.

use jiff::Timestamp;

use crate::domain::user::{Account, Role, User};

/// A user as administrators see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The user.
    pub user: User,
    /// Whether an administrator gave the display name.
    pub is_renamed: bool,
    /// The display name, folded for search and order.
    pub search_name: String,
    /// The version, which grows with each change of name, role, tenant, account and external access.
    pub version: i64,
    /// The time of the first sign-in.
    pub created_at: Timestamp,
    /// The time of the last call, to some minutes; `None` if there was none since times are stored.
    pub last_seen_at: Option<Timestamp>,
}

/// A query for the users of a tenant, by name.
#[derive(Debug, Clone, Default)]
pub struct UserRecordQuery {
    /// A [folded](crate::name::fold) text that the name or id must contain; empty for all users.
    pub text: String,
    /// The role; `None` for all. That of administrators includes super administrators.
    pub role: Option<Role>,
    /// The state of the Matrix account; `None` for all.
    pub account: Option<Account>,
    /// Whether other Matrix clients are enabled; `None` for all users.
    pub external: Option<bool>,
    /// The last user of the page before; `None` for the first page.
    pub after: Option<UserCursor>,
    /// The largest number of results.
    pub limit: i64,
}

/// The place of a user in the order by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCursor {
    /// The folded display name.
    pub name: String,
    /// The user id.
    pub id: String,
}

impl UserRecord {
    /// Returns the user's place in the order by name.
    pub fn cursor(&self) -> UserCursor {
        UserCursor { name: self.search_name.clone(), id: self.user.id().to_string() }
    }
}
