//! A homeserver in memory: accounts, rooms, and messages that are stored once for each transaction id. A test
//! can switch it off, slow it down, and make it fail.

mod accounts;
mod call;
mod ephemeral_events;
mod faults;
mod files;
mod membership_calls;
mod relations;
mod state;
mod timeline;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::Timestamp;
use messenger_core::{
    id::{EventId, MatrixUserId, RoomId},
    lock,
    receipt::Receipt,
    room::NewRoom,
};
use serde_json::Value;

use crate::{clock::START, fault::FaultInjector};

/// The bot of the default settings.
const BOT: &str = "@messenger:hub.local";

/// The homeserver. Clones share the state.
#[derive(Clone, Default)]
pub struct MemoryHomeserver {
    state: Arc<Mutex<State>>,
    fault: FaultInjector,
}

#[derive(Default)]
struct State {
    faults: faults::Faults,
    accounts: BTreeMap<MatrixUserId, String>,
    /// Accounts that the service did not make.
    foreign: BTreeSet<MatrixUserId>,
    /// The foreign accounts in whose name the service acted all the same.
    impersonated: BTreeSet<MatrixUserId>,
    deactivated: BTreeSet<MatrixUserId>,
    passwords: BTreeMap<MatrixUserId, String>,
    /// Direct chats, as (user, partner, room).
    direct: BTreeSet<(MatrixUserId, MatrixUserId, RoomId)>,
    read: Vec<(RoomId, MatrixUserId, EventId)>,
    /// Receipts of other clients that no sync has returned yet.
    receipts: Vec<Receipt>,
    typing: BTreeMap<RoomId, BTreeMap<MatrixUserId, Duration>>,
    /// Rooms in which the typing users have changed since the last sync.
    typing_changed: BTreeSet<RoomId>,
    aliases: HashMap<String, RoomId>,
    rooms: BTreeMap<RoomId, Room>,
    events: u64,
    files: files::Table,
    /// The time that has passed since the tests began.
    passed: Duration,
    /// The rooms that users have silenced.
    silent: BTreeSet<(RoomId, MatrixUserId)>,
    /// Set if an unknown sync token counts as the beginning, as on Conduit.
    accepts_unknown_tokens: bool,
}

struct Room {
    request: NewRoom,
    members: BTreeSet<MatrixUserId>,
    invited: BTreeSet<MatrixUserId>,
    /// The number of the last event before each member joined.
    joined_after: BTreeMap<MatrixUserId, u64>,
    muted: BTreeSet<MatrixUserId>,
    banned: BTreeSet<MatrixUserId>,
    /// Members with more power than the bot.
    unkickable: BTreeSet<MatrixUserId>,
    successor: Option<RoomId>,
    predecessor: Option<RoomId>,
    messages: Vec<Message>,
    creator: MatrixUserId,
    created_at: Timestamp,
    bot: Bot,
    is_space: bool,
}

/// The bot's membership of a room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bot {
    In,
    /// Left or kicked by this event; it may join again.
    Out(u64),
    /// Banned by this event.
    Banned(u64),
}

/// An event in a room, mostly a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The event id.
    pub event: EventId,
    /// The sender.
    pub sender: MatrixUserId,
    /// The position among all events of the server.
    pub number: u64,
    /// The `origin_server_ts`; each event is one second later than the one before.
    pub at: Timestamp,
    /// The event type, mostly `m.room.message`.
    pub kind: String,
    /// The state key; for a change of membership, the user whose membership changes.
    pub state_key: Option<MatrixUserId>,
    /// The transaction id with which it was sent.
    pub transaction: String,
    /// The content.
    pub content: Value,
}

impl Message {
    /// Returns the plain text; empty if the content has none.
    pub fn body(&self) -> &str {
        self.content["body"].as_str().unwrap_or_default()
    }
}

impl MemoryHomeserver {
    /// Returns the ids of all rooms.
    pub fn rooms(&self) -> Vec<RoomId> {
        self.state().rooms.keys().cloned().collect()
    }

    /// Returns the room with this alias localpart.
    pub fn room_by_alias(&self, alias: &str) -> Option<RoomId> {
        self.state().aliases.get(alias).cloned()
    }

