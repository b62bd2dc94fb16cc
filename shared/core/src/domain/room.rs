//! Rooms: their keys, views, marks and permissions.

mod closed;
mod key;
mod marks;
mod permissions;
mod view;

use crate::domain::id::{MatrixUserId, RoomId};

pub(crate) use closed::CLOSED;
pub use closed::room_closed;
pub use key::{Pair, RoomKey, RoomKind};
pub use marks::{Access, Marks};
pub(crate) use permissions::{
    Action, account_refused, banned, check_account, encrypted, forbidden, is_account_taken, not_allowed,
};
pub use permissions::{Former, Membership, Permissions, TAKEN};
pub use view::{Listed, Member, Profile, Room, RoomType, Search};

/// A room to create on the homeserver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoom {
    /// The localpart of its alias. It is derived from the key, so that a second attempt finds the room of the
    /// first.
    pub alias: String,
    /// Its display name.
    pub name: String,
    /// Its topic.
    pub topic: Option<String>,
    /// Whether clients should show it as a direct chat.
    pub is_direct: bool,
    /// Whether its members may invite others with any Matrix client, as they may with this service.
    pub members_invite: bool,
    /// The users to invite at creation. In a direct chat they are its partners: two users, or one user and
    /// the bot.
    pub invite: Vec<MatrixUserId>,
}

/// The outcome of a claim to create a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The caller holds the claim: it creates and [registers](crate::port::Rooms::register) the room.
    Yours,
    /// The room is registered already.
    Registered(RoomId),
    /// Another caller holds the claim.
    Held,
}

/// A user's request to create a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomCreation {
    /// The name.
    pub name: String,
    /// The topic.
    pub topic: Option<String>,
    /// The first members beside the user: user ids of the Hub, or full Matrix ids of this homeserver.
    pub invite: Vec<String>,
}
