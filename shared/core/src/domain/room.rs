//! Rooms: keys, views, marks, and what a user may do in one.

mod key;
mod marks;
mod permissions;
mod view;

use crate::domain::id::{MatrixUserId, RoomId};

pub use key::{Pair, RoomKey, RoomKind};
pub use marks::{Access, Marks};
pub(crate) use permissions::{
    Action, account_refused, banned, check_account, encrypted, forbidden, is_account_taken, not_allowed,
};
pub use permissions::{Former, Membership, Permissions, TAKEN};
pub use view::{Listed, Member, Profile, Room, RoomType, Search};

/// What the homeserver is asked to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoom {
    /// Alias localpart, derived from the key: a second attempt finds the room of the first.
    pub alias: String,
    /// The name people see.
    pub name: String,
    /// One line about it.
    pub topic: Option<String>,
    /// Whether clients should show it as a direct chat.
    pub is_direct: bool,
    /// Whether its members may invite others with any Matrix client, as they may here.
    pub members_invite: bool,
    /// Invited at creation. If the room is direct, it is the chat of these: with each other if they are two, with the
    /// bot if it is one.
    pub invite: Vec<MatrixUserId>,
}

/// The answer to "may I create this room?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nobody else is at it: create and [`register`](crate::port::Rooms::register) it.
    Yours,
    /// It exists.
    Registered(RoomId),
    /// Somebody else is creating it.
    Held,
}

/// What somebody wants a new room to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomCreation {
    /// Its name.
    pub name: String,
    /// One line about it.
    pub topic: Option<String>,
    /// Who is to be in it from the start: ids of the Hub, or full Matrix ids of our server.
    pub invite: Vec<String>,
}
