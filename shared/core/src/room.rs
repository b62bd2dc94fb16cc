//! Rooms: how each is created exactly once, and who is in it.

mod chat;
mod create;
mod key;
mod leave;
mod levels;
mod marks;
mod permissions;
mod successor;
mod view;

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    Messenger, Result,
    id::{MatrixUserId, RoomId, TenantId},
    user::User,
};

pub use create::RoomCreation;
pub use key::{Pair, RoomKey, RoomKind};
pub use marks::{Access, Marks};
pub(crate) use permissions::{Action, account_refused, encrypted};
pub use permissions::{Former, Membership, Permissions};
pub use view::{Listed, Member, Profile, Room, RoomType, Search};

/// How long one process may take to create a room before another may try.
const CREATION_LEASE: Duration = Duration::from_secs(20);
/// How often somebody who waits for another's creation looks again.
const CREATION_POLL: Duration = Duration::from_millis(50);
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
    Settled(RoomId),
    /// Somebody else is creating it.
    Held,
}

impl Messenger {
    /// The room of a key, if it exists already. Costs no I/O once known to this process.
    pub async fn known_room(&self, key: &RoomKey) -> Result<Option<RoomId>> {
        if let Some(room) = self.room_ids.get(key) {
            return Ok(Some(room));
        }
        let Some((room, marks)) = self.rooms.find(key).await? else { return Ok(None) };
        self.room_ids.put(key.clone(), room.clone());
        if marks.is_encrypted {
            self.encrypted.put(room.clone(), ());
        }
        Ok(Some(room))
    }

    /// The room of a key as an event names it, where one without a name does no harm. That there is none is believed for
    /// a moment: else each call of a burst to a room that is yet to come would ask.
    pub(crate) async fn named_room(&self, key: &RoomKey) -> Result<Option<RoomId>> {
        if let Some(room) = self.room_ids.get(key) {
            return Ok(Some(room));
        }
        if self.absent.get(key).is_some() {
            return Ok(None);
        }
        let found = self.known_room(key).await?;
        if found.is_none() {
            self.absent.put(key.clone(), ());
        }
        Ok(found)
    }

    /// The room of a key; created if need be, exactly once whoever asks how often at the same time.
    pub(crate) async fn room(&self, key: &RoomKey) -> Result<RoomId> {
        if let Some(room) = self.known_room(key).await? {
            return Ok(room);
        }
        let deadline = Instant::now() + CREATION_LEASE;
        loop {
            match self.rooms.claim(key, CREATION_LEASE).await? {
                Claim::Settled(room) => {
                    self.room_ids.put(key.clone(), room.clone());
                    return Ok(room);
                }
                Claim::Yours => {
                    let room = match self.create(key).await {
                        Ok(room) => room,
                        Err(error) => {
                            self.rooms.unclaim(key).await?;
                            return Err(error);
                        }
                    };
                    self.room_ids.put(key.clone(), room.clone());
                    return Ok(room);
                }
                Claim::Held if Instant::now() < deadline => tokio::time::sleep(CREATION_POLL).await,
                Claim::Held => {
                    return Err(crate::Error::fault(
                        crate::error::System::Homeserver,
                        crate::error::Failure::TimedOut,
                        "waiting for a room to be created",
                        "another process holds the claim",
                    ));
                }
            }
        }
    }

    /// Brings a user into a room, on the homeserver and in our table. Into a room that another process has replaced a
    /// moment ago nobody comes any more.
    pub(crate) async fn join(&self, key: &RoomKey, room: &RoomId, user: &User) -> Result<()> {
        let replaced = self.room_records.former(room).await?;
        if replaced.is_some() {
            self.room_ids.remove(key);
        }
        let room = replaced.as_ref().map_or(room, |former| &former.current);
        self.pending_leaves.cancel(room, user.id()).await?;
        self.homeserver.join(room, &self.matrix_id(user)).await?;
        self.memberships.add(key.tenant, room, user.id()).await
    }

    /// Takes back a room in which somebody cannot be: nobody keeps a room that is not what it was to be.
    async fn discard(&self, tenant: TenantId, room: &RoomId, alias: &str, members: &[User]) -> Result<()> {
        for user in members {
            self.pending_leaves.depart(tenant, room, user.id()).await?;
        }
        if let Err(error) = self.room_state.discard(room, alias).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(%room, error, "the bot stays in a room that came to nothing");
        }
        Ok(())
    }

    async fn create(&self, key: &RoomKey) -> Result<RoomId> {
        let mut partners = Vec::new();
        for user in key.partners() {
            partners.push(self.provisioned_account(key.tenant, user).await?);
        }
        let profile = key.profile(&self.settings);
        // In other clients a direct chat of two has the names of both, since the bot is in it, too.
        let names: Vec<_> = partners.iter().map(|user| user.identity.display_name.as_str()).collect();
        let new = NewRoom {
            alias: key.alias(),
            name: profile.name.clone().unwrap_or_else(|| names.join(", ")),
            topic: profile.topic.clone(),
            is_direct: key.is_direct(),
            members_invite: key.members_invite(),
            invite: partners.iter().map(|user| self.matrix_id(user)).collect(),
        };
        let room = self.homeserver.create_room(&new).await?;
        // Before the room counts as made: a crash in between must not leave its partners out.
        for partner in &partners {
            if let Err(error) = self.homeserver.join(&room, &self.matrix_id(partner)).await {
                if error.refusal().is_some() {
                    self.discard(key.tenant, &room, &new.alias, &partners).await?;
                }
                return Err(account_refused(None, partner, error));
            }
        }
        let members = partners.iter().map(|user| user.id().clone()).collect();
        let room = self.rooms.register(key, &room, &Profile { members, ..profile }).await?;
        // Where nobody is yet, nobody says anything.
        if !partners.is_empty() {
            self.backfill(&room);
        }
        Ok(room)
    }
}
