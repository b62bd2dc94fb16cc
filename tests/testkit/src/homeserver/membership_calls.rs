//! Memberships in memory.

use async_trait::async_trait;
use messenger_core::{
    Result,
    error::Failure,
    id::{MatrixUserId, RoomId},
    port::MembershipCalls,
};

use super::{BOT, Bot, MemoryHomeserver, call::forbidden};

#[async_trait]
impl MembershipCalls for MemoryHomeserver {
    async fn join(&self, room: &RoomId, user: &MatrixUserId) -> Result<()> {
        self.check_account(user)?;
        self.call_in(room, "joining a room", |state| {
            state.act_as(user);
            if !state.accounts.contains_key(user) {
                return Err(Failure::Rejected);
            }
            let number = state.events;
            let room = state.rooms.get_mut(room);
            let room = room.filter(|room| !room.banned.contains(user) && room.admits(user));
            room.ok_or(Failure::Rejected)?.add_member(user, number);
            Ok(())
        })
        .await
    }

    async fn join_by(&self, room: &RoomId, member: &MatrixUserId, user: &MatrixUserId) -> Result<()> {
        let is_member = *member == MatrixUserId::new(BOT) || self.members(room).contains(member);
        if is_member { self.join(room, user).await } else { Err(forbidden("joining a room")) }
    }

    async fn accept(&self, room: &RoomId, user: &MatrixUserId) -> Result<bool> {
        self.call_in(room, "accepting an invitation", |state| {
            state.act_as(user);
            let number = state.events;
            let found = state.rooms.get_mut(room).filter(|room| room.bot == Bot::In);
            let found = found.ok_or(Failure::Rejected)?;
            let was_invited = found.invited.remove(user);
            if was_invited {
                found.add_member(user, number);
            }
            Ok(was_invited)
        })
        .await
    }

    async fn leave(&self, room: &RoomId, user: &MatrixUserId) -> Result<()> {
        self.call("leaving a room", |state| {
            state.act_as(user);
            state.rooms.get_mut(room).ok_or(Failure::Rejected)?.members.remove(user);
            Ok(())
        })
        .await
    }

    async fn rooms_of(&self, user: &MatrixUserId) -> Result<Vec<RoomId>> {
        self.call("listing a user's rooms", |state| {
            state.act_as(user);
            let rooms = state.rooms.iter().filter(|(_, room)| room.members.contains(user));
            Ok(rooms.map(|(id, _)| id.clone()).collect())
        })
        .await
    }

    async fn invitations(&self, user: &MatrixUserId) -> Result<Vec<(RoomId, MatrixUserId)>> {
        self.call("listing invitations", |state| {
            let rooms = state.rooms.iter().filter(|(_, room)| room.invited.contains(user));
            Ok(rooms.map(|(id, room)| (id.clone(), room.creator.clone())).collect())
        })
        .await
    }

    async fn enter(&self, room: &RoomId, member: &MatrixUserId) -> Result<()> {
        self.call_in(room, "joining a room", |state| {
            state.act_as(member);
            let found = state.rooms.get_mut(room).filter(|room| room.members.contains(member));
            let found = found.filter(|room| !matches!(room.bot, Bot::Banned(_))).ok_or(Failure::Rejected)?;
            found.bot = Bot::In;
            Ok(())
        })
        .await
    }

    async fn leave_as_bot(&self, room: &RoomId) -> Result<()> {
        self.call_in(room, "leaving a room", |state| {
            let at = state.events;
            state.rooms.get_mut(room).ok_or(Failure::Rejected)?.bot = Bot::Out(at);
            Ok(())
        })
        .await
    }
}
