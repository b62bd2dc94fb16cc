//! The bot's way into rooms: into those that people made and invited it to, and back into ours when somebody with the
//! power to do so has put it out. Without it nothing that is said there by other clients would be heard, should push
//! miss it. In rooms that we made nobody has that power; in adopted ones their maker has.
//!
//! What was said while it was out is read at once. Conduit shows it to nobody who was out, so there it comes by push only.

use crate::{
    domain::{
        error::{Error, Failure, Result},
        id::{MatrixUserId, RoomId, TenantId},
    },
    port::Changes,
    sync::{quarantine::Quarantine, reconcile::Reconcile},
};

/// Most members who are asked to let it in: not everybody may.
const HOSTS: usize = 20;

/// How often it is tried, about once a second, while the homeserver answers but fails.
const TRIES: u32 = 30;

impl Reconcile {
    /// `false`: another worker is at it.
    pub(crate) async fn rejoin(
        &self,
        worker: &str,
        since: Option<&str>,
        changes: &Changes,
        quarantine: &mut Quarantine,
    ) -> Result<bool> {
        for (room, host) in &changes.invitations {
            match self.follow_invitation(worker, since, room, host).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => quarantine.hold(room, error)?,
            }
        }
        for room in &changes.left {
            let Some(tenant) = self.rooms.tenant_of(room).await? else { continue };
            let hosts = self.hosts(tenant, room).await?;
            match self.enter_again(worker, since, room, &hosts).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => quarantine.hold(room, error)?,
            }
        }
        Ok(true)
    }

    async fn follow_invitation(
        &self,
        worker: &str,
        since: Option<&str>,
        room: &RoomId,
        host: &MatrixUserId,
    ) -> Result<bool> {
        if self.rooms.tenant_of(room).await?.is_none() {
            self.ingest.adopt_from(room, host).await?;
            return Ok(true);
        }
        self.enter_again(worker, since, room, std::slice::from_ref(host)).await
    }

    async fn hosts(&self, tenant: TenantId, room: &RoomId) -> Result<Vec<MatrixUserId>> {
        let members = self.room_views.members(tenant, room).await?;
        Ok(members.iter().take(HOSTS).map(|member| self.ids.of(member)).collect())
    }

    async fn enter_again(
        &self,
        worker: &str,
        since: Option<&str>,
        room: &RoomId,
        hosts: &[MatrixUserId],
    ) -> Result<bool> {
        let mut refused: Option<Error> = None;
        for host in hosts {
            match self.timeline.enter(room, host).await {
                Ok(()) => {
                    tracing::info!(%room, by = %host, "the bot is back in a room");
                    let Some(since) = since else { return Ok(true) };
                    let filled = self.fill(worker, room, since, &[]).await;
                    return Ok(self.failures.in_time(room, filled)?.unwrap_or(true));
                }
                Err(error) if error.failure() == Some(Failure::Rejected) => refused = Some(error),
                // The position stays where it is, so this comes again.
                Err(error) if self.may_try_again(room, &error) => return Err(error),
                Err(error) => refused = Some(error),
            }
        }
        let error = refused.as_ref().map(|error| error as &dyn std::error::Error);
        tracing::error!(%room, error, "the bot was put out of a room, and nobody there can let it in again");
        Ok(true)
    }

    fn may_try_again(&self, room: &RoomId, error: &Error) -> bool {
        if error.failure() != Some(Failure::Broken) {
            return true;
        }
        let tries = self.rejoin_attempts.get(room).unwrap_or_default() + 1;
        self.rejoin_attempts.put(room.clone(), tries);
        tries < TRIES
    }
}
