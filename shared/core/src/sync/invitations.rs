//! Invitations by other Matrix clients: whoever is invited to a room of ours is in it, as with our own API.

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
    sync::quarantine::RoomFailures,
};

/// Accepts invitations.
pub struct Invitations {
    membership_calls: Arc<dyn port::MembershipCalls>,
    memberships: Arc<dyn port::Memberships>,
    room_records: Arc<dyn port::RoomRecords>,
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
            room_records: ports.room_records.clone(),
            directory: directory.clone(),
            ids: ids.clone(),
            failures: failures.clone(),
        }
    }

    /// Somebody in a room of ours was invited by another client: as everywhere here, who is invited is in. An invitation
    /// that is told late may be accepted, declined or withdrawn by now: then it does nothing.
    pub(crate) async fn accept_for_member(&self, tenant: TenantId, event: &RoomEvent) -> Result<()> {
        let Content::Invited(invited) = &event.content else { return Ok(()) };
        if event.sender == self.ids.bot() || self.room_records.former(&event.room_id).await?.is_some() {
            return Ok(());
        }
        let people = self.directory.people([invited].into_iter()).await?;
        let Some(user) = people.get(invited).filter(|user| user.tenant() == tenant) else { return Ok(()) };
        let accepted = self.accept(&event.room_id, invited).await;
        if self.failures.in_time(&event.room_id, accepted)? == Some(true) {
            self.memberships.add(tenant, &event.room_id, user.id()).await?;
        }
        Ok(())
    }

    /// Whether they are in by now, as the homeserver says: what is told of it may be late, and another process quicker.
    pub(crate) async fn is_in(&self, room: &RoomId, person: &MatrixUserId) -> Result<bool> {
        match self.membership_calls.rooms_of(person).await {
            Err(error) if error.failure() == Some(Failure::Rejected) => Ok(false),
            rooms => Ok(rooms?.contains(room)),
        }
    }

    /// Whether who is invited has come in by this.
    pub(crate) async fn accept(&self, room: &RoomId, invited: &MatrixUserId) -> Result<bool> {
        match self.membership_calls.accept(room, invited).await {
            // The room is closed, or the bot was put out of it.
            Err(error) if error.failure() == Some(Failure::Rejected) => Ok(false),
            accepted => accepted,
        }
    }
}
