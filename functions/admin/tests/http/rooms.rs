//! Administrators list the rooms of their tenant and the members of each, never a message.

use std::time::{Duration, Instant};

use messenger_core::{message::OutgoingMessage, room::RoomCreation};
use messenger_testkit::fixtures;
use serde_json::{Value, json};

use crate::fixture::{Site, token};

const ROOMS: &str = "/api/v1/admin/rooms";
/// Ten thousand entity rooms of the tenant, each with five of a hundred members.
const MANY: &str = "
    insert into users (hub_user_id, tenant_id, localpart, hub_name, display_name, role, search_hub_name,
                       search_name, search_id)
    select 'user ' || n, 1, 'user.' || n, 'Name ' || n, 'Name ' || n, 'user', 'name ' || n, 'name ' || n, 'user ' || n
    from generate_series(1, 100) n;
    insert into rooms (tenant_id, kind, key, matrix_room_id, name, entity_type, entity_id)
    select 1, 'entity', 'machine/' || n, '!many' || n, 'machine ' || n, 'machine', n::text
    from generate_series(1, 10000) n;
    insert into room_members (tenant_id, hub_user_id, matrix_room_id)
    select 1, 'user ' || (n + m * 7) % 100 + 1, '!many' || n
    from generate_series(1, 10000) n, generate_series(1, 5) m;
    analyze";

/// Returns a field of each listed room.
fn each<'a>(rooms: &'a Value, field: &str) -> Vec<&'a Value> {
    rooms.as_array().expect("an array").iter().map(|room| &room[field]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_listed_newest_first_without_any_text() {
    let site = Site::start().await;
    let (anna, bert) = (site.ready("anna").await, site.ready("bert").await);
    site.notify(&site.messenger, fixtures::machine(42, "hot")).await;
    let chat = site.messenger.rooms().open_direct_chat(&anna, bert.user.id()).await.expect("opened");
    let text = OutgoingMessage::text("a secret", "m.text");
    let room = &chat.matrix_room_id;
    site.messenger.messages().send(&anna, room, text, None).await.expect("sent");
    let creation = RoomCreation { name: "Schicht".into(), topic: Some("Nacht".into()), invite: Vec::new() };
    site.messenger.rooms().create(&anna, creation).await.expect("created");

    let listed = site.get(&token("chief", "admin", 1), ROOMS).await;
    assert_eq!(each(&listed.body, "display_name"), ["Schicht", "anna, bert", "machine 42", "Allgemein"]);
    assert_eq!(each(&listed.body, "room_type"), ["custom", "dm", "entity", "general"]);
    assert_eq!(each(&listed.body, "member_count"), [1, 2, 0, 2]);
    let entity = &listed.body[2];
    assert_eq!((&entity["entity_type"], &entity["entity_id"]), (&json!("machine"), &json!(42)));
    assert_eq!(listed.body[0]["topic"], "Nacht");
    assert!(!listed.body.to_string().contains("secret"), "no message is shown");
    assert_eq!(site.get(&token("other", "admin", 2), ROOMS).await.body, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_searched_and_read_page_by_page() {
    let site = Site::start().await;
    for number in [1, 2, 31, 32, 33] {
        site.notify(&site.messenger, fixtures::machine(number, "hot")).await;
    }
    let admin = token("chief", "admin", 1);
    let found = async |query: &str| site.get(&admin, &format!("{ROOMS}?{query}")).await;
    assert_eq!(each(&found("q=MACHINE%203").await.body, "display_name").len(), 3);
    assert_eq!(each(&found("q=32&type=entity").await.body, "display_name"), ["machine 32"]);
    assert_eq!(found("type=dm").await.body, json!([]));
    let mut names = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let page = found(&query).await;
        names.extend(each(&page.body, "display_name").into_iter().map(ToString::to_string));
        let Some(next) = page.all_headers.get("x-next-cursor") else { break };
        query = format!("limit=2&cursor={}", next.to_str().expect("text"));
    }
    let wanted = [33, 32, 31, 2, 1].map(|number| format!("\"machine {number}\""));
    assert_eq!(names, wanted);
    for wrong in ["cursor=x", "limit=501", "type=table"] {
        assert_eq!(found(wrong).await.status, 422, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_rooms_are_listed_and_searched_at_once() {
    let site = Site::start().await;
    site.client().await.batch_execute(MANY).await.expect("stored");
    let admin = token("chief", "admin", 1);
    for query in ["", "?limit=500", "?q=machine%20999", "?q=nothing%20like%20it", "?type=entity"] {
        let mut times = Vec::new();
        for _ in 0..10 {
            let start = Instant::now();
            assert_eq!(site.get(&admin, &format!("{ROOMS}{query}")).await.status, 200);
            times.push(start.elapsed());
        }
        times.sort();
        println!("{query}: {:?} {:?}", times[0], times[9]);
        // The first call plans the statement. A debug build on a busy machine is slow.
        assert!(times[8] < Duration::from_secs(2), "{query}: {times:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_listed_with_their_unread_messages() {
    let site = Site::start().await;
    let (anna, bert) = (site.ready("anna").await, site.ready("bert").await);
    let creation = RoomCreation { name: "Schicht".into(), topic: None, invite: vec!["bert".into()] };
    let room = site.messenger.rooms().create(&anna, creation).await.expect("created").matrix_room_id;
    let text = OutgoingMessage::text("hello", "m.text");
    site.messenger.messages().send(&anna, &room, text, None).await.expect("sent");
    site.ingest(&site.messenger, &room).await;

    let admin = token("chief", "admin", 1);
    let listed = site.get(&admin, &format!("{ROOMS}/{room}/members")).await.body;
    assert_eq!(each(&listed, "hub_user_id"), ["anna", "bert"]);
    assert_eq!(each(&listed, "unread_count"), [0, 1]);
    assert_eq!(listed[1]["matrix_user_id"], json!(site.messenger.ids().of(&bert.user)));
    assert!(listed[0]["joined_at"].is_string());
    let status =
        async |token: &str, room: &str| site.get(token, &format!("{ROOMS}/{room}/members")).await.status;
    assert_eq!(status(&admin, "!nowhere").await, 404);
    assert_eq!(status(&token("other", "admin", 2), room.as_str()).await, 404);
}
