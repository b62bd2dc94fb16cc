//! A homeserver in memory: accounts, rooms by alias, and messages that count once for each transaction id. It can be
//! switched off, made slow, and told to fail.

mod files;
mod port;
mod state;
mod timeline;
mod trouble;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use messenger_core::{
    id::{EventId, MatrixUserId, RoomId},
    receipt::Receipt,
    room::NewRoom,
};
use serde_json::Value;

use crate::{clock::START, fault::FaultInjector};

/// The bot of the usual settings.
const BOT: &str = "@messenger:hub.local";

/// The homeserver. Clones are the same server.
#[derive(Clone, Default)]
pub struct MemoryHomeserver {
    state: Arc<Mutex<State>>,
    fault: FaultInjector,
}

#[derive(Default)]
struct State {
    trouble: trouble::Trouble,
    accounts: BTreeMap<MatrixUserId, String>,
    /// Accounts that somebody else made, and those of them in whose name we acted all the same.
    foreign: BTreeSet<MatrixUserId>,
    misused: BTreeSet<MatrixUserId>,
    deactivated: BTreeSet<MatrixUserId>,
    passwords: BTreeMap<MatrixUserId, String>,
    /// Whom each has a direct chat with, and where.
    direct: BTreeSet<(MatrixUserId, MatrixUserId, RoomId)>,
    read: Vec<(RoomId, MatrixUserId, EventId)>,
    /// Receipts of other clients, until they are told.
    receipts: Vec<Receipt>,
    typing: BTreeMap<RoomId, BTreeMap<MatrixUserId, Duration>>,
    /// Where that has changed since it was last read.
    typing_changed: BTreeSet<RoomId>,
    aliases: HashMap<String, RoomId>,
    rooms: BTreeMap<RoomId, Room>,
    events: u64,
    files: files::Table,
    /// How much later it is than when tests begin.
    passed: Duration,
    /// Whether a position that is none counts as the beginning, as on Conduit.
    is_forgiving: bool,
}

/// A room.
struct Room {
    asked: NewRoom,
    members: BTreeSet<MatrixUserId>,
    invited: BTreeSet<MatrixUserId>,
    /// What was the last event when each came in.
    came: BTreeMap<MatrixUserId, u64>,
    muted: BTreeSet<MatrixUserId>,
    banned: BTreeSet<MatrixUserId>,
    successor: Option<RoomId>,
    predecessor: Option<RoomId>,
    messages: Vec<Message>,
    made_by: MatrixUserId,
    made_at: Timestamp,
    bot: Bot,
    is_space: bool,
}

/// Whether the bot is in a room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bot {
    In,
    /// Put out by this event; it may come back.
    Out(u64),
    /// For good.
    Banned(u64),
}

/// A message in a room.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id.
    pub event: EventId,
    /// Who said it.
    pub sender: MatrixUserId,
    /// Its place among all messages of the server.
    pub number: u64,
    /// When it was said; of two at the same time the later one a second later.
    pub at: Timestamp,
    /// Its type; mostly `m.room.message`.
    pub kind: String,
    /// Whom it is about, if it is a change of membership.
    pub about: Option<MatrixUserId>,
    /// The transaction that sent it.
    pub transaction: String,
    /// What it says.
    pub content: Value,
}

impl Message {
    /// Its plain text.
    pub fn body(&self) -> &str {
        self.content["body"].as_str().unwrap_or_default()
    }
}

/// What tests ask.
impl MemoryHomeserver {
    /// All rooms.
    pub fn rooms(&self) -> Vec<RoomId> {
        self.state().rooms.keys().cloned().collect()
    }

    /// The room that has this alias localpart.
    pub fn room_by_alias(&self, alias: &str) -> Option<RoomId> {
        self.state().aliases.get(alias).cloned()
    }

    /// What was asked for when a room was created.
    pub fn asked(&self, room: &RoomId) -> NewRoom {
        self.state().room(room).asked.clone()
    }

