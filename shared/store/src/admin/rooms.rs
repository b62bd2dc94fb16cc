//! The rooms of a tenant for its administrators.

use async_trait::async_trait;
use messenger_core::{
    Result,
    admin::{Administrator, Closure, RoomMembership, RoomQuery, TenantRoom},
    error::Failure,
    id::{HubUserId, RoomId, TenantId},
    notification::EntityId,
    port::AdminRooms,
    room::RoomType,
};
use tokio_postgres::{Row, types::ToSql};

use crate::{PgStore, admin::ActParameters, error::fault};

/// The members are counted for the returned rooms only.
const ROOMS: &str = "select matrix_room_id, display_name, kind, topic, entity_type, entity_id, message_count,
        last_message_ts, encrypted, created_at,
        (select count(*) from room_members member
         where member.tenant_id = $1 and member.matrix_room_id = listed.matrix_room_id)
    from (
        select room.*, case room.kind
            when 'dm' then concat_ws(', ', coalesce(one.display_name, room.first_user),
                                     coalesce(other.display_name, room.second_user))
            when 'bot_dm' then concat_ws(', ', coalesce(room.name, room.default_name), (
                select partner.display_name from room_members member
                join users partner using (tenant_id, hub_user_id)
                where member.tenant_id = $1 and member.matrix_room_id = room.matrix_room_id limit 1))
            else coalesce(room.name, room.default_name) end as display_name
        from rooms room
        left join users one on one.hub_user_id = room.first_user and one.tenant_id = $1
        left join users other on other.hub_user_id = room.second_user and other.tenant_id = $1
        where room.tenant_id = $1 and room.matrix_room_id is not null
          and ($2::text[] is null or room.kind = any ($2))
          and ($3::timestamptz is null or (room.created_at, room.matrix_room_id) < ($3, $4::text))
    ) listed
    where $5 = '' or matrix_room_id = $5 or position(lower($5) in lower(display_name)) > 0
       or position(lower($5) in lower(entity_id)) > 0
    order by created_at desc, matrix_room_id desc limit $6";
const MEMBERS: &str = "select users.hub_user_id, users.display_name, users.localpart, member.joined_at,
        greatest(room.message_count - member.read_count, 0)
    from rooms room
    left join (room_members member join users using (tenant_id, hub_user_id))
        on member.tenant_id = room.tenant_id and member.matrix_room_id = room.matrix_room_id
    where room.tenant_id = $1 and room.matrix_room_id = $2
    order by users.search_name collate \"C\", users.hub_user_id";
const CLOSE: &str = "select result, successor from close_room($1, $2, $3, $4, $5)";
const CLOSING: &str = "closing a room";

#[async_trait]
impl AdminRooms for PgStore {
    async fn rooms(&self, tenant: TenantId, query: &RoomQuery) -> Result<Vec<TenantRoom>> {
        let kinds = query.room_type.map(|kind| match kind {
            RoomType::Dm => vec!["dm", "bot_dm"],
            other => vec![other.as_str()],
        });
        let created_at = query.after.as_ref().map(|cursor| cursor.created_at);
        let last = query.after.as_ref().map(|cursor| cursor.room.as_str());
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&tenant.0, &kinds, &created_at, &last, &query.text, &query.limit];
        let rows = self.database.query("listing the rooms of a tenant", ROOMS, &parameters).await?;
        rows.iter().map(tenant_room).collect()
    }

    async fn members(&self, tenant: TenantId, room: &RoomId) -> Result<Option<Vec<RoomMembership>>> {
        let rows = self
            .database
            .query("listing the members of a room", MEMBERS, &[&tenant.0, &room.as_str()])
            .await?;
        // A room without members is one row without a member.
        let members = rows.iter().filter_map(membership).collect();
        Ok((!rows.is_empty()).then_some(members))
    }

    async fn close(&self, administrator: &Administrator, room: &RoomId) -> Result<Option<Closure>> {
        let by = ActParameters::from(administrator);
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&administrator.tenant.0, &room.as_str(), &by.actor, &by.address, &by.request_id];
        let row = self.database.query_one(CLOSING, CLOSE, &parameters).await?;
        Ok(match (row.get::<_, Option<&str>>(0), row.get::<_, Option<String>>(1)) {
            (Some("closed"), _) => Some(Closure::Closed),
            (Some("already_closed"), _) => Some(Closure::AlreadyClosed),
            (Some("general"), _) => Some(Closure::General),
            (Some("replaced"), Some(successor)) => Some(Closure::Replaced(RoomId::new(successor))),
            _ => None,
        })
    }
}

fn tenant_room(row: &Row) -> Result<TenantRoom> {
    let kind = match row.get(2) {
        "bot_dm" => "dm",
        kind => kind,
    };
    let unknown = || fault(Failure::Broken, "listing the rooms of a tenant", "a room has an unknown kind");
    Ok(TenantRoom {
        matrix_room_id: RoomId::new(row.get::<_, String>(0)),
        display_name: row.get(1),
        room_type: RoomType::parse(kind).ok_or_else(unknown)?,
        topic: row.get(3),
        entity_type: row.get(4),
        entity_id: row.get::<_, Option<&str>>(5).map(EntityId::parse),
        message_count: row.get(6),
        last_message_ts: row.get(7),
        encrypted: row.get(8),
        created_at: row.get(9),
        member_count: row.get(10),
    })
}

fn membership(row: &Row) -> Option<RoomMembership> {
    Some(RoomMembership {
        hub_user_id: HubUserId::new(row.get::<_, Option<String>>(0)?),
        display_name: row.get(1),
        localpart: row.get(2),
        joined_at: row.get(3),
        unread_count: row.get(4),
    })
}
