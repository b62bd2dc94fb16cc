//! Closed rooms, and those that the homeserver still has to close.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use messenger_core::{
    Result,
    admin::ClosedRoom,
    id::{RoomId, TenantId},
    lease::Lease,
    port::{ClosedRoomWatcher, ClosedRooms},
    room::RoomKey,
};
use tokio_postgres::Row;

use crate::{PgStore, pool::seconds};

/// The columns that [`closed_room`] reads, in this order.
macro_rules! columns {
    () => {
        "matrix_room_id, tenant_id, kind, key, alias_freed"
    };
}

const IS_CLOSED: &str = "select is_closed($1)";
const CLAIM_DUE: &str = concat!(
    "update closed_rooms set lease_until = now() + $1 * interval '1 second'
    where matrix_room_id in (
        select matrix_room_id from closed_rooms where due <= now() and lease_until <= now()
        order by due limit $2 for update skip locked)
    returning ",
    columns!()
);
/// A room under the lease of another process is returned without being claimed.
const CLAIM: &str = concat!(
    "with wanted as (
        select matrix_room_id, lease_until <= now() as is_free from closed_rooms
        where matrix_room_id = $1 and due is not null for update
    )
    update closed_rooms
    set lease_until = case when is_free then now() + $2 * interval '1 second' else lease_until end
    from wanted where closed_rooms.matrix_room_id = wanted.matrix_room_id
    returning closed_rooms.",
    columns!(),
    ", is_free"
);
const CLAIM_WITH_ALIAS: &str = concat!(
    "with wanted as (
        select matrix_room_id, lease_until <= now() as is_free from closed_rooms
        where tenant_id = $1 and kind = $2 and key = $3 and not alias_freed and due is not null
        order by matrix_room_id limit 1 for update
    )
    update closed_rooms
    set lease_until = case when is_free then now() + $4 * interval '1 second' else lease_until end
    from wanted where closed_rooms.matrix_room_id = wanted.matrix_room_id
    returning closed_rooms.",
    columns!(),
    ", is_free"
);
const ALIAS_FREED: &str = "update closed_rooms set alias_freed = true where matrix_room_id = $1";
const DONE: &str =
    "update closed_rooms set due = null, alias_freed = true, lease_until = '-infinity', attempts = 0
    where matrix_room_id = $1";
const RELEASE: &str = "update closed_rooms set lease_until = '-infinity' where matrix_room_id = $1";
const POSTPONE: &str = "update closed_rooms
    set due = now() + least(300, 2 ^ least(attempts, 9)) * interval '1 second', attempts = attempts + 1,
        lease_until = '-infinity'
    where matrix_room_id = $1 and due is not null";
const CLAIMING: &str = "claiming a closed room";

#[async_trait]
impl ClosedRooms for PgStore {
    async fn is_closed(&self, room: &RoomId) -> Result<bool> {
        Ok(self.database.query_one("looking for a closed room", IS_CLOSED, &[&room.as_str()]).await?.get(0))
    }

    async fn claim_due(&self, lease: Duration, limit: i64) -> Result<Vec<ClosedRoom>> {
        let rows = self.database.query(CLAIMING, CLAIM_DUE, &[&seconds(lease), &limit]).await?;
        Ok(rows.iter().map(closed_room).collect())
    }

    async fn claim(&self, room: &RoomId, lease: Duration) -> Result<Option<Lease<ClosedRoom>>> {
        let row = self.database.query_opt(CLAIMING, CLAIM, &[&room.as_str(), &seconds(lease)]).await?;
        Ok(row.as_ref().map(claimed))
    }

    async fn claim_with_alias(&self, key: &RoomKey, lease: Duration) -> Result<Option<Lease<ClosedRoom>>> {
        let name = key.key();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&key.tenant.0, &key.kind(), &name, &seconds(lease)];
        let row = self.database.query_opt(CLAIMING, CLAIM_WITH_ALIAS, &parameters).await?;
        Ok(row.as_ref().map(claimed))
    }

    async fn alias_freed(&self, room: &RoomId) -> Result<()> {
        self.database.execute("storing a free alias", ALIAS_FREED, &[&room.as_str()]).await.map(drop)
    }

    async fn done(&self, room: &RoomId) -> Result<()> {
        self.database.execute("storing that a room is closed", DONE, &[&room.as_str()]).await.map(drop)
    }

    async fn release(&self, room: &RoomId) -> Result<()> {
        self.database.execute("releasing a closed room", RELEASE, &[&room.as_str()]).await.map(drop)
    }

    async fn postpone(&self, room: &RoomId) -> Result<()> {
        self.database.execute("postponing a closed room", POSTPONE, &[&room.as_str()]).await.map(drop)
    }

    fn watch(&self, watcher: Arc<dyn ClosedRoomWatcher>) {
        self.listener.watch_closed_rooms(&watcher);
    }
}

fn closed_room(row: &Row) -> ClosedRoom {
    ClosedRoom {
        room: RoomId::new(row.get::<_, String>(0)),
        key: RoomKey::parse(TenantId(row.get(1)), row.get(2), row.get(3)),
        is_alias_freed: row.get(4),
    }
}

/// Reads a room that is claimed if it was under no lease before.
fn claimed(row: &Row) -> Lease<ClosedRoom> {
    if row.get(5) { Lease::Held(closed_room(row)) } else { Lease::Lost }
}
