//! Rooms in memory: creation, power levels, encryption, bans and room upgrades.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use messenger_core::{
    Error, Result,
    error::{Failure, Refusal},
    id::{EventId, MatrixUserId, RoomId},
    port::{RoomAdministration, RoomMember, RoomSummary},
    room::{Marks, Membership, NewRoom, Permissions},
};
use serde_json::json;

use super::{BOT, Bot, MemoryHomeserver, Message, Room, State};

#[async_trait]
impl RoomAdministration for MemoryHomeserver {
    async fn create_room(&self, room: &NewRoom) -> Result<RoomId> {
        self.call("creating a room", |state| Ok(state.create(room))).await
    }

    async fn release_alias(&self, room: &RoomId, alias: &str) -> Result<()> {
        self.call_in(room, "releasing an alias", |state| {
            if state.aliases.get(alias) == Some(room) {
                state.aliases.remove(alias);
            }
            Ok(())
        })
        .await
    }

    async fn empty(&self, room: &RoomId) -> Result<()> {
        self.call_in(room, "emptying a room", |state| {
            let at = state.events;
            let Some(found) = state.rooms.get_mut(room).filter(|room| room.bot == Bot::In) else {
                return Ok(());
            };
            found.members.retain(|member| found.unkickable.contains(member));
            found.invited.clear();
            found.bot = Bot::Out(at);
            Ok(())
        })
        .await
    }

    async fn permissions(&self, room: &RoomId, user: &MatrixUserId) -> Result<Permissions> {
        self.call_in(room, "reading the state of a room", |state| {
            let found = state.rooms.get(room).filter(|room| room.bot == Bot::In).ok_or(Failure::Rejected)?;
            Ok(Permissions {
                membership: found.membership(user),
                may_send: !found.muted.contains(user),
                is_upgraded: found.successor.is_some(),
                is_encrypted: found.has_state("m.room.encryption"),
            })
        })
        .await
    }

    async fn summary(&self, room: &RoomId, member: &MatrixUserId) -> Result<RoomSummary> {
        self.call_in(room, "reading a room's summary", |state| {
            state.act_as(member);
            let is_in =
                |room: &&Room| room.members.contains(member) || room.bot == Bot::In && member.as_str() == BOT;
            let found = state.rooms.get(room).filter(is_in).ok_or(Failure::Rejected)?;
            let bot = (found.bot == Bot::In).then(|| MatrixUserId::new(BOT));
            let people =
                found.members.iter().cloned().chain(bot).map(|id| RoomMember { id, is_joined: true });
            let invited = found.invited.iter().cloned().map(|id| RoomMember { id, is_joined: false });
            let alias = &found.request.alias;
            Ok(RoomSummary {
                made_by: found.creator.clone(),
                made_at: found.created_at,
                name: found
                    .state("m.room.name", "name")
                    .or_else(|| Some(found.request.name.clone()).filter(|name| !name.is_empty())),
                topic: found.state("m.room.topic", "topic").or_else(|| found.request.topic.clone()),
                is_space: found.is_space,
                alias: (!alias.is_empty()).then(|| format!("#{alias}:hub.local")),
                marks: Marks {
                    is_encrypted: found.has_state("m.room.encryption"),
                    is_history_restricted: found.is_restricted_at(u64::MAX),
                },
                is_upgraded: found.successor.is_some(),
                predecessor: found.predecessor.clone(),
                is_direct: found.request.is_direct,
                people: people.chain(invited).collect(),
            })
        })
        .await
    }

    async fn successor(&self, room: &RoomId) -> Result<Option<RoomId>> {
        self.call_in(room, "reading the state of a room", |state| {
            Ok(state.rooms.get(room).and_then(|room| room.successor.clone()))
        })
        .await
    }

    async fn discard(&self, room: &RoomId, alias: &str) -> Result<()> {
        self.call_in(room, "discarding a room", |state| {
            state.aliases.remove(alias);
            let at = state.events;
            state.rooms.get_mut(room).ok_or(Failure::Rejected)?.bot = Bot::Out(at);
            Ok(())
        })
        .await
    }
}

impl MemoryHomeserver {
    /// Deactivates an account, as an administrator of the homeserver does.
    pub fn deactivate(&self, user: &MatrixUserId) {
        self.state().deactivated.insert(user.clone());
    }

    /// Takes a user's power level to send in a room.
    pub fn mute(&self, room: &RoomId, user: &MatrixUserId) {
        self.state().rooms.get_mut(room).expect("the room exists").muted.insert(user.clone());
    }

    /// Gives a member of a room more power than the bot has, so that the bot cannot remove them.
    pub fn empower(&self, room: &RoomId, user: &MatrixUserId) {
        self.state().rooms.get_mut(room).expect("the room exists").unkickable.insert(user.clone());
    }

    /// Bans a user from a room. Returns the membership event.
    pub fn ban(&self, room: &RoomId, sender: &MatrixUserId, user: &MatrixUserId) -> EventId {
        let event = self.end_membership(room, sender, user);
        self.state().rooms.get_mut(room).expect("the room exists").banned.insert(user.clone());
        event
    }

