//! The audiences of a user, with the position after which the user receives the events of each.

use std::{collections::HashMap, ops::Deref};

use crate::domain::{
    event::Audience,
    id::{Position, RoomId},
    user::User,
};

/// The audiences of a user. In a room the user receives only events after the join: earlier messages are its
/// history, which may be hidden from them.
pub(crate) struct Audiences {
    all: Vec<Audience>,
    since: HashMap<Audience, Position>,
}

impl Audiences {
    /// Returns the audiences of a user in these rooms, each with the last position before the user joined.
    pub(crate) fn of(user: &User, rooms: Vec<(RoomId, Position)>) -> Self {
        let tenant = user.tenant();
        let mut all = vec![Audience::Tenant(tenant), Audience::User(tenant, user.id().clone())];
        let rooms = rooms.into_iter().map(|(room, since)| (Audience::Room(tenant, room), since));
        let since: HashMap<_, _> = rooms.collect();
        all.extend(since.keys().cloned());
        Self { all, since }
    }

    /// Returns whether the user receives an event of one of these audiences at a position.
    pub(crate) fn includes(&self, audience: &Audience, position: Position) -> bool {
        self.since.get(audience).is_none_or(|since| position > *since)
    }
}

impl Deref for Audiences {
    type Target = [Audience];

    fn deref(&self) -> &[Audience] {
        &self.all
    }
}
