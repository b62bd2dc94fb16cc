//! Joins and rejoins of the bot: it accepts invitations to rooms, and returns into known rooms from which
//! a member with the power level to do so has removed it. Without the bot in a room, `/sync` does not bring
//! the events that push misses. In rooms that the service created no member has that power level; in adopted
//! rooms their creator has.
//!
//! The events from the time of its absence are read at once. Conduit shows them only to members of that time,
//! so there they come by push only.

use crate::{
    domain::{
        error::{Error, Failure, Result},
        id::{MatrixUserId, RoomId, TenantId},
        lease::Lease,
    },
    port::Changes,
    sync::{
        quarantine::{Quarantine, Subject},
        reconcile::Reconcile,
    },
};

/// Most members in whose name the bot is invited: not every member may do it.
const HOSTS: usize = 20;

/// Most attempts, about one a second, while the homeserver answers with failures.
const TRIES: u32 = 30;

impl Reconcile {
    /// Lets the bot accept its invitations, by which unknown rooms are adopted, and return into the rooms
    /// from which it was removed.
    pub(crate) async fn enter_rooms(
        &self,
        worker: &str,
        since: Option<&str>,
        changes: &Changes,
        quarantine: &mut Quarantine,
    ) -> Result<Lease<()>> {
        for (room, host) in &changes.invitations {
            match self.accept_invitation(worker, since, room, host).await {
                Ok(Lease::Held(())) => {}
                Ok(Lease::Lost) => return Ok(Lease::Lost),
                Err(error) => quarantine.hold(room, error)?,
            }
        }
        for room in &changes.left {
            let Some(tenant) = self.rooms.tenant_of(room).await? else { continue };
            let hosts = self.hosts(tenant, room).await?;
            match self.rejoin_room(worker, since, room, &hosts).await {
                Ok(Lease::Held(())) => {}
                Ok(Lease::Lost) => return Ok(Lease::Lost),
                Err(error) => quarantine.hold(room, error)?,
            }
        }
        Ok(Lease::Held(()))
    }

    async fn accept_invitation(
        &self,
        worker: &str,
        since: Option<&str>,
        room: &RoomId,
        host: &MatrixUserId,
    ) -> Result<Lease<()>> {
        if self.rooms.tenant_of(room).await?.is_none() {
            self.ingest.adopt_from(room, host).await?;
            return Ok(Lease::Held(()));
        }
        self.rejoin_room(worker, since, room, std::slice::from_ref(host)).await
    }

    /// Returns members who may be able to invite the bot.
    async fn hosts(&self, tenant: TenantId, room: &RoomId) -> Result<Vec<MatrixUserId>> {
        let members = self.room_views.members(tenant, room).await?;
        Ok(members.iter().take(HOSTS).map(|member| self.ids.of(member)).collect())
    }

    /// Lets the bot return with the help of one of these members, and ingests the events since the sync
    /// token.
    async fn rejoin_room(
        &self,
        worker: &str,
        since: Option<&str>,
        room: &RoomId,
        hosts: &[MatrixUserId],
    ) -> Result<Lease<()>> {
        let mut rejected: Option<Error> = None;
        for host in hosts {
            match self.membership_calls.enter(room, host).await {
                Ok(()) => {
                    tracing::info!(%room, by = %host, "bot rejoined a room");
                    let Some(since) = since else { return Ok(Lease::Held(())) };
                    let filled = self.fill_gap(worker, room, since, &[]).await;
                    return Ok(self
                        .failures
                        .tolerate(room, Subject::Gap, filled)?
                        .unwrap_or(Lease::Held(())));
                }
                Err(error) if error.failure() == Some(Failure::Rejected) => rejected = Some(error),
                // The sync token does not move, so the next run tries again.
                Err(error) if self.may_try_again(room, &error) => return Err(error),
                Err(error) => rejected = Some(error),
            }
        }
        let error = rejected.as_ref().map(|error| error as &dyn std::error::Error);
        tracing::error!(%room, error, "bot was removed from a room, and no member can invite it again");
        Ok(Lease::Held(()))
    }

    /// Returns whether the next run may try again after this failure.
    fn may_try_again(&self, room: &RoomId, error: &Error) -> bool {
        if error.failure() != Some(Failure::Broken) {
            return true;
        }
        let tries = self.rejoin_attempts.get(room).unwrap_or_default() + 1;
        self.rejoin_attempts.put(room.clone(), tries);
        tries < TRIES
    }
}
