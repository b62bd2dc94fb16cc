//! The rights of users that the copy of the event log does not have as they are, `uncopied_users`.

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{HubUserId, Position, RoomId, TenantId},
    port::{ReaderChange, ReaderChanges, ReaderCopies, StoredReader},
    user::Role,
};
use tokio_postgres::Row;

use crate::PgStore;

/// One statement sees one state: the rights have all changes up to the position, and the numbers of the
/// changes.
const CHANGED: &str = "select due.hub_user_id, due.change, (select position from feed_head), users.tenant_id,
        users.role, users.token_issued_at, users.logged_out_at, array(
            select matrix_room_id from room_members member
            where member.tenant_id = users.tenant_id and member.hub_user_id = due.hub_user_id
            order by matrix_room_id), array(
            select joined_position from room_members member
            where member.tenant_id = users.tenant_id and member.hub_user_id = due.hub_user_id
            order by matrix_room_id)
    from (select hub_user_id, change from uncopied_users order by change limit $1) due
    left join users using (hub_user_id)
    order by due.change";
/// It waits for no lock: a user whose row is locked changes again.
const COPIED: &str = "delete from uncopied_users where hub_user_id in (
    select hub_user_id from uncopied_users due
    join unnest($1::text[], $2::bigint[]) as copied (id, change)
        on due.hub_user_id = copied.id and due.change = copied.change
    for update of due skip locked)";

#[async_trait]
impl ReaderCopies for PgStore {
    async fn changed(&self, limit: i64) -> Result<ReaderChanges> {
        let rows = self.database.query("reading changed rights of users", CHANGED, &[&limit]).await?;
        let position = rows.first().map_or(Position(0), |row| Position(row.get(2)));
        Ok(ReaderChanges { position, changes: rows.iter().map(change).collect() })
    }

    async fn copied(&self, changes: &[ReaderChange]) -> Result<()> {
        let (users, numbers): (Vec<_>, Vec<_>) =
            changes.iter().map(|change| (change.user.as_str(), change.number)).unzip();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&users, &numbers];
        self.database.execute("storing that rights of users are copied", COPIED, &parameters).await?;
        Ok(())
    }
}

fn change(row: &Row) -> ReaderChange {
    let reader = row.get::<_, Option<i64>>(3).map(|tenant| StoredReader {
        tenant: TenantId(tenant),
        role: Role::from_hub(row.get(4)),
        issued_at: row.get(5),
        logged_out_at: row.get(6),
        rooms: row
            .get::<_, Vec<String>>(7)
            .into_iter()
            .map(RoomId::new)
            .zip(row.get::<_, Vec<i64>>(8).into_iter().map(Position))
            .collect(),
    });
    ReaderChange { user: HubUserId::new(row.get::<_, String>(0)), number: row.get(1), reader }
}
