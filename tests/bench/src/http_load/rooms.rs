//! Rooms: those that are there already, which need no homeserver, and what is done with them through it.
use anyhow::{Context, Result};

use super::endpoint::{Callers, Endpoint};
use super::subject::{Subject, Wanted};
use crate::inserts::connect;
use crate::service::{Door, sign_in};
use crate::stack::Database;
use crate::token;

/// How many rooms those have whose lists are read.
pub(super) const LISTS: [i64; 3] = [10, 100, 500];
/// Where the first of the users that are signed in already is, with the others.
const TEAM: &str = "!team:bench.local";
/// With whom the first of them has a chat.
pub(super) const PARTNER: &str = "load-1";

/// Rooms as the service would have left them, every third a direct chat; each has messages that are not read yet.
const LISTED: &str = "
    with made as (
        insert into rooms (tenant_id, kind, key, matrix_room_id, name, first_user, second_user, message_count,
                           last_message, last_message_ts)
        select 1, case when n % 3 = 0 then 'dm' else 'custom' end, $1 || '/' || n, '!' || $1 || n || ':bench.local',
               'Room ' || n, $1, 'load-' || n % 100, n, 'What was said last, some forty letters of it.',
               now() - n * interval '1 second'
        from generate_series(1, $2::bigint) n
        returning matrix_room_id
    )
    insert into room_members (tenant_id, hub_user_id, matrix_room_id) select 1, $1, matrix_room_id from made";
/// A room of fifty, a chat of two, and the rooms of two hundred machines.
const THERE: &str = "
    insert into rooms (tenant_id, kind, key, matrix_room_id, name)
    values (1, 'custom', 'team', '!team:bench.local', 'Team');
    insert into rooms (tenant_id, kind, key, matrix_room_id, first_user, second_user)
    values (1, 'dm', 'load-0/load-1', '!chat:bench.local', 'load-0', 'load-1');
    insert into rooms (tenant_id, kind, key, matrix_room_id, name, entity_type, entity_id)
    select 1, 'entity', 'machine/' || n, '!machine' || n || ':bench.local', 'machine ' || n, 'machine', n::text
    from generate_series(1, 200) n;
    insert into room_members (tenant_id, hub_user_id, matrix_room_id)
    select 1, 'load-' || n, '!team:bench.local' from generate_series(0, 49) n
    union all
    select 1, 'load-' || n, '!chat:bench.local' from generate_series(0, 1) n";

/// Opens the chat with the partner.
pub(super) const CHAT: Endpoint =
    Endpoint::new("rooms/dm/{id}, opened before", "POST /api/v1/rooms/dm/{partner}");
/// What needs no homeserver.
pub(super) const THERE_ALREADY: [Endpoint; 5] = [
    Endpoint::new("rooms/directory", "GET /api/v1/rooms/directory?q=machine"),
    Endpoint::new("rooms/{id}/members", "GET /api/v1/rooms/{room}/members"),
    Endpoint::new("rooms/{id}/join, already in", "POST /api/v1/rooms/{room}/join"),
    Endpoint::new("rooms/{id}/read, nothing new", "POST /api/v1/rooms/{room}/read").status(204),
    CHAT,
];
/// What needs one.
pub(super) const BY_HOMESERVER: [Endpoint; 3] = [
    Endpoint::new("rooms, made", "POST /api/v1/rooms").body(r#"{"name":"bench {number}"}"#).status(201),
    Endpoint::new("rooms/{id}/invite, already in", "POST /api/v1/rooms/{room}/invite")
        .body(r#"{"hub_user_id":"{partner}"}"#),
    Endpoint::new("rooms/{id}/typing", "POST /api/v1/rooms/{room}/typing")
        .body(r#"{"typing":true}"#)
        .status(204),
];
/// Each client is a user of its own, who is in the room before each call, or out of it.
pub(super) const TO_AND_FRO: [Endpoint; 2] = [
    Endpoint::new("rooms/{id}/leave", "POST /api/v1/rooms/{open}/leave")
        .after("POST /api/v1/rooms/{open}/join")
        .status(204),
    Endpoint::new("rooms/{id}/join, after leaving", "POST /api/v1/rooms/{open}/join")
        .after("POST /api/v1/rooms/{open}/leave"),
];
/// Opens the room of a machine, which everybody may join.
const OPENED: Endpoint = Endpoint::new("", "POST /api/v1/notifications/send?wait=10")
    .body(
        r#"{"source_app":"bench","event_type":"e","title":"here","target_type":"entity_room",
            "entity_type":"machine","entity_id":42}"#,
    )
    .status(201);

/// What the load on a list of so many rooms is called.
pub(super) fn list(rooms: i64) -> String {
    format!("rooms, a list of {rooms}")
}

/// Users with few and many rooms, and the load on their lists.
pub(super) async fn lists(door: &Door, database: &Database, wanted: &Wanted) -> Result<Vec<Subject>> {
    let client = connect(database.url()).await?;
    let mut subjects = Vec::new();
    for rooms in LISTS.into_iter().filter(|rooms| wanted.is(&list(*rooms))) {
        let user = format!("in-{rooms}");
        let token = token::sign(&door.hub_key, &user, 1)?;
        sign_in(&door.server, std::slice::from_ref(&token)).await?;
        client.execute(LISTED, &[&user, &rooms]).await?;
        let load = Callers::with(door, &[token]).load(&Endpoint::new("", "GET /api/v1/rooms"));
        subjects.push(Subject::http(list(rooms), load));
    }
    client.batch_execute("analyze rooms, room_members, users").await?;
    Ok(subjects)
}

/// Makes the rooms of those who are signed in already, without a homeserver; returns the one of many.
pub(super) async fn make(database: &Database) -> Result<&'static str> {
    connect(database.url()).await?.batch_execute(THERE).await?;
    Ok(TEAM)
}

/// What one user does with a room that they are in.
pub(super) fn inside(door: &Door, token: &str, room: &str) -> Callers {
    Callers::with(door, &[token.to_owned()]).word("room", room).word("partner", PARTNER)
}

/// Users who come and go, one for each client.
pub(super) async fn to_and_fro(door: &Door, wanted: &Wanted, clients: usize) -> Result<Vec<Subject>> {
    if !wanted.any(&TO_AND_FRO) {
        return Ok(Vec::new());
    }
    let opened = Callers::satellite(door).load(&OPENED).once().await?.json()?;
    let open = opened["matrix_room_id"].as_str().context("the room of a machine was not made in time")?;
    let tokens = token::many(&door.hub_key, "guest", clients, 1)?;
    sign_in(&door.server, &tokens).await?;
    let guests = Callers::with(door, &tokens).word("open", open);
    for token in &tokens {
        let guest = Callers::with(door, std::slice::from_ref(token)).word("open", open);
        guest.load(&Endpoint::new("", "POST /api/v1/rooms/{open}/join")).once().await?;
    }
    Ok(wanted.of(&TO_AND_FRO, &guests))
}