    /// Returns the request with which a room was created.
    pub fn creation_request(&self, room: &RoomId) -> NewRoom {
        self.state().room(room).request.clone()
    }

    /// Returns the members of a room without the bot.
    pub fn members(&self, room: &RoomId) -> Vec<MatrixUserId> {
        self.state().room(room).members.iter().cloned().collect()
    }

    /// Returns the events of a room, in order.
    pub fn messages(&self, room: &RoomId) -> Vec<Message> {
        self.state().room(room).messages.clone()
    }

    /// Returns the plain texts of a room, in order.
    pub fn bodies(&self, room: &RoomId) -> Vec<String> {
        self.messages(room).iter().map(|message| message.body().to_owned()).collect()
    }

    /// Returns the plain texts of all rooms, room by room.
    pub fn all_bodies(&self) -> Vec<String> {
        self.rooms().iter().flat_map(|room| self.bodies(room)).collect()
    }

    /// Returns the display name of an account; `None` if there is no such account.
    pub fn display_name(&self, user: &MatrixUserId) -> Option<String> {
        self.state().accounts.get(user).cloned()
    }

    /// Adds an account that the service did not make.
    pub fn add_foreign_account(&self, user: &MatrixUserId) {
        self.state().foreign.insert(user.clone());
    }

    /// Removes an account that the service did not make.
    pub fn remove_foreign_account(&self, user: &MatrixUserId) {
        self.state().foreign.remove(user);
    }

    /// Returns the foreign accounts in whose name the service acted.
    pub fn impersonated_accounts(&self) -> Vec<MatrixUserId> {
        self.state().impersonated.iter().cloned().collect()
    }

    /// Returns whether a login with this password succeeds.
    pub fn accepts_password(&self, user: &MatrixUserId, password: &str) -> bool {
        self.state().passwords.get(user).is_some_and(|known| known == password)
    }

    /// Returns all passwords with which a login succeeds.
    pub fn passwords(&self) -> Vec<String> {
        self.state().passwords.values().cloned().collect()
    }

    /// Returns the read receipts that the service sent, in order.
    pub fn receipts(&self) -> Vec<(RoomId, MatrixUserId, EventId)> {
        self.state().read.clone()
    }

    /// Returns whether the user's clients show the room as a direct chat with this partner.
    pub fn is_direct(&self, room: &RoomId, user: &MatrixUserId, partner: &MatrixUserId) -> bool {
        self.state().direct.contains(&(user.clone(), partner.clone(), room.clone()))
    }

    /// Returns the users who are typing in a room, with the timeout that each was given. They never time out.
    pub fn typing(&self, room: &RoomId) -> Vec<(MatrixUserId, Duration)> {
        let typing = self.state().typing.get(room).cloned().unwrap_or_default();
        typing.into_iter().collect()
    }

    /// Returns the number of uploaded files.
    pub fn files(&self) -> usize {
        self.state().files.len()
    }

    /// Returns the number of accounts.
    pub fn accounts(&self) -> usize {
        self.state().accounts.len()
    }

    /// Sends a read receipt as another client of a user.
    pub fn send_receipt(&self, room: &RoomId, user: &MatrixUserId, event: &EventId) {
        let receipt = Receipt { room: room.clone(), user: user.clone(), event: event.clone() };
        self.state().receipts.push(receipt);
    }

    /// Moves the clock forward.
    pub fn pass(&self, time: Duration) {
        self.state().passed += time;
    }

    /// Makes an unknown sync token count as the beginning from now on, as on Conduit.
    pub fn accept_unknown_tokens(&self) {
        self.state().accepts_unknown_tokens = true;
    }

    /// Returns the same server as another process uses it.
    pub(crate) fn of_process(&self, fault: &FaultInjector) -> Self {
        Self { fault: fault.clone(), ..self.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// Returns the time of the event with this number.
    fn stamp(&self, number: u64) -> Timestamp {
        START + self.passed + Duration::from_secs(number)
    }

    /// Records that the service acted in a user's name if it did not make the account.
    fn act_as(&mut self, user: &MatrixUserId) {
        if self.foreign.contains(user) {
            self.impersonated.insert(user.clone());
        }
    }

    fn room(&self, room: &RoomId) -> &Room {
        self.rooms.get(room).unwrap_or_else(|| panic!("there is no room {room}"))
    }
}
