//! Creates rooms, with all invited members or not at all.

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

/// The number of attempts to join a user to a new room.
const JOIN_TRIES: u32 = 3;

/// The pause between these attempts.
const JOIN_PAUSE: Duration = Duration::from_millis(300);

impl Rooms {
    /// Creates a private room with the caller and the users they invite.
    ///
    /// If any of these is unknown, the error names all unknown ones and no room is created.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn create(self: &Arc<Self>, caller: &Caller, creation: RoomCreation) -> Result<Room> {
        // Use the stored role: nothing may be created for a caller who has lost the right to write.
        let caller = &self.directory.refreshed(caller).await?;
        caller.user.identity.role.check_may_write()?;
        let invited = self.named(caller, &creation.invite).await?;
        let others = invited.into_iter().filter(|user| user.id() != caller.user.id());
        let members: Vec<User> = [caller.user.clone()].into_iter().chain(others).collect();
        self.onboarding.make_ready(caller, &members).await?;
        // In a task of its own, so that a caller who disconnects does not leave an incomplete room.
        let (rooms, tenant) = (Arc::clone(self), caller.user.tenant());
        let creator = caller.clone();
        let created = self
            .background
            .spawn(async move { rooms.create_with_members(tenant, &creator, creation, members).await });
        let room = created.await.map_err(|ended| Error::internal("creating a room", ended))??;
        self.view(&caller.user, &room).await
    }

    /// Creates the room on the homeserver, joins its members, and registers it.
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
        let room = self.room_administration.create_room(&new).await?;
        let joins = members.iter().map(|user| async {
            match self.join_with_retries(&room, user).await {
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
            created_by: members.first().map(|creator| creator.id().clone()),
            members: members.iter().map(|user| user.id().clone()).collect(),
            marks: Marks::default(),
        };
        let room = self.records.register(&key, &room, &profile).await?;
        self.follow_ups.push(FollowUp::Backfill(room.clone()));
        Ok(room)
    }

    /// Joins a user to a room. Repeats the call after transient failures.
    async fn join_with_retries(&self, room: &RoomId, user: &User) -> Result<()> {
        let user = self.ids.of(user);
        for _ in 1..JOIN_TRIES {
            match self.membership_calls.join(room, &user).await {
                Err(error) if error.is_transient() => tokio::time::sleep(JOIN_PAUSE).await,
                result => return result,
            }
        }
        self.membership_calls.join(room, &user).await
    }
}
