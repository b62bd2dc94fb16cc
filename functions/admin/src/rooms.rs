//! `/api/v1/admin/rooms`: the rooms of a tenant, their members, and their closing.

use axum::{
    Json,
    extract::{RawQuery, State},
    response::Response,
};
use jiff::Timestamp;
use messenger_core::{
    Messenger, Result,
    admin::{RoomCursor, RoomMembership, RoomQuery, TenantRoom},
    id::{HubUserId, MatrixUserId, RoomId},
    notification::EntityId,
    room::RoomType,
    time::{Rfc3339, rfc3339_or_null},
};
use messenger_runtime::{
    ApiError, App,
    caller::AdministratorCaller,
    fields::{Fields, Path},
    openapi::{
        Caller, Operation, ResponseObject,
        code::{self, ROOM},
    },
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::page::{self, NEXT_CURSOR};

/// Longest text of a search, in characters.
const TEXT_MAX: usize = 255;
/// Longest text of a cursor, in characters.
const CURSOR_MAX: usize = 1000;

/// A room as the administrators of its tenant see it, without the text of any message.
#[derive(Serialize, JsonSchema)]
struct AdministeredRoom {
    matrix_room_id: RoomId,
    /// The name; in a direct chat, the names of both.
    display_name: String,
    room_type: RoomType,
    topic: Option<String>,
    entity_type: Option<String>,
    entity_id: Option<EntityId>,
    member_count: i64,
    message_count: i64,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schemars(with = "Option<Rfc3339>")]
    last_message_ts: Option<Timestamp>,
    encrypted: bool,
    created_at: Rfc3339,
}

/// A member of a room.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AdministeredMember")]
struct Member {
    hub_user_id: HubUserId,
    display_name: String,
    matrix_user_id: MatrixUserId,
    joined_at: Rfc3339,
    unread_count: i64,
}

/// The result of closing a room.
#[derive(Serialize, JsonSchema)]
struct ClosedRoom {
    #[schemars(extend("const" = true))]
    ok: bool,
    /// Whether the room was closed by this request.
    deleted: bool,
    /// Whether it was closed before.
    already_closed: bool,
    /// Whether the homeserver has closed it, too; a worker does it if it is `pending`.
    #[schemars(extend("enum" = ["closed", "pending"]))]
    homeserver: &'static str,
}

/// Declares the list of rooms.
pub(crate) fn list_operation() -> Operation {
    let summary = "Lists the rooms of the tenant, newest first";
    Operation::get("/api/v1/admin/rooms", list, "listTenantRooms", summary)
        .caller(Caller::Administrator)
        .query(query)
        .answer(ResponseObject::json::<Vec<AdministeredRoom>>(200, "The rooms.").optional_header(
            NEXT_CURSOR,
            json!({ "type": "string" }),
            "The value of `cursor` for the next rooms; absent at the end.",
        ))
}

/// Declares the list of members.
pub(crate) fn members_operation() -> Operation {
    let summary = "Lists the members of a room of the tenant, by name";
    Operation::get("/api/v1/admin/rooms/{id}/members", members, "listTenantRoomMembers", summary)
        .caller(Caller::Administrator)
        .answer(ResponseObject::json::<Vec<Member>>(200, "The members."))
}

/// Declares the closing of a room.
pub(crate) fn close_operation() -> Operation {
    Operation::delete("/api/v1/admin/rooms/{id}", close, "closeRoom", "Closes a room of the tenant")
        .caller(Caller::Administrator)
        .answer(ResponseObject::json::<ClosedRoom>(200, "The room is closed."))
        .refuses(&[code::ROOM_IS_GENERAL])
        .refuses(ROOM)
}

fn query(mut fields: Fields) -> Result<RoomQuery> {
    let types = [RoomType::General, RoomType::Dm, RoomType::Entity, RoomType::Service, RoomType::Custom];
    let names = types.map(RoomType::as_str);
    let text = fields.optional_name("q", TEXT_MAX).unwrap_or_default();
    let room_type = fields.one_of("type", &names, "invalid").and_then(RoomType::parse);
    let cursor = fields.optional_text("cursor", CURSOR_MAX).filter(|cursor| !cursor.is_empty());
    let after = cursor.as_deref().and_then(RoomCursor::parse);
    if cursor.is_some() && after.is_none() {
        fields.wrong("cursor", "must be the X-Next-Cursor of another page");
    }
    let limit = fields.number("limit", 100, 1, 500);
    fields.finish()?;
    Ok(RoomQuery { text, room_type, after, limit })
}

async fn list(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = self::query(Fields::from_query(query.as_deref()))?;
    let rooms = app.administration()?.rooms().list(&administrator, &query).await?;
    let cursor =
        |last: &TenantRoom| RoomCursor { created_at: last.created_at, room: last.matrix_room_id.clone() };
    let next = page::last_if_full(&rooms, query.limit).map(|last| cursor(last).to_string());
    let rooms: Vec<_> = rooms.into_iter().map(AdministeredRoom::from).collect();
    Ok(page::answer(&rooms, next))
}

async fn members(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    Path(room): Path<String>,
) -> Result<Json<Vec<Member>>, ApiError> {
    let room = id(room)?;
    let members = app.administration()?.rooms().members(&administrator, &room).await?;
    Ok(Json(members.into_iter().map(|member| Member::of(&app.messenger, member)).collect()))
}

async fn close(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    Path(room): Path<String>,
) -> Result<Json<ClosedRoom>, ApiError> {
    let result = app.administration()?.rooms().close(&administrator, &id(room)?).await?;
    Ok(Json(ClosedRoom {
        ok: true,
        deleted: result.is_new,
        already_closed: !result.is_new,
        homeserver: if result.is_complete { "closed" } else { "pending" },
    }))
}

fn id(room: String) -> Result<RoomId> {
    RoomId::parse(room).ok_or(messenger_core::Error::NotFound("room"))
}

impl Member {
    fn of(messenger: &Messenger, member: RoomMembership) -> Self {
        Self {
            matrix_user_id: messenger.ids().of_localpart(&member.localpart),
            hub_user_id: member.hub_user_id,
            display_name: member.display_name,
            joined_at: Rfc3339(member.joined_at),
            unread_count: member.unread_count,
        }
    }
}

impl From<TenantRoom> for AdministeredRoom {
    fn from(room: TenantRoom) -> Self {
        Self {
            matrix_room_id: room.matrix_room_id,
            display_name: room.display_name,
            room_type: room.room_type,
            topic: room.topic,
            entity_type: room.entity_type,
            entity_id: room.entity_id,
            member_count: room.member_count,
            message_count: room.message_count,
            last_message_ts: room.last_message_ts,
            encrypted: room.encrypted,
            created_at: Rfc3339(room.created_at),
        }
    }
}
