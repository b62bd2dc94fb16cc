//! The ports of accounts on the homeserver (Matrix Client-Server API, "Account registration and management").

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{MatrixUserId, RoomId},
};

/// The accounts of users on the homeserver, with their profiles and direct chats.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Registers the account. An account that an earlier call registered is recognised, even if the response
    /// to that call was lost. Returns `false`, and changes nothing, if the account was created by someone
    /// else.
    async fn claim_account(&self, user: &MatrixUserId) -> Result<bool>;

    /// Sets the display name of an account that [`claim_account`](Self::claim_account) has claimed.
    async fn ensure_user(&self, user: &MatrixUserId, display_name: &str) -> Result<()>;

    /// Adds or removes the push rule that makes a room silent for the user. Mentions of the user and urgent
    /// notifications ring all the same.
    async fn silence(&self, room: &RoomId, user: &MatrixUserId, is_silent: bool) -> Result<()>;

    /// Adds the room to the user's direct chats with this partner (`m.direct`), and keeps existing entries. A
    /// refusal by the homeserver is no error, because the chat works without it.
    async fn show_as_direct(&self, room: &RoomId, user: &MatrixUserId, partner: &MatrixUserId) -> Result<()>;
}

/// The accounts on the homeserver, as other Matrix clients use them.
#[async_trait]
pub trait ExternalAccounts: Send + Sync {
    /// Sets the password of the account, and logs out all its devices but that of this service.
    async fn set_password(&self, user: &MatrixUserId, password: &str) -> Result<()>;

    /// Replaces the account's password by an unknown one, and logs out all its devices but that of this
    /// service.
    async fn revoke(&self, user: &MatrixUserId) -> Result<()>;
}
