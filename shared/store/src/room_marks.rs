//! Marks of rooms: encryption, restricted history, power levels to be corrected, and sent notices.

use async_trait::async_trait;
use messenger_core::{
    Result,
    error::Failure,
    id::{RoomId, TenantId},
    port::RoomMarks,
    room::{Marks, RoomKey},
};
use tokio_postgres::Row;

use crate::{PgStore, error::fault};

const MARKS: &str = "select encrypted, history_restricted from rooms where matrix_room_id = $1";
const MARK: &str =
    "update rooms set encrypted = encrypted or $2, history_restricted = history_restricted or $3
    where matrix_room_id = $1 and (encrypted < $2 or history_restricted < $3)";
const UNCORRECTED: &str = "select tenant_id, kind, key, matrix_room_id from rooms
    where not levels_corrected and matrix_room_id is not null order by matrix_room_id limit $1";
const CORRECTED: &str = "update rooms set levels_corrected = true where matrix_room_id = $1";
const IS_WARNED: &str = "select exists (select from warned_rooms where matrix_room_id = $1)";
const WARNED: &str = "insert into warned_rooms (matrix_room_id) values ($1) on conflict do nothing";

#[async_trait]
impl RoomMarks for PgStore {
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
