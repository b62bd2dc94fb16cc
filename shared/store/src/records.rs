//! Records of rooms: marks, replaced rooms, power levels to be corrected, and notices.

use async_trait::async_trait;
use messenger_core::{
    Result,
    error::Failure,
    id::{HubUserId, RoomId, TenantId},
    port::RoomRecords,
    room::{Access, Former, Marks, RoomKey},
    user::Role,
};
use tokio_postgres::Row;

use crate::{PgStore, error::fault};

const ACCESS: &str = "select room.encrypted, room.history_restricted,
        (select former.matrix_room_id from former_rooms former where former.replaced_by = $3 limit 1),
        users.role
    from room_members member
    join users using (tenant_id, hub_user_id)
    join rooms room on room.matrix_room_id = member.matrix_room_id
    where member.tenant_id = $1 and member.hub_user_id = $2 and member.matrix_room_id = $3";
const MARKS: &str = "select encrypted, history_restricted from rooms where matrix_room_id = $1";
const MARK: &str =
    "update rooms set encrypted = encrypted or $2, history_restricted = history_restricted or $3
    where matrix_room_id = $1 and (encrypted < $2 or history_restricted < $3)";
const FORMER: &str = "select current, history_restricted from former_rooms where matrix_room_id = $1";
const PREDECESSOR: &str = "select matrix_room_id from former_rooms where replaced_by = $1 limit 1";
const SUCCEED: &str = "select succeed_room($1, $2, $3, $4, $5, $6)";
const UNCORRECTED: &str = "select tenant_id, kind, key, matrix_room_id from rooms
    where not levels_corrected and matrix_room_id is not null order by matrix_room_id limit $1";
const CORRECTED: &str = "update rooms set levels_corrected = true where matrix_room_id = $1";
const IS_WARNED: &str = "select exists (select from warned_rooms where matrix_room_id = $1)";
const WARNED: &str = "insert into warned_rooms (matrix_room_id) values ($1) on conflict do nothing";

#[async_trait]
impl RoomRecords for PgStore {
    async fn access(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<Option<Access>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&tenant.0, &user.as_str(), &room.as_str()];
        let row = self.database.query_opt("looking for a member", ACCESS, &parameters).await?;
        Ok(row.map(|row| Access {
            marks: marks(&row, 0),
            predecessor: row.get::<_, Option<String>>(2).map(RoomId::new),
            role: Role::from_hub(row.get(3)),
        }))
    }

    async fn marks(&self, room: &RoomId) -> Result<Option<Marks>> {
        let row = self.database.query_opt("reading the marks of a room", MARKS, &[&room.as_str()]).await?;
        Ok(row.map(|row| marks(&row, 0)))
    }

    async fn mark(&self, room: &RoomId, marks: Marks) -> Result<()> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&room.as_str(), &marks.is_encrypted, &marks.is_history_restricted];
        self.database.execute("marking a room", MARK, &parameters).await?;
        Ok(())
    }

    async fn former(&self, room: &RoomId) -> Result<Option<Former>> {
        let row = self.database.query_opt("looking for a replaced room", FORMER, &[&room.as_str()]).await?;
        Ok(row.map(|row| Former {
            current: RoomId::new(row.get::<_, String>(0)),
            is_history_restricted: row.get(1),
        }))
    }

    async fn predecessor(&self, room: &RoomId) -> Result<Option<RoomId>> {
        let context = "looking for a replaced room";
        let row = self.database.query_opt(context, PREDECESSOR, &[&room.as_str()]).await?;
        Ok(row.map(|row| RoomId::new(row.get::<_, String>(0))))
    }

    async fn succeed(
        &self,
        tenant: TenantId,
        old: &RoomId,
        new: &RoomId,
        members: &[HubUserId],
        marks: Marks,
    ) -> Result<bool> {
        let members: Vec<_> = members.iter().map(HubUserId::as_str).collect();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] = [
            &tenant.0,
            &old.as_str(),
            &new.as_str(),
            &members,
            &marks.is_encrypted,
            &marks.is_history_restricted,
        ];
        Ok(self.database.query_one("replacing a room", SUCCEED, &parameters).await?.get(0))
    }

    async fn uncorrected(&self, limit: i64) -> Result<Vec<(RoomKey, RoomId)>> {
        let context = "looking for power levels to correct";
        let rows = self.database.query(context, UNCORRECTED, &[&limit]).await?;
        let room = |row: &Row| {
            let key = RoomKey::parse(TenantId(row.get(0)), row.get(1), row.get(2));
            let key = key.ok_or_else(|| fault(Failure::Broken, context, "a room without a readable key"))?;
            Ok((key, RoomId::new(row.get::<_, String>(3))))
        };
        rows.iter().map(room).collect()
    }

    async fn corrected(&self, room: &RoomId) -> Result<()> {
        self.database
            .execute("storing that power levels are corrected", CORRECTED, &[&room.as_str()])
            .await?;
        Ok(())
    }

    async fn is_warned(&self, room: &RoomId) -> Result<bool> {
        Ok(self.database.query_one("looking for a notice", IS_WARNED, &[&room.as_str()]).await?.get(0))
    }

    async fn warned(&self, room: &RoomId) -> Result<()> {
        self.database.execute("storing a notice", WARNED, &[&room.as_str()]).await?;
        Ok(())
    }
}

/// Reads the marks from two columns of a row, beginning with `from`.
pub(crate) fn marks(row: &Row, from: usize) -> Marks {
    Marks { is_encrypted: row.get(from), is_history_restricted: row.get(from + 1) }
}
