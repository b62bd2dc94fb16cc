//! Making a room of one's own, with everybody in it or not at all.

use std::time::Duration;

use futures::future;

use super::{Action, Marks, NewRoom, Profile, Room, RoomKey, RoomKind};
use crate::{
    Error, Messenger, Result,
    error::{Failure, System},
    id::{RoomId, TenantId},
    user::{Caller, User},
};

/// How often it is tried to bring somebody into a new room, and the pauses between.
const JOIN_TRIES: u32 = 3;
const JOIN_PAUSE: Duration = Duration::from_millis(300);

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

impl Messenger {
    /// Makes a private room with the caller and everybody they name in it. If one of these is unknown, all that are
    /// unknown are named and nothing is made.
    pub async fn create_room(&self, caller: &Caller, creation: RoomCreation) -> Result<Room> {
        // As stored now: nothing is to be made for a caller who may not.
        let caller = &self.refreshed(caller).await?;
        caller.user.identity.role.check_may_write()?;
        let invited = self.named(caller, &creation.invite).await?;
        let others = invited.into_iter().filter(|user| user.id() != caller.user.id());
        let members: Vec<User> = [caller.user.clone()].into_iter().chain(others).collect();
        self.make_ready(caller, &members).await?;
        // A caller who goes away leaves a whole room.
        let (messenger, tenant) = (self.clone(), caller.user.tenant());
        let by = caller.clone();
        let founded =
            self.background.spawn(async move { messenger.found(tenant, &by, creation, members).await });
        let room = founded.await.map_err(|ended| ended_early("making a room", ended))??;
        self.seen_by(&caller.user, &room).await
    }

    async fn found(
        &self,
        tenant: TenantId,
        caller: &Caller,
        creation: RoomCreation,
        members: Vec<User>,
    ) -> Result<RoomId> {
        let key =
            RoomKey { tenant, kind: RoomKind::Custom { id: format!("{:032x}", rand::random::<u128>()) } };
        let RoomCreation { name, topic, .. } = creation;
        let new = NewRoom {
            alias: key.alias(),
            name: name.clone(),
            topic: topic.clone(),
            is_direct: false,
            members_invite: key.members_invite(),
            invite: Vec::new(),
        };
        let room = self.homeserver.create_room(&new).await?;
        let joins = members.iter().map(|user| async {
            match self.join_patiently(&room, user).await {
                Err(error) => Err(self.explain(caller, &room, user, Action::Join, error).await),
                Ok(()) => Ok(()),
            }
        });
        if let Err(error) = future::join_all(joins).await.into_iter().collect::<Result<()>>() {
            self.discard(tenant, &room, &new.alias, &members).await?;
            return Err(error);
        }
        let profile = Profile {
            name: Some(name),
            topic,
            created_by: members.first().map(|maker| maker.id().clone()),
            members: members.iter().map(|user| user.id().clone()).collect(),
            marks: Marks::default(),
        };
        let room = self.rooms.register(&key, &room, &profile).await?;
        self.backfill(&room);
        Ok(room)
    }

    async fn join_patiently(&self, room: &RoomId, user: &User) -> Result<()> {
        let user = self.matrix_id(user);
        for _ in 1..JOIN_TRIES {
            match self.homeserver.join(room, &user).await {
                Err(error) if error.is_transient() => tokio::time::sleep(JOIN_PAUSE).await,
                result => return result,
            }
        }
        self.homeserver.join(room, &user).await
    }
}

fn ended_early(context: &'static str, error: tokio::task::JoinError) -> Error {
    Error::fault(System::Homeserver, Failure::Broken, context, error)
}
