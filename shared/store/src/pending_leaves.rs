//! Pending leaves: memberships that the homeserver still has to end.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{HubUserId, RoomId, TenantId},
    lease::Lease,
    port::{PendingLeave, PendingLeaves},
};
use tokio_postgres::Row;

use crate::{PgStore, pool::seconds};

const LEAVE: &str = "select leave_room($1, $2, $3)";
const CANCEL: &str = "delete from pending_leaves where hub_user_id = $1 and matrix_room_id = $2";
const CLAIM: &str = "update pending_leaves pending set lease_until = now() + $1 * interval '1 second'
    from users
    where users.hub_user_id = pending.hub_user_id and (pending.hub_user_id, pending.matrix_room_id) in (
        select hub_user_id, matrix_room_id from pending_leaves where due <= now() and lease_until <= now()
        order by due limit $2 for update skip locked)
    returning pending.hub_user_id, users.localpart, pending.matrix_room_id";
const POSTPONE: &str = "update pending_leaves
    set due = now() + least(300, 2 ^ least(attempts, 9)) * interval '1 second', attempts = attempts + 1,
        lease_until = '-infinity'
    where hub_user_id = $1 and matrix_room_id = $2";

#[async_trait]
impl PendingLeaves for PgStore {
    async fn leave(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.database.execute("leaving a room", LEAVE, &[&tenant.0, &room.as_str(), &user.as_str()]).await?;
        Ok(())
    }

    async fn cancel(&self, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.database
            .execute("cancelling a pending leave", CANCEL, &[&user.as_str(), &room.as_str()])
            .await?;
        Ok(())
    }

    async fn claim(&self, lease: Duration, limit: i64) -> Result<Vec<PendingLeave>> {
        let rows = self.database.query("claiming pending leaves", CLAIM, &[&seconds(lease), &limit]).await?;
        let pending_leave = |row: &Row| PendingLeave {
            user: HubUserId::new(row.get::<_, String>(0)),
            localpart: row.get(1),
            room: RoomId::new(row.get::<_, String>(2)),
        };
        Ok(rows.iter().map(pending_leave).collect())
    }

    async fn done(&self, pending_leave: &PendingLeave) -> Result<Lease<()>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&pending_leave.user.as_str(), &pending_leave.room.as_str()];
        match self.database.execute("storing a completed leave", CANCEL, &parameters).await? {
            0 => Ok(Lease::Lost),
            _ => Ok(Lease::Held(())),
        }
    }

    async fn postpone(&self, pending_leave: &PendingLeave) -> Result<()> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&pending_leave.user.as_str(), &pending_leave.room.as_str()];
        self.database.execute("postponing a pending leave", POSTPONE, &parameters).await?;
        Ok(())
    }
}
