//! Rooms as their members see them.

use async_trait::async_trait;
use messenger_core::{
    Result,
    error::Failure,
    id::{EventId, HubUserId, RoomId, TenantId},
    notification::EntityId,
    port::{Read, ReadUpTo, RoomAccess, RoomViews},
    room::{Access, Listed, Room, RoomKey, RoomType, Search},
    user::{Role, User},
};
use serde_json::{Value, json};
use tokio_postgres::Row;

use crate::{PgStore, error::fault, room_marks, users};

/// The columns that [`room`] reads, in this order.
macro_rules! columns {
    () => {
        "matrix_room_id, display_name, room_type, topic, entity_type, entity_id, last_message_ts, unread_count,
            last_message, encrypted, mention_count, muted, read_event_id"
    };
}

const ROOMS: &str = concat!(
    "select ",
    columns!(),
    " from room_views where tenant_id = $1 and hub_user_id = $2
    order by activity desc, matrix_room_id"
);
const ROOM: &str = concat!(
    "select ",
    columns!(),
    " from room_views where tenant_id = $1 and hub_user_id = $2 and matrix_room_id = $3"
);
const DIRECTORY: &str =
    "select matrix_room_id, display_name, kind, topic, entity_type, entity_id, last_message_ts,
        exists (select from room_members member where member.tenant_id = $1 and member.hub_user_id = $2
                  and member.matrix_room_id = listed.matrix_room_id)
    from (
        select *, coalesce(name, default_name) as display_name
        from rooms where tenant_id = $1 and kind in ('entity', 'service') and matrix_room_id is not null
          and ($4::text is null or entity_type = $4)
    ) listed
    where position(lower($3) in lower(display_name)) > 0
    order by lower(display_name), matrix_room_id limit $5 offset $6";
const ACCESS: &str = "select kind, key,
        exists (select from room_members member where member.tenant_id = $1 and member.hub_user_id = $2
                  and member.matrix_room_id = $3),
        users.role
    from rooms join users on users.hub_user_id = $2 and users.tenant_id = $1
    where rooms.tenant_id = $1 and matrix_room_id = $3";
const MEMBER_ACCESS: &str = "select room.encrypted, room.history_restricted,
        (select former.matrix_room_id from former_rooms former where former.replaced_by = $3 limit 1),
        users.role
    from room_members member
    join users using (tenant_id, hub_user_id)
    join rooms room on room.matrix_room_id = member.matrix_room_id
    where member.tenant_id = $1 and member.hub_user_id = $2 and member.matrix_room_id = $3";
const MEMBERS: &str = concat!(
    "select ",
    users::columns!(),
    " from users where tenant_id = $1
      and hub_user_id in (select hub_user_id from room_members where tenant_id = $1 and matrix_room_id = $2)
    order by search_name, hub_user_id"
);
const MEMBERS_AMONG: &str = concat!(
    "select ",
    users::columns!(),
    " from users where tenant_id = $1 and hub_user_id in (
        select hub_user_id from room_members
        where tenant_id = $1 and matrix_room_id = $2 and hub_user_id = any($3))"
);
const PEOPLE: &str = concat!(
    "select ",
    users::columns!(),
    " from users where tenant_id = $1 and (hub_user_id = any($2) or localpart = any($3))"
);
const READ: &str = "select marked.changed,
        (select room.last_event_id from rooms room where room.tenant_id = $1 and room.matrix_room_id = $2)
    from mark_read($1, $2, $3) marked";
const READ_UP_TO: &str = "select read_up_to($1)";
const READING: &str = "reading rooms";

#[async_trait]
impl RoomViews for PgStore {
    async fn rooms(&self, tenant: TenantId, user: &HubUserId) -> Result<Vec<Room>> {
        let rows = self.database.query(READING, ROOMS, &[&tenant.0, &user.as_str()]).await?;
        rows.iter().map(|row| room(row, 0)).collect()
    }

    async fn room(&self, tenant: TenantId, user: &HubUserId, id: &RoomId) -> Result<Option<Room>> {
        let row = self.database.query_opt(READING, ROOM, &[&tenant.0, &user.as_str(), &id.as_str()]).await?;
        row.map(|row| room(&row, 0)).transpose()
    }

