//! Permissions of a user in a room, and the errors that report a refusal.

use crate::domain::{
    error::{Error, Refusal, Result},
    id::{MatrixUserId, RoomId},
    user::{Account, Caller, User},
};

/// The error code for an account that was created by someone else.
pub const TAKEN: &str = "matrix_account_taken";

/// A user's membership of a room (Matrix specification, `m.room.member`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// In the room.
    Joined,
    /// Invited, not yet in the room.
    Invited,
    /// Banned from the room.
    Banned,
    /// None of these.
    Out,
}

/// The permissions of a user in a room (Matrix specification, `m.room.power_levels` and others).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// The user's membership.
    pub membership: Membership,
    /// Whether the user's power level suffices to send messages.
    pub may_send: bool,
    /// Whether the room was replaced by another.
    pub is_upgraded: bool,
    /// Whether messages in it must be encrypted.
    pub is_encrypted: bool,
}

/// The call that the homeserver refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Sending a message.
    Send,
    /// Joining the room.
    Join,
    /// Any other.
    Other,
}

/// Returns the error for sending into an encrypted room.
pub(crate) fn encrypted() -> Error {
    Error::Conflict {
        code: "room_encrypted",
        detail: "messages in this room are encrypted since somebody switched that on: write with the Matrix client \
                 in which you read it, or use another room"
            .into(),
        retry_after: None,
    }
}

/// Turns the homeserver's refusal of an account into an error for the client, and returns any other error
/// unchanged. The error names the account unless it is the caller's.
pub(crate) fn account_refused(caller: Option<&Caller>, user: &User, error: Error) -> Error {
    let is_caller = caller.is_some_and(|caller| caller.user.id() == user.id());
    let account = if is_caller {
        "your Matrix account".to_owned()
    } else {
        format!("the Matrix account of `{}`", user.id())
    };
    match error.refusal() {
        Some(Refusal::Deactivated) => forbidden(
            "account_deactivated",
            format!("{account} is deactivated on the homeserver: ask an administrator to reactivate it"),
        ),
        Some(Refusal::Suspended) => forbidden(
            "account_suspended",
            format!("{account} is suspended on the homeserver: ask an administrator to lift that"),
        ),
        Some(Refusal::Forbidden) => not_allowed(),
        Some(Refusal::TooLarge) | None => error,
    }
}

pub(crate) fn banned(is_caller: bool, user: &User) -> Error {
    let who = if is_caller { "you are".to_owned() } else { format!("`{}` is", user.id()) };
    forbidden(
        "user_banned",
        format!("{who} banned from this room: ask somebody who administers the room to lift the ban"),
    )
}

pub(crate) fn not_allowed() -> Error {
    forbidden(
        "not_allowed_in_room",
        "the homeserver does not allow this in this room: ask somebody who administers the room",
    )
}

pub(crate) fn forbidden(code: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::Forbidden { code, detail: detail.into() }
}

impl Permissions {
    /// All permissions.
    pub const ALL: Self =
        Self { membership: Membership::Joined, may_send: true, is_upgraded: false, is_encrypted: false };
}

/// A room that was replaced (`m.room.tombstone`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// The last of the rooms that replaced it one after another.
    pub current: RoomId,
    /// Whether only its former members may read its messages.
    pub is_history_restricted: bool,
}

/// Checks that the account of a user was not created by someone else.
pub(crate) fn check_account(user: &User, id: &MatrixUserId) -> Result<()> {
    if user.account != Account::Foreign {
        return Ok(());
    }
    let detail = format!(
        "the Matrix account {id} of `{}` was made by somebody else and is not used: ask an administrator to remove it, or \
         to add its name to MATRIX_RESERVED_LOCALPARTS",
        user.id()
    );
    Err(Error::Conflict { code: TAKEN, detail: detail.into(), retry_after: None })
}

pub(crate) fn is_account_taken(error: &Error) -> bool {
    error.code() == TAKEN
}
