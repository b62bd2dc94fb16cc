//! The ports of accounts, rooms and memberships.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Error, Result,
    error::{Failure, Refusal, System},
    id::{EventId, MatrixUserId, RoomId},
    port::{ExternalAccounts, Homeserver, MembershipCalls},
    room::NewRoom,
    typing::Typing,
};
use serde_json::Value;

use super::{BOT, Bot, MemoryHomeserver, Message, Room, State};

#[async_trait]
impl Homeserver for MemoryHomeserver {
    async fn ping(&self) -> Result<()> {
        self.call("pinging the homeserver", |_| Ok(())).await
    }

    async fn claim_account(&self, user: &MatrixUserId) -> Result<bool> {
        self.call("claiming an account", |state| {
            if state.foreign.contains(user) {
                return Ok(false);
            }
            state.accounts.entry(user.clone()).or_default();
            Ok(true)
        })
        .await
    }

    async fn ensure_user(&self, user: &MatrixUserId, display_name: &str) -> Result<()> {
        self.check_account(user)?;
        self.call("ensuring an account", |state| {
            state.act_as(user);
            state.accounts.insert(user.clone(), display_name.to_owned());
            Ok(())
        })
        .await
    }

    async fn create_room(&self, room: &NewRoom) -> Result<RoomId> {
        self.call("creating a room", |state| Ok(state.create(room))).await
    }

    async fn join(&self, room: &RoomId, user: &MatrixUserId) -> Result<()> {
        self.check_account(user)?;
        self.call_in(room, "joining a room", |state| {
            state.act_as(user);
            if !state.accounts.contains_key(user) {
                return Err(Failure::Rejected);
            }
            let number = state.events;
            let room = state.rooms.get_mut(room).filter(|room| !room.banned.contains(user));
            room.ok_or(Failure::Rejected)?.add_member(user, number);
            Ok(())
        })
        .await
    }

    async fn join_by(&self, room: &RoomId, member: &MatrixUserId, user: &MatrixUserId) -> Result<()> {
        let is_member = *member == MatrixUserId::new(BOT) || self.members(room).contains(member);
        if is_member { self.join(room, user).await } else { Err(forbidden("joining a room")) }
    }

    async fn send(&self, room: &RoomId, transaction: &str, content: &Value) -> Result<EventId> {
        let bot = MatrixUserId::new(BOT);
        self.call("sending a message", |state| state.send(room, &bot, transaction, None, content)).await
    }
}

