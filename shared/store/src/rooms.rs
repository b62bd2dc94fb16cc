//! The identities of rooms: by key, and after room upgrades.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{HubUserId, RoomId, TenantId},
    port::Rooms,
    room::{Claim, Former, Marks, Profile, RoomKey, RoomKind, room_closed},
};

use crate::{PgStore, pool::seconds, room_marks::marks};

const FIND: &str = "select matrix_room_id, encrypted, history_restricted from rooms
    where tenant_id = $1 and kind = $2 and key = $3 and matrix_room_id is not null";
/// The lock of the row decides between concurrent claims.
const CLAIM: &str = "insert into rooms as room (tenant_id, kind, key, claimed_until)
    values ($1, $2, $3, now() + $4 * interval '1 second')
    on conflict (tenant_id, kind, key) do update set claimed_until = excluded.claimed_until
    where room.matrix_room_id is null and room.claimed_until <= now()
    returning true";
const UNCLAIM: &str = "update rooms set claimed_until = '-infinity'
    where tenant_id = $1 and kind = $2 and key = $3 and matrix_room_id is null";
const REGISTER: &str =
    "select register_room($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
const TENANT_OF: &str = "select tenant_id from rooms where matrix_room_id = $1
    union all select tenant_id from former_rooms where matrix_room_id = $1 limit 1";
const KNOWN: &str = "select matrix_room_id from rooms where matrix_room_id = any($1)
    union all select matrix_room_id from former_rooms where matrix_room_id = any($1)
    union all select matrix_room_id from closed_rooms where matrix_room_id = any($1)";
const FORMER: &str = "select current, history_restricted from former_rooms where matrix_room_id = $1";
const PREDECESSOR: &str = "select matrix_room_id from former_rooms where replaced_by = $1 limit 1";
const SUCCEED: &str = "select succeed_room($1, $2, $3, $4, $5, $6)";

#[async_trait]
impl Rooms for PgStore {
    async fn find(&self, key: &RoomKey) -> Result<Option<(RoomId, Marks)>> {
        let row = self
            .database
            .query_opt("finding a room", FIND, &[&key.tenant.0, &key.kind(), &key.key()])
            .await?;
        Ok(row.map(|row| (RoomId::new(row.get::<_, String>(0)), marks(&row, 1))))
    }

    async fn claim(&self, key: &RoomKey, lease: Duration) -> Result<Claim> {
        let name = key.key();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&key.tenant.0, &key.kind(), &name, &seconds(lease)];
        if self.database.query_opt("claiming a room", CLAIM, &parameters).await?.is_some() {
            return Ok(Claim::Yours);
        }
        Ok(Rooms::find(self, key).await?.map_or(Claim::Held, |(room, _)| Claim::Registered(room)))
    }

    async fn unclaim(&self, key: &RoomKey) -> Result<()> {
        self.database
            .execute("releasing the claim of a room", UNCLAIM, &[&key.tenant.0, &key.kind(), &key.key()])
            .await?;
        Ok(())
    }

    async fn register(&self, key: &RoomKey, room: &RoomId, profile: &Profile) -> Result<RoomId> {
        let entity = match &key.kind {
            RoomKind::Entity { entity_type, entity_id } => Some((entity_type, entity_id)),
            _ => None,
        };
        let pair = match &key.kind {
            RoomKind::Dm(pair) => Some(pair.both()),
            _ => None,
        };
        let members: Vec<_> = profile.members.iter().map(HubUserId::as_str).collect();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 15] = [
            &key.tenant.0,
            &key.kind(),
            &key.key(),
            &room.as_str(),
            &profile.name,
            &default_name(key, profile),
            &profile.topic,
            &profile.created_by.as_ref().map(HubUserId::as_str),
            &entity.map(|(entity_type, _)| entity_type),
            &entity.map(|(_, entity_id)| entity_id),
            &pair.map(|[first, _]| first.as_str()),
            &pair.map(|[_, second]| second.as_str()),
            &members,
            &profile.marks.is_encrypted,
            &profile.marks.is_history_restricted,
        ];
        let row = self.database.query_one("registering a room", REGISTER, &parameters).await?;
        row.get::<_, Option<String>>(0).map(RoomId::new).ok_or_else(room_closed)
    }

    async fn tenant_of(&self, room: &RoomId) -> Result<Option<TenantId>> {
        let row =
            self.database.query_opt("finding the tenant of a room", TENANT_OF, &[&room.as_str()]).await?;
        Ok(row.map(|row| TenantId(row.get(0))))
    }

    async fn known(&self, rooms: &[RoomId]) -> Result<Vec<RoomId>> {
        let ids: Vec<_> = rooms.iter().map(RoomId::as_str).collect();
        let rows = self.database.query("finding known rooms", KNOWN, &[&ids]).await?;
        Ok(rows.iter().map(|row| RoomId::new(row.get::<_, String>(0))).collect())
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
}

/// Returns the name to show while a room has none.
fn default_name(key: &RoomKey, profile: &Profile) -> String {
    match (&key.kind, &profile.name) {
        (RoomKind::Entity { entity_type, entity_id }, _) => format!("{entity_type} {entity_id}"),
        (RoomKind::General, Some(name)) => name.clone(),
        _ => key.kind().to_owned(),
    }
}
