//! The audiences of a user, and from which position of the log on they hear each.

use std::{collections::HashMap, ops::Deref};

use crate::domain::{
    event::Audience,
    id::{Position, RoomId},
    user::User,
};

/// The audiences of a user. Of a room they hear what comes after they joined it: what was said before is its history,
/// which may be kept from them.
pub(crate) struct Audiences {
    all: Vec<Audience>,
    since: HashMap<Audience, Position>,
}

impl Audiences {
    /// The audiences of a user who is in these rooms, in each since the position.
    pub(crate) fn of(user: &User, rooms: Vec<(RoomId, Position)>) -> Self {
        let tenant = user.tenant();
        let mut all = vec![Audience::Tenant(tenant), Audience::User(tenant, user.id().clone())];
        let rooms = rooms.into_iter().map(|(room, since)| (Audience::Room(tenant, room), since));
        let since: HashMap<_, _> = rooms.collect();
        all.extend(since.keys().cloned());
        Self { all, since }
    }

    /// Whether they hear an event of one of these audiences at a position.
    pub(crate) fn hears(&self, audience: &Audience, position: Position) -> bool {
        self.since.get(audience).is_none_or(|since| position > *since)
    }
}

impl Deref for Audiences {
    type Target = [Audience];

    fn deref(&self) -> &[Audience] {
        &self.all
    }
}