#[async_trait]
impl MembershipCalls for MemoryHomeserver {
    async fn leave(&self, room: &RoomId, user: &MatrixUserId) -> Result<()> {
        self.call("leaving a room", |state| {
            state.act_as(user);
            state.rooms.get_mut(room).ok_or(Failure::Rejected)?.members.remove(user);
            Ok(())
        })
        .await
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

    async fn show_as_direct(&self, room: &RoomId, user: &MatrixUserId, partner: &MatrixUserId) -> Result<()> {
        self.call_in(room, "marking a direct chat", |state| {
            state.act_as(user);
            state.direct.insert((user.clone(), partner.clone(), room.clone()));
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

    async fn mark_read(&self, room: &RoomId, user: &MatrixUserId, event: &EventId) -> Result<()> {
        self.call("marking a room as read", |state| {
            state.act_as(user);
            state.read.push((room.clone(), user.clone(), event.clone()));
            Ok(())
        })
        .await
    }

    async fn set_typing(&self, room: &RoomId, user: &MatrixUserId, timeout: Option<Duration>) -> Result<()> {
        self.call("setting typing", |state| {
            state.act_as(user);
            if !state.rooms.get(room).is_some_and(|room| room.members.contains(user)) {
                return Err(Failure::Rejected);
            }
            let typing = state.typing.entry(room.clone()).or_default();
            match timeout {
                Some(timeout) => typing.insert(user.clone(), timeout),
                None => typing.remove(user),
            };
            state.typing_changed.insert(room.clone());
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl ExternalAccounts for MemoryHomeserver {
    async fn set_password(&self, user: &MatrixUserId, password: &str) -> Result<()> {
        self.call("setting a password", |state| {
            state.act_as(user);
            if !state.accounts.contains_key(user) {
                return Err(Failure::Rejected);
            }
            state.passwords.insert(user.clone(), password.to_owned());
            Ok(())
        })
        .await
    }

    async fn revoke(&self, user: &MatrixUserId) -> Result<()> {
        self.call("logging devices out", |state| {
            state.act_as(user);
            state.passwords.remove(user);
            Ok(())
        })
        .await
    }
}

impl MemoryHomeserver {
    pub(super) async fn call<T>(
        &self,
        context: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, Failure> + Send,
    ) -> Result<T> {
        let fail = |failure| Error::fault(System::Homeserver, failure, context, "injected by the test");
        self.fault.step().await;
        let plan = self.state().faults.next_call();
        pause(plan.request_delay).await;
        if let Some(failure) = plan.failure {
            return Err(fail(failure));
        }
        let result = act(&mut self.state()).map_err(|failure| match failure {
            Failure::Rejected => forbidden(context),
            failure => fail(failure),
        });
        self.fault.step().await;
        pause(plan.response_delay).await;
        if plan.loses_response { Err(fail(Failure::TimedOut)) } else { result }
    }
}

impl MemoryHomeserver {
    /// Runs a call about a room, which fails if the room's calls are set to fail.
    pub(super) async fn call_in<T>(
        &self,
        room: &RoomId,
        context: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, Failure> + Send,
    ) -> Result<T> {
        self.call(context, |state| state.faults.check(room).and_then(|()| act(state))).await
    }
}

/// Returns the error of a call that the homeserver answers with `M_FORBIDDEN`.
pub(super) fn forbidden(context: &'static str) -> Error {
    Error::refused(Refusal::Forbidden, context, "injected by the test")
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl State {
    fn create(&mut self, request: &NewRoom) -> RoomId {
        if let Some(room) = self.aliases.get(&request.alias) {
            return room.clone();
        }
        // A room id has no server part since room version 12.
        let room = RoomId::new(format!("!room{}", self.rooms.len() + 1));
        self.aliases.insert(request.alias.clone(), room.clone());
        let created = Room {
            request: request.clone(),
            members: BTreeSet::new(),
            invited: BTreeSet::new(),
            joined_after: BTreeMap::new(),
            muted: BTreeSet::new(),
            banned: BTreeSet::new(),
            successor: None,
            predecessor: None,
            messages: Vec::new(),
            creator: MatrixUserId::new(BOT),
            created_at: self.stamp(self.events),
            bot: Bot::In,
            is_space: false,
        };
        self.rooms.insert(room.clone(), created);
        room
    }

    /// Returns the typing changes since the last sync.
    pub(super) fn typing_changes(&mut self) -> Vec<Typing> {
        let changed = std::mem::take(&mut self.typing_changed);
        let typing = changed.into_iter().map(|room| {
            let users = self.typing.get(&room).into_iter().flat_map(BTreeMap::keys).cloned().collect();
            Typing { room, users }
        });
        typing.collect()
    }

    pub(super) fn send(
        &mut self,
        room: &RoomId,
        sender: &MatrixUserId,
        transaction: &str,
        at: Option<Timestamp>,
        content: &Value,
    ) -> Result<EventId, Failure> {
        let at = at.unwrap_or_else(|| self.stamp(self.events + 1));
        let Self { rooms, faults, events, .. } = self;
        let messages = &mut rooms.get_mut(room).ok_or(Failure::Rejected)?.messages;
        if let Some(known) = messages.iter().find(|message| message.transaction == transaction) {
            return Ok(known.event.clone());
        }
        if faults.rejects(content["body"].as_str().unwrap_or_default()) {
            return Err(Failure::Rejected);
        }
        *events += 1;
        let event = EventId::new(format!("$event{events}"));
        let transaction = transaction.to_owned();
        messages.push(Message {
            event: event.clone(),
            sender: sender.clone(),
            number: *events,
            at,
            kind: "m.room.message".to_owned(),
            state_key: None,
            transaction,
            content: content.clone(),
        });
        Ok(event)
    }
}
