//! What the homeserver lets a user do in a room, and the answer when it refuses.

use crate::{
    Error, Messenger, Result,
    error::Refusal,
    id::RoomId,
    user::{Caller, User},
};

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

/// What a user may do in a room (Matrix specification, `m.room.power_levels` and others).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// Their membership.
    pub membership: Membership,
    /// Whether their power level suffices to send messages.
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
    /// Bringing the user into the room.
    Join,
    /// Any other.
    Other,
}

impl Messenger {
    /// Checks on the homeserver that the caller may send into the room. Nothing may be uploaded before.
    pub(crate) async fn check_may_send(&self, caller: &Caller, room: &RoomId) -> Result<()> {
        let user = &caller.user;
        match self.room_state.permissions(room, &self.matrix_id(user)).await {
            Ok(permissions) => {
                let refusal = self.refusal(caller, room, user, permissions, Action::Send).await?;
                refusal.map_or(Ok(()), Err)
            }
            // The bot may not look. The homeserver decides when the message is sent.
            Err(error) if error.refusal().is_some() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Turns a refusal of a call for the caller into an answer that they can act on; any other error stays as it is.
    /// `user` is whom the homeserver refused: the caller, or somebody whom they want to bring in.
    pub(crate) async fn explain(
        &self,
        caller: &Caller,
        room: &RoomId,
        user: &User,
        action: Action,
        error: Error,
    ) -> Error {
        if error.refusal() != Some(Refusal::Forbidden) {
            return account_refused(Some(caller), user, error);
        }
        match self.room_state.permissions(room, &self.matrix_id(user)).await {
            Ok(permissions) => match self.refusal(caller, room, user, permissions, action).await {
                Ok(refusal) => refusal.unwrap_or_else(not_allowed),
                Err(failed) => failed,
            },
            Err(failed) if failed.refusal().is_some() => not_allowed(),
            Err(failed) => failed,
        }
    }

    /// Returns the answer to an action that these permissions do not allow; `None` if they allow it.
    async fn refusal(
        &self,
        caller: &Caller,
        room: &RoomId,
        user: &User,
        permissions: Permissions,
        action: Action,
    ) -> Result<Option<Error>> {
        let is_caller = user.id() == caller.user.id();
        if permissions.is_upgraded {
            return self.upgraded(caller, room).await.map(Some);
        }
        Ok(match (permissions.membership, action) {
            (Membership::Banned, _) => Some(banned(is_caller, user)),
            (_, Action::Send) if permissions.is_encrypted => Some(encrypted()),
            (Membership::Joined, Action::Send) if !permissions.may_send => Some(forbidden(
                "not_allowed_in_room",
                "you may read in this room, not write: ask somebody who administers the room for the right",
            )),
            (Membership::Out | Membership::Invited, Action::Send | Action::Other) if is_caller => {
                Some(forbidden(
                    "not_allowed_in_room",
                    "you are no longer in this room: ask one of its members to invite you",
                ))
            }
            _ => None,
        })
    }

    /// Returns the answer to a call for a room in which the caller is no member: to those of the room that replaced it,
    /// where they are now; to anybody else, that there is none.
    pub(crate) async fn no_member(&self, caller: &Caller, room: &RoomId) -> Error {
        match self.former_of(caller, room).await {
            Ok(Some(former)) => Error::Upgraded { successor: Some(former.current) },
            Ok(None) => Error::NotFound("room"),
            Err(failed) => failed,
        }
    }

    /// Returns what replaced a room, to a member of that.
    pub(crate) async fn former_of(&self, caller: &Caller, room: &RoomId) -> Result<Option<Former>> {
        let Some(former) = self.room_records.former(room).await? else { return Ok(None) };
        let (tenant, user) = (caller.user.tenant(), caller.user.id());
        Ok(self.messages.is_member(tenant, &former.current, user).await?.then_some(former))
    }

    /// Returns the answer to a call for a room that was replaced. It names the successor to its members.
    pub(crate) async fn upgraded(&self, caller: &Caller, room: &RoomId) -> Result<Error> {
        let (tenant, user) = (caller.user.tenant(), caller.user.id());
        let successor = match self.room_records.former(room).await? {
            Some(former) => Some(former.current),
            // It is not taken over yet.
            None => self.room_state.successor(room).await?,
        };
        let successor = match successor {
            Some(room) if self.messages.is_member(tenant, &room, user).await? => Some(room),
            _ => None,
        };
        Ok(Error::Upgraded { successor })
    }
}

/// The answer to sending into an encrypted room.
pub(crate) fn encrypted() -> Error {
    Error::Conflict {
        code: "room_encrypted",
        detail: "messages in this room are encrypted since somebody switched that on: write with the Matrix client \
                 in which you read it, or use another room"
            .into(),
        retry_after: None,
    }
}

/// Turns the refusal of an account into an answer; any other error stays as it is. Without a caller the account is named.
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

fn banned(is_caller: bool, user: &User) -> Error {
    let who = if is_caller { "you are".to_owned() } else { format!("`{}` is", user.id()) };
    forbidden(
        "user_banned",
        format!("{who} banned from this room: ask somebody who administers the room to lift the ban"),
    )
}

fn not_allowed() -> Error {
    forbidden(
        "not_allowed_in_room",
        "the homeserver does not allow this in this room: ask somebody who administers the room",
    )
}

fn forbidden(code: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::Forbidden { code, detail: detail.into() }
}

impl Permissions {
    /// Everything is allowed.
    pub const ALL: Self =
        Self { membership: Membership::Joined, may_send: true, is_upgraded: false, is_encrypted: false };
}

/// A room that was replaced (`m.room.tombstone`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// The room that replaced it, however often that was replaced in turn.
    pub current: RoomId,
    /// Whether only those who were there may read what was said in it.
    pub is_history_restricted: bool,
}