    async fn directory(&self, tenant: TenantId, user: &HubUserId, search: &Search) -> Result<Vec<Listed>> {
        let Search { text, entity_type, limit, offset } = search;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&tenant.0, &user.as_str(), text, entity_type, limit, offset];
        let rows = self.database.query("searching the room directory", DIRECTORY, &parameters).await?;
        rows.iter().map(listed).collect()
    }

    async fn access(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Result<Option<RoomAccess>> {
        let context = "finding a room";
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&tenant.0, &user.as_str(), &room.as_str()];
        let Some(row) = self.database.query_opt(context, ACCESS, &parameters).await? else { return Ok(None) };
        let key = RoomKey::parse(tenant, row.get(0), row.get(1))
            .ok_or_else(|| fault(Failure::Broken, context, "a room without a readable key"))?;
        Ok(Some(RoomAccess { key, is_member: row.get(2), role: Role::from_hub(row.get(3)) }))
    }

    async fn member_access(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        room: &RoomId,
    ) -> Result<Option<Access>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&tenant.0, &user.as_str(), &room.as_str()];
        let row = self.database.query_opt("looking for a member", MEMBER_ACCESS, &parameters).await?;
        Ok(row.map(|row| Access {
            marks: room_marks::marks(&row, 0),
            predecessor: row.get::<_, Option<String>>(2).map(RoomId::new),
            role: Role::from_hub(row.get(3)),
        }))
    }

    async fn members(&self, tenant: TenantId, room: &RoomId) -> Result<Vec<User>> {
        let rows = self.database.query("reading members", MEMBERS, &[&tenant.0, &room.as_str()]).await?;
        Ok(rows.iter().map(users::user).collect())
    }

    async fn members_among(&self, tenant: TenantId, room: &RoomId, ids: &[HubUserId]) -> Result<Vec<User>> {
        let ids: Vec<_> = ids.iter().map(HubUserId::as_str).collect();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&tenant.0, &room.as_str(), &ids];
        let rows = self.database.query("finding members", MEMBERS_AMONG, &parameters).await?;
        Ok(rows.iter().map(users::user).collect())
    }

    async fn people(&self, tenant: TenantId, ids: &[HubUserId], localparts: &[String]) -> Result<Vec<User>> {
        let ids: Vec<_> = ids.iter().map(HubUserId::as_str).collect();
        let rows = self.database.query("finding users", PEOPLE, &[&tenant.0, &ids, &localparts]).await?;
        Ok(rows.iter().map(users::user).collect())
    }

    async fn read(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Result<Option<Read>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&tenant.0, &room.as_str(), &user.as_str()];
        let row = self.database.query_opt("marking a room as read", READ, &parameters).await?;
        Ok(row
            .map(|row| Read { changed: row.get(0), last: row.get::<_, Option<String>>(1).map(EventId::new) }))
    }

    async fn read_up_to(&self, receipts: &[ReadUpTo]) -> Result<Vec<usize>> {
        let batch = receipts.iter().enumerate().map(|(n, receipt)| {
            let ReadUpTo { room, localpart, events } = receipt;
            json!({ "n": n, "room": room, "localpart": localpart, "events": events })
        });
        let batch = Value::from(batch.collect::<Vec<_>>());
        let rows = self.database.query("applying receipts", READ_UP_TO, &[&batch]).await?;
        Ok(rows.iter().filter_map(|row| usize::try_from(row.get::<_, i32>(0)).ok()).collect())
    }
}

/// Reads the columns that [`Room`] and [`Listed`] have in common, and further columns of one of them.
macro_rules! read {
    ($type:ident, $row:ident, $first:expr, { $($known:ident)? }, $($field:ident: $column:literal),+) => {
        Ok($type {
            matrix_room_id: RoomId::new($row.get::<_, String>($first)),
            display_name: $row.get($first + 1),
            room_type: RoomType::parse($row.get($first + 2))
                .ok_or_else(|| fault(Failure::Broken, READING, "a room has an unknown type"))?,
            topic: $row.get($first + 3),
            entity_type: $row.get($first + 4),
            entity_id: $row.get::<_, Option<&str>>($first + 5).map(EntityId::parse),
            last_message_ts: $row.get($first + 6),
            $($known,)?
            $($field: $row.get($first + $column)),+
        })
    };
}

/// Reads a room from columns of a row, beginning with `first`.
pub(crate) fn room(row: &Row, first: usize) -> Result<Room> {
    let read_event_id = row.get::<_, Option<String>>(first + 12).map(EventId::new);
    read!(Room, row, first, { read_event_id }, unread_count: 7, last_message: 8, encrypted: 9, mention_count: 10,
        muted: 11)
}

fn listed(row: &Row) -> Result<Listed> {
    read!(Listed, row, 0, {}, joined: 7)
}