    /// Sets a state event with an empty state key. Returns its id.
    pub fn set_state(
        &self,
        room: &RoomId,
        sender: &MatrixUserId,
        kind: &str,
        content: serde_json::Value,
    ) -> EventId {
        let mut state = self.state();
        let event = state.send_event(room, sender, kind, content);
        state.last(room).state_key = Some(MatrixUserId::new(""));
        event
    }

    /// Replaces a room by a new one whose only member is the sender. Returns the new room and the tombstone.
    pub fn upgrade_room(&self, room: &RoomId, sender: &MatrixUserId) -> (RoomId, EventId) {
        let new = if *sender == MatrixUserId::new(BOT) {
            let new = self.create_room_as(sender, &[], false);
            let mut state = self.state();
            let created = state.rooms.get_mut(&new).expect("the room exists");
            created.members.clear();
            created.bot = Bot::In;
            new
        } else {
            self.create_room_as(sender, &[], false)
        };
        let mut state = self.state();
        state.rooms.get_mut(&new).expect("the room exists").predecessor = Some(room.clone());
        state.rooms.get_mut(room).expect("the room exists").successor = Some(new.clone());
        drop(state);
        let tombstone = self.set_state(room, sender, "m.room.tombstone", json!({ "replacement_room": new }));
        (new, tombstone)
    }

    /// Returns whether the bot is in a room.
    pub fn has_bot(&self, room: &RoomId) -> bool {
        self.state().room(room).bot == Bot::In
    }

    /// Names another room as the predecessor of a room, as its creator may without any right to do so.
    pub fn set_predecessor(&self, room: &RoomId, old: &RoomId) {
        self.state().rooms.get_mut(room).expect("the room exists").predecessor = Some(old.clone());
    }

    /// Sends a tombstone that names any room as the successor. Returns the tombstone.
    pub fn send_tombstone(&self, room: &RoomId, sender: &MatrixUserId, by: &RoomId) -> EventId {
        self.state().rooms.get_mut(room).expect("the room exists").successor = Some(by.clone());
        self.set_state(room, sender, "m.room.tombstone", json!({ "replacement_room": by }))
    }

    pub(super) fn check_account(&self, user: &MatrixUserId) -> Result<()> {
        if self.state().deactivated.contains(user) {
            return Err(Error::refused(Refusal::Deactivated, "acting for a user", "the test wants it"));
        }
        Ok(())
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
            unkickable: BTreeSet::new(),
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

    /// Returns the events of a room that the bot or a user may read.
    pub(super) fn read_by(
        &self,
        room: &RoomId,
        reader: Option<&MatrixUserId>,
    ) -> Result<Vec<&Message>, Failure> {
        let Some(reader) = reader else { return Ok(self.read_by_bot(room)?.iter().collect()) };
        let room = self.rooms.get(room).ok_or(Failure::Rejected)?;
        let joined_after = *room.joined_after.get(reader).ok_or(Failure::Rejected)?;
        let visible = room
            .messages
            .iter()
            .filter(|message| message.number > joined_after || !room.is_restricted_at(message.number));
        Ok(visible.collect())
    }

    fn last(&mut self, room: &RoomId) -> &mut Message {
        let messages = &mut self.rooms.get_mut(room).expect("the room exists").messages;
        messages.last_mut().expect("the room has an event")
    }
}

impl Room {
    pub(super) fn add_member(&mut self, user: &MatrixUserId, number: u64) {
        self.invited.remove(user);
        if self.members.insert(user.clone()) {
            self.joined_after.insert(user.clone(), number);
        }
    }

    /// Returns whether the bot can bring a user in.
    pub(super) fn admits(&self, user: &MatrixUserId) -> bool {
        self.bot == Bot::In || self.members.contains(user) || self.invited.contains(user)
    }

    pub(super) fn may_send(&self, user: &MatrixUserId) -> bool {
        self.members.contains(user) && !self.muted.contains(user) && self.successor.is_none()
    }

    pub(super) fn has_state(&self, kind: &str) -> bool {
        self.messages.iter().any(|message| message.kind == kind)
    }

    /// Returns whether the history visibility at an event hides it from users who joined later.
    pub(super) fn is_restricted_at(&self, number: u64) -> bool {
        let mut before = self.messages.iter().rev().skip_while(|message| message.number > number);
        let last = before.find(|message| message.kind == "m.room.history_visibility");
        last.is_some_and(|message| {
            matches!(message.content["history_visibility"].as_str(), Some("joined" | "invited"))
        })
    }

    fn membership(&self, user: &MatrixUserId) -> Membership {
        if self.members.contains(user) {
            Membership::Joined
        } else if self.invited.contains(user) {
            Membership::Invited
        } else if self.banned.contains(user) {
            Membership::Banned
        } else {
            Membership::Out
        }
    }
}
