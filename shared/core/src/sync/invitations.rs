//! Invitations by other Matrix clients: an invited user of this service joins the room at once, as with its
//! own API.

use std::sync::Arc;

use crate::{
    app::user_directory::UserDirectory,
    domain::{
        error::{Failure, Result},
        id::{MatrixUserId, RoomId, TenantId},
        matrix_ids::MatrixIds,
        room_event::{Content, RoomEvent},
    },
    port::{self, Ports},
    sync::quarantine::{RoomFailures, Subject},
};

/// The engine that accepts invitations for users of this service.
pub struct Invitations {
    membership_calls: Arc<dyn port::MembershipCalls>,
    memberships: Arc<dyn port::Memberships>,
    rooms: Arc<dyn port::Rooms>,
    directory: Arc<UserDirectory>,
    ids: Arc<MatrixIds>,
    failures: Arc<RoomFailures>,
}

impl Invitations {
    pub(crate) fn new(
        ports: &Ports,
        directory: &Arc<UserDirectory>,
        ids: &Arc<MatrixIds>,
        failures: &Arc<RoomFailures>,
    ) -> Self {
        Self {
            membership_calls: ports.membership_calls.clone(),
            memberships: ports.memberships.clone(),
            rooms: ports.rooms.clone(),
            directory: directory.clone(),
            ids: ids.clone(),
            failures: failures.clone(),
        }
    }

    /// Accepts an invitation to a known room for the invited user. Does nothing if the invitation was
    /// accepted, declined or withdrawn in the meantime.
    pub(crate) async fn accept_for_member(&self, tenant: TenantId, event: &RoomEvent) -> Result<()> {
        let Content::Invited(invited) = &event.content else { return Ok(()) };
        if event.sender == self.ids.bot() || self.rooms.former(&event.room_id).await?.is_some() {
            return Ok(());
        }
        let people = self.directory.people([invited].into_iter()).await?;
        let Some(user) = people.get(invited).filter(|user| user.tenant() == tenant) else { return Ok(()) };
        let accepted = self.accept(&event.room_id, invited).await;
        if self.failures.tolerate(&event.room_id, Subject::Event(event.event_id.clone()), accepted)?
            == Some(true)
        {
            self.memberships.add(tenant, &event.room_id, user.id()).await?;
        }
        Ok(())
    }

    /// Returns whether the user is a member now. It asks the homeserver, since events can be late and another
    /// process can be quicker.
    pub(crate) async fn is_in(&self, room: &RoomId, user: &MatrixUserId) -> Result<bool> {
        match self.membership_calls.rooms_of(user).await {
            Err(error) if error.failure() == Some(Failure::Rejected) => Ok(false),
            rooms => Ok(rooms?.contains(room)),
        }
    }

    /// Accepts an invitation. Returns `true` if the user joined by this call.
    pub(crate) async fn accept(&self, room: &RoomId, invited: &MatrixUserId) -> Result<bool> {
        match self.membership_calls.accept(room, invited).await {
            // The room is closed, or the bot was removed from it.
            Err(error) if error.failure() == Some(Failure::Rejected) => Ok(false),
            accepted => accepted,
        }
    }
}
