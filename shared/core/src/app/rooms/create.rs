//! Creating a room, with everybody in it or not at all.

use std::{sync::Arc, time::Duration};

use futures::future;

use crate::{
    app::rooms::Rooms,
    domain::{
        error::{Error, Result},
        id::{RoomId, TenantId},
        room::{Action, Marks, NewRoom, Profile, Room, RoomCreation, RoomKey, RoomKind},
        user::{Caller, User},
    },
    live::follow_ups::FollowUp,
};

/// How often it is tried to bring somebody into a new room, and the pauses between.
const JOIN_TRIES: u32 = 3;

const JOIN_PAUSE: Duration = Duration::from_millis(300);

impl Rooms {
    /// Makes a private room with the caller and everybody they name in it. If one of these is unknown, all that are
    /// unknown are named and nothing is made.
    pub async fn create(self: &Arc<Self>, caller: &Caller, creation: RoomCreation) -> Result<Room> {
        // As stored now: nothing is to be made for a caller who may not.
        let caller = &self.directory.refreshed(caller).await?;
        caller.user.identity.role.check_may_write()?;
        let invited = self.named(caller, &creation.invite).await?;
        let others = invited.into_iter().filter(|user| user.id() != caller.user.id());
        let members: Vec<User> = [caller.user.clone()].into_iter().chain(others).collect();
        self.onboarding.make_ready(caller, &members).await?;
        // A caller who goes away leaves a whole room.
        let (rooms, tenant) = (Arc::clone(self), caller.user.tenant());
        let by = caller.clone();
        let created = self
            .background
            .spawn(async move { rooms.create_with_members(tenant, &by, creation, members).await });
        let room = created.await.map_err(|ended| Error::internal("creating a room", ended))??;
        self.seen_by(&caller.user, &room).await
    }

    async fn create_with_members(
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
                Err(error) => Err(self.authorization.explain(caller, &room, user, Action::Join, error).await),
                Ok(()) => Ok(()),
            }
        });
        if let Err(error) = future::join_all(joins).await.into_iter().collect::<Result<()>>() {
            self.registry.discard(tenant, &room, &new.alias, &members).await?;
            return Err(error);
        }
        let profile = Profile {
            name: Some(name),
            topic,
            created_by: members.first().map(|maker| maker.id().clone()),
            members: members.iter().map(|user| user.id().clone()).collect(),
            marks: Marks::default(),
        };
        let room = self.records.register(&key, &room, &profile).await?;
        self.follow_ups.push(FollowUp::Backfill(room.clone()));
        Ok(room)
    }

    async fn join_patiently(&self, room: &RoomId, user: &User) -> Result<()> {
        let user = self.ids.of(user);
        for _ in 1..JOIN_TRIES {
            match self.homeserver.join(room, &user).await {
                Err(error) if error.is_transient() => tokio::time::sleep(JOIN_PAUSE).await,
                result => return result,
            }
        }
        self.homeserver.join(room, &user).await
    }
}
