//! Marks of rooms: encryption, restricted history, and sent notices.

use async_trait::async_trait;
use messenger_core::{Result, id::RoomId, port::RoomMarks, room::Marks};
use tokio_postgres::Row;

use crate::PgStore;

const MARKS: &str = "select encrypted, history_restricted from rooms where matrix_room_id = $1";
const MARK: &str =
    "update rooms set encrypted = encrypted or $2, history_restricted = history_restricted or $3
    where matrix_room_id = $1 and (encrypted < $2 or history_restricted < $3)";
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
