//! Memberships of users in rooms.

use async_trait::async_trait;
use messenger_core::{
    Result,
    event::payload::{EventPayload, RoomMuted},
    id::{HubUserId, Position, RoomId, TenantId},
    port::{Memberships, ReaderRights},
    user::Role,
};

use crate::PgStore;

const ADD: &str = "select add_member($1, $2, $3)";
const REMOVE: &str = "select remove_member($1, $2, $3)";
const SET_MUTED: &str = "select set_muted($1, $2, $3, $4, $5)";
const IS_MEMBER: &str = "select exists (
    select from room_members where tenant_id = $1 and hub_user_id = $2 and matrix_room_id = $3)";
const READER_RIGHTS: &str = "select role, array(
        select matrix_room_id from room_members member where member.tenant_id = $1 and member.hub_user_id = $2
        order by matrix_room_id), array(
        select joined_position from room_members member where member.tenant_id = $1 and member.hub_user_id = $2
        order by matrix_room_id), logged_out_at
    from users where tenant_id = $1 and hub_user_id = $2";

#[async_trait]
impl Memberships for PgStore {
    async fn add(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.database.execute("adding a member", ADD, &[&tenant.0, &room.as_str(), &user.as_str()]).await?;
        Ok(())
    }

    async fn remove(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.database
            .execute("removing a member", REMOVE, &[&tenant.0, &room.as_str(), &user.as_str()])
            .await?;
        Ok(())
    }

    async fn is_member(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<bool> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&tenant.0, &user.as_str(), &room.as_str()];
        Ok(self.database.query_one("looking for a member", IS_MEMBER, &parameters).await?.get(0))
    }

    async fn set_muted(
        &self,
        tenant: TenantId,
        room: &RoomId,
        user: &HubUserId,
        muted: bool,
    ) -> Result<bool> {
        let payload = EventPayload::RoomMuted(RoomMuted { room_id: room, muted }).serialise()?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&tenant.0, &room.as_str(), &user.as_str(), &muted, &payload.as_str()];
        Ok(self.database.query_one("muting a room", SET_MUTED, &parameters).await?.get(0))
    }

    async fn reader_rights(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<ReaderRights>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&tenant.0, &user.as_str()];
        let row = self.database.query_opt("reading memberships", READER_RIGHTS, &parameters).await?;
        Ok(row.map(|row| {
            let (ids, before): (Vec<String>, Vec<i64>) = (row.get(1), row.get(2));
            let rooms: Vec<_> =
                ids.into_iter().map(RoomId::new).zip(before.into_iter().map(Position)).collect();
            ReaderRights {
                role: Role::from_hub(row.get(0)),
                logged_out_at: row.get(3),
                since: ReaderRights::last_join(&rooms),
                rooms,
            }
        }))
    }
}