    /// Who is in a room, beside the bot.
    pub fn members(&self, room: &RoomId) -> Vec<MatrixUserId> {
        self.state().room(room).members.iter().cloned().collect()
    }

    /// What stands in a room, in its order.
    pub fn messages(&self, room: &RoomId) -> Vec<Message> {
        self.state().room(room).messages.clone()
    }

    /// The plain texts of a room, in its order.
    pub fn bodies(&self, room: &RoomId) -> Vec<String> {
        self.messages(room).iter().map(|message| message.body().to_owned()).collect()
    }

    /// The plain texts of all rooms, room by room.
    pub fn all_bodies(&self) -> Vec<String> {
        self.rooms().iter().flat_map(|room| self.bodies(room)).collect()
    }

    /// The display name of an account, if it exists.
    pub fn display_name(&self, user: &MatrixUserId) -> Option<String> {
        self.state().accounts.get(user).cloned()
    }

    /// Somebody else makes an account.
    pub fn make_foreign(&self, user: &MatrixUserId) {
        self.state().foreign.insert(user.clone());
    }

    /// The account that somebody else made is gone.
    pub fn remove_foreign(&self, user: &MatrixUserId) {
        self.state().foreign.remove(user);
    }

    /// Accounts that somebody else made and in whose name we acted.
    pub fn misused(&self) -> Vec<MatrixUserId> {
        self.state().misused.iter().cloned().collect()
    }

    /// Whether somebody gets in with this password.
    pub fn lets_in(&self, user: &MatrixUserId, password: &str) -> bool {
        self.state().passwords.get(user).is_some_and(|known| known == password)
    }

    /// All passwords that let somebody in.
    pub fn passwords(&self) -> Vec<String> {
        self.state().passwords.values().cloned().collect()
    }

    /// Who has read what, in the order in which it was said.
    pub fn receipts(&self) -> Vec<(RoomId, MatrixUserId, EventId)> {
        self.state().read.clone()
    }

    /// Whether the user's clients show the room as a direct chat with this partner.
    pub fn is_direct(&self, room: &RoomId, user: &MatrixUserId, partner: &MatrixUserId) -> bool {
        self.state().direct.contains(&(user.clone(), partner.clone(), room.clone()))
    }

    /// Who types in a room, and for how long they said so. Nobody stops by themselves.
    pub fn typing(&self, room: &RoomId) -> Vec<(MatrixUserId, Duration)> {
        let typing = self.state().typing.get(room).cloned().unwrap_or_default();
        typing.into_iter().collect()
    }

    /// How many files were uploaded.
    pub fn files(&self) -> usize {
        self.state().files.len()
    }

    /// How many accounts there are.
    pub fn accounts(&self) -> usize {
        self.state().accounts.len()
    }

    /// Somebody reads a room up to an event with another client.
    pub fn reads(&self, room: &RoomId, user: &MatrixUserId, event: &EventId) {
        let receipt = Receipt { room: room.clone(), user: user.clone(), event: event.clone() };
        self.state().receipts.push(receipt);
    }

    /// Lets time pass: what is said from now on is said later.
    pub fn pass(&self, time: Duration) {
        self.state().passed += time;
    }

    /// From now on a position that is none is taken for the beginning, as Conduit does it.
    pub fn forgive_positions(&self) {
        self.state().is_forgiving = true;
    }

    /// The same server as another process sees it.
    pub(crate) fn of_process(&self, fault: &FaultInjector) -> Self {
        Self { fault: fault.clone(), ..self.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What time the next message has.
    fn stamp(&self, number: u64) -> Timestamp {
        START + self.passed + Duration::from_secs(number)
    }

    /// Notes a call in the name of an account that somebody else made.
    fn act_as(&mut self, user: &MatrixUserId) {
        if self.foreign.contains(user) {
            self.misused.insert(user.clone());
        }
    }

    fn room(&self, room: &RoomId) -> &Room {
        self.rooms.get(room).unwrap_or_else(|| panic!("there is no room {room}"))
    }
}
