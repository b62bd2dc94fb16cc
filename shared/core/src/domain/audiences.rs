//! The audiences of a reader, with the position after which the reader receives the events of each.

use std::collections::HashMap;

use crate::domain::{
    event::Audience,
    id::{Position, RoomId},
    user::User,
};

/// The position before the first event of the log.
const BEGIN: Position = Position(0);

/// The audiences of a reader. In a room a user receives only events after the join: earlier messages are its
/// history, which may be hidden from them.
#[derive(Debug, Clone)]
pub struct Audiences(HashMap<Audience, Position>);

impl Audiences {
    /// Returns the audiences of a user in these rooms, each with the last position before the user joined.
    pub(crate) fn of(user: &User, rooms: Vec<(RoomId, Position)>) -> Self {
        let tenant = user.tenant();
        let own = [Audience::Tenant(tenant), Audience::User(tenant, user.id().clone())];
        let own = own.into_iter().map(|audience| (audience, BEGIN));
        let rooms = rooms.into_iter().map(|(room, since)| (Audience::Room(tenant, room), since));
        own.chain(rooms).collect()
    }

    /// Returns whether the reader receives an event of this audience at a position.
    pub fn includes(&self, audience: &Audience, position: Position) -> bool {
        self.0.get(audience).is_some_and(|since| position > *since)
    }

    /// Returns each audience with the position after which a reader with this cursor receives its events.
    pub fn after(&self, cursor: Position) -> impl Iterator<Item = (&Audience, Position)> {
        self.0.iter().map(move |(audience, since)| (audience, cursor.max(*since)))
    }

    /// Returns the audiences without their positions, in any order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Audience> {
        self.0.keys()
    }
}

/// Collects audiences, each with the position after which the reader receives its events.
impl FromIterator<(Audience, Position)> for Audiences {
    fn from_iter<I: IntoIterator<Item = (Audience, Position)>>(audiences: I) -> Self {
        Self(audiences.into_iter().collect())
    }
}
