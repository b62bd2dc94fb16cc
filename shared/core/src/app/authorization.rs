//! Checks the rights of a caller in a room before a call, and explains a refusal of the homeserver after it.

use std::sync::Arc;

use crate::{
    domain::{
        error::{Error, Refusal, Result},
        id::RoomId,
        matrix_ids::MatrixIds,
        room::{
            Action, Former, Membership, Permissions, account_refused, banned, encrypted, forbidden,
            not_allowed,
        },
        user::{Caller, Role, User},
    },
    port::{self, Ports},
};

/// The engine that checks rights.
pub struct Authorization {
    room_administration: Arc<dyn port::RoomAdministration>,
    rooms: Arc<dyn port::Rooms>,
    closed_rooms: Arc<dyn port::ClosedRooms>,
    room_views: Arc<dyn port::RoomViews>,
    memberships: Arc<dyn port::Memberships>,
    ids: Arc<MatrixIds>,
}

impl Authorization {
    pub(crate) fn new(ports: &Ports, ids: &Arc<MatrixIds>) -> Self {
        Self {
            room_administration: ports.room_administration.clone(),
            rooms: ports.rooms.clone(),
            closed_rooms: ports.closed_rooms.clone(),
            room_views: ports.room_views.clone(),
            memberships: ports.memberships.clone(),
            ids: ids.clone(),
        }
    }

    /// Checks that the caller may write into the room. Returns their stored role.
    ///
    /// Viewers may only read, a room does not exist for users who are no members, and nobody writes into an
    /// encrypted room.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room)
    )]
    pub async fn check_may_write(&self, caller: &Caller, room: &RoomId) -> Result<Role> {
        let user = &caller.user;
        let access = self.room_views.member_access(user.tenant(), user.id(), room).await?;
        // Use the stored role: the cached one may be outdated.
        let role = access.as_ref().map_or(user.identity.role, |access| access.role);
        role.check_may_write()?;
        match access {
            Some(access) if access.marks.is_encrypted => Err(encrypted()),
            Some(_) => Ok(role),
            None => Err(self.no_member(caller, room).await),
        }
    }

    /// Checks on the homeserver that the caller may send into the room. Call this before an upload.
    pub(crate) async fn check_may_send(&self, caller: &Caller, room: &RoomId) -> Result<()> {
        let user = &caller.user;
        match self.room_administration.permissions(room, &self.ids.of(user)).await {
            Ok(permissions) => {
                let refusal = self.refusal(caller, room, user, permissions, Action::Send).await?;
                refusal.map_or(Ok(()), Err)
            }
            // The bot may not read the room's state. The homeserver decides when the message is sent.
            Err(error) if error.refusal().is_some() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Converts a refusal of the homeserver into an error that the caller can act on. Returns other errors
    /// unchanged.
    ///
    /// `user` is the user that the homeserver refused: the caller, or a user whom they invite.
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
        match self.closed_rooms.is_closed(room).await {
            Ok(false) => {}
            Ok(true) => return Error::NotFound("room"),
            Err(failed) => return failed,
        }
        match self.room_administration.permissions(room, &self.ids.of(user)).await {
            Ok(permissions) => match self.refusal(caller, room, user, permissions, action).await {
                Ok(refusal) => refusal.unwrap_or_else(not_allowed),
                Err(failed) => failed,
            },
            Err(failed) if failed.refusal().is_some() => not_allowed(),
            Err(failed) => failed,
        }
    }

    /// Returns the error for an action that these permissions do not allow, or `None` if they allow it.
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

    /// Returns the error for a room of which the caller is no member. Members of its successor get the
    /// successor's id; for all others the room does not exist.
    pub(crate) async fn no_member(&self, caller: &Caller, room: &RoomId) -> Error {
        match self.former_of(caller, room).await {
            Ok(Some(former)) => Error::Upgraded { successor: Some(former.current) },
            Ok(None) => Error::NotFound("room"),
            Err(failed) => failed,
        }
    }

    /// Returns the successor of a room if the caller is a member of it.
    pub(crate) async fn former_of(&self, caller: &Caller, room: &RoomId) -> Result<Option<Former>> {
        let Some(former) = self.rooms.former(room).await? else { return Ok(None) };
        let (tenant, user) = (caller.user.tenant(), caller.user.id());
        Ok(self.memberships.is_member(tenant, &former.current, user).await?.then_some(former))
    }

    /// Returns the error for a room that was replaced. It names the successor if the caller is a member of
    /// it.
    pub(crate) async fn upgraded(&self, caller: &Caller, room: &RoomId) -> Result<Error> {
        let (tenant, user) = (caller.user.tenant(), caller.user.id());
        let successor = match self.rooms.former(room).await? {
            Some(former) => Some(former.current),
            // The upgrade is not ingested yet.
            None => self.room_administration.successor(room).await?,
        };
        let successor = match successor {
            Some(room) if self.memberships.is_member(tenant, &room, user).await? => Some(room),
            _ => None,
        };
        Ok(Error::Upgraded { successor })
    }
}
