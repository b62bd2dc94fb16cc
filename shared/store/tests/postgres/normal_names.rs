//! Rows of before names had one form: the migration gives them theirs, and merges nobody.

use std::time::Duration;

use messenger_core::{
    event::Audience,
    id::{HubUserId, Position, RoomId, TenantId},
    notification::{LogQuery, Status},
    room::{Pair, RoomKey, RoomKind},
};
use messenger_testkit::fixtures;
use tokio_postgres::Client;

use crate::database::LocalAppends;

const MIGRATION: &str = include_str!("../../migrations/V10__normal_names.sql");
const LEASE: Duration = Duration::from_mins(1);
/// `müller`, as a Mac writes it.
const NFD: &str = "mu\u{308}ller";

async fn run(client: &Client, sql: &str) {
    client.batch_execute(&format!("begin; {sql}; commit")).await.expect("it runs");
}

/// A user as the version before stored them: the account is named by what the token said.
async fn user(client: &Client, id: &str, localpart: &str, name: &str) {
    client
        .execute(
            "insert into users (hub_user_id, tenant_id, localpart, display_name, role, search_name, search_id, account_due,
                account_state)
             values ($1, 1, $2, $3, 'user', lower($3), lower($1), null, 'ours')",
            &[&id, &localpart, &name],
        )
        .await
        .expect("a user");
}

async fn room(client: &Client, key: &RoomKey, id: &str) {
    let (first, second) = match &key.kind {
        RoomKind::Dm(pair) => (Some(pair.both()[0].as_str()), Some(pair.both()[1].as_str())),
        _ => (None, None),
    };
    client
        .execute(
            "insert into rooms (tenant_id, kind, key, matrix_room_id, name, topic, first_user, second_user)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[&key.tenant.0, &key.kind(), &key.key(), &id, &"Na\u{202e}me", &"\u{200b}", &first, &second],
        )
        .await
        .expect("a room");
}

fn key(kind: RoomKind) -> RoomKey {
    RoomKey { tenant: TenantId(1), kind }
}

fn entity(entity_type: &str, entity_id: &str) -> RoomKey {
    key(RoomKind::Entity { entity_type: entity_type.to_owned(), entity_id: entity_id.to_owned() })
}

fn id(text: &str) -> HubUserId {
    HubUserId::new(text)
}

#[tokio::test]
async fn a_user_gets_the_normal_form_of_their_id_and_keeps_their_account_and_all_that_is_theirs() {
    let local_appends = LocalAppends::database().await;
    let (ports, client) = (local_appends.ports(), local_appends.client().await);
    user(&client, NFD, "mu=cc=88ller", "Max\u{200b} Mu\u{308}ller").await;
    user(&client, " anna ", "=20anna=20", "\u{202e}").await;
    user(&client, "zoe", "zoe", "Zoe").await;
    let bot_dm = |user: &str| key(RoomKind::BotDm { user: id(user) });
    let dm = |one: &str, other: &str| key(RoomKind::Dm(Pair::of(&id(one), &id(other)).expect("two")));
    room(&client, &bot_dm(NFD), "!bot").await;
    // In this order: `mu…` is before `zoe`, and ` anna ` before `m…`.
    room(&client, &dm(NFD, "zoe"), "!zoe").await;
    room(&client, &dm(NFD, " anna "), "!anna").await;
    for table in [
        "room_members (tenant_id, hub_user_id, matrix_room_id) values (1, $1, '!bot')",
        "poll_cursors (tenant_id, hub_user_id, reader, position) values (1, $1, ' Halle ', 7)",
        "departures (hub_user_id, matrix_room_id) values ($1, '!gone')",
    ] {
        client.execute(&format!("insert into {table}"), &[&NFD]).await.expect("a row");
    }
    client
        .execute("insert into events (position, tenant_id, audience, kind, payload) values (1, 1, 't1:u:' || $1, 'unread', '{}')", &[&NFD])
        .await
        .expect("an event");
    run(&client, "update feed_head set position = 1").await;
    for _ in 0..2 {
        run(&client, MIGRATION).await;
    }
    let müller = id("müller");
    let found = ports.users.find(TenantId(1), &müller).await.expect("looked").expect("they are there");
    assert_eq!(
        (found.localpart.as_str(), found.identity.display_name.as_str()),
        ("mu=cc=88ller", "Max Müller")
    );
    assert!(!found.provisioned, "the homeserver is to learn the new name");
    let anna = ports.users.find(TenantId(1), &id("anna")).await.expect("looked").expect("they are there");
    assert_eq!((anna.localpart.as_str(), anna.identity.display_name.as_str()), ("=20anna=20", "anna"));
    let signed_in = ports.users.sign_in(&found.identity, "m=c3=bcller").await.expect("signed in");
    assert_eq!(signed_in.localpart, "mu=cc=88ller", "the same account");
    assert_eq!(ports.memberships.of(TenantId(1), &müller).await.expect("rooms"), [RoomId::new("!bot")]);
    assert_eq!(ports.cursors.load(TenantId(1), &müller, "Halle").await.expect("a cursor"), Some(Position(7)));
    let told =
        ports.feed.after(Position(0), &[Audience::User(TenantId(1), müller)], 10).await.expect("events");
    assert_eq!(told.len(), 1);
    for (key, room) in
        [(bot_dm("müller"), "!bot"), (dm("müller", "zoe"), "!zoe"), (dm("müller", "anna"), "!anna")]
    {
        let found = ports.rooms.find(&key).await.expect("looked").map(|(room, _)| room);
        assert_eq!(found, Some(RoomId::new(room)), "{key}");
    }
    let shown = client.query("select distinct name, topic from rooms", &[]).await.expect("rooms");
    assert_eq!(
        (shown.len(), shown[0].get::<_, &str>(0), shown[0].get::<_, Option<&str>>(1)),
        (1, "Name", None)
    );
}

#[tokio::test]
async fn two_users_whose_ids_become_equal_stay_two() {
    let local_appends = LocalAppends::database().await;
    let (ports, client) = (local_appends.ports(), local_appends.client().await);
    user(&client, "müller", "m=c3=bcller", "Richtig").await;
    user(&client, NFD, "mu=cc=88ller", "Anders").await;
    let bot_dm = |user: &str| key(RoomKind::BotDm { user: id(user) });
    room(&client, &bot_dm("müller"), "!right").await;
    room(&client, &bot_dm(NFD), "!other").await;
    let held = fixtures::entry(fixtures::dm(NFD, "held"));
    ports.notifications.accept(held).await.expect("accepted");
    run(&client, MIGRATION).await;
    let names: Vec<String> = client
        .query("select display_name from users order by 1", &[])
        .await
        .expect("users")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(names, ["Anders", "Richtig"]);
    assert_eq!(
        ports.rooms.find(&bot_dm("müller")).await.expect("looked").map(|(room, _)| room),
        Some(RoomId::new("!right"))
    );
    assert_eq!(
        ports.rooms.find(&bot_dm(NFD)).await.expect("looked").map(|(room, _)| room),
        Some(RoomId::new("!other"))
    );
    let queue = ports.outbox.claim(LEASE).await.expect("looked").expect("a lane is due");
    assert_eq!(queue.name, bot_dm("müller").to_string());
    let pending = ports.outbox.pending(&queue, LEASE, 10).await.expect("pending");
    assert_eq!((pending.len(), pending[0].room.clone()), (1, Some(RoomId::new("!right"))));
}

#[tokio::test]
async fn what_waits_for_another_spelling_is_delivered_to_the_same_user() {
    let local_appends = LocalAppends::database().await;
    let (ports, client) = (local_appends.ports(), local_appends.client().await);
    for spelling in [NFD, " müller ", "müller"] {
        ports
            .notifications
            .accept(fixtures::entry(fixtures::dm(spelling, spelling)))
            .await
            .expect("accepted");
    }
    run(&client, MIGRATION).await;
    assert_eq!(ports.outbox.claim(LEASE).await.expect("looked"), None, "nobody is there yet");
    ports.users.sign_in(&fixtures::identity("müller"), "m=c3=bcller").await.expect("signed in");
    let queue = ports.outbox.claim(LEASE).await.expect("looked").expect("a lane is due");
    let pending = ports.outbox.pending(&queue, LEASE, 10).await.expect("pending");
    assert_eq!(fixtures::titles(&pending), [NFD, " müller ", "müller"], "in the order in which they came");
    let queues: i64 = client.query_one("select count(*) from outbox_lanes", &[]).await.expect("lanes").get(0);
    assert_eq!(queues, 1);
}

#[tokio::test]
async fn rooms_of_things_and_apps_keep_what_is_in_them_and_what_is_on_its_way() {
    let local_appends = LocalAppends::database().await;
    let (ports, client) = (local_appends.ports(), local_appends.client().await);
    let service = |app: &str| key(RoomKind::Service { source_app: app.to_owned() });
    for (key, id) in [
        (entity("Pra\u{308}ge", " A/1"), "!press"),
        (service("Pru\u{308}fstand"), "!app"),
        (entity("Ölpresse", "1"), "!first"),
        (entity("O\u{308}lpresse", "1"), "!second"),
        (entity("plain", "100%"), "!plain"),
    ] {
        room(&client, &key, id).await;
    }
    run(&client, "insert into rooms (tenant_id, kind, key) values (1, 'service', 'Pr%C3%BCfstand')").await;
    let draft = messenger_core::notification::Draft {
        source_app: "Pru\u{308}fstand".to_owned(),
        target: messenger_core::notification::Target::Service,
        ..fixtures::draft("x")
    };
    ports.notifications.accept(fixtures::entry(draft)).await.expect("accepted");
    run(&client, MIGRATION).await;
    for (key, room) in [
        (entity("Präge", "A/1"), "!press"),
        (service("Prüfstand"), "!app"),
        (entity("Ölpresse", "1"), "!first"),
        (entity("O\u{308}lpresse", "1"), "!second"),
        (entity("plain", "100%"), "!plain"),
    ] {
        assert_eq!(
            ports.rooms.find(&key).await.expect("looked").map(|(room, _)| room),
            Some(RoomId::new(room)),
            "{key}"
        );
    }
    let query = LogQuery { source_app: Some("Prüfstand".to_owned()), limit: 10, offset: 0 };
    let log = ports.notifications.log(TenantId(1), &query).await.expect("a log");
    assert_eq!(
        (log.len(), log[0].status, log[0].room.clone()),
        (1, Status::Pending, Some(RoomId::new("!app")))
    );
    let queue = ports.outbox.claim(LEASE).await.expect("looked").expect("a lane is due");
    assert_eq!(queue.name, service("Prüfstand").to_string());
}

#[tokio::test]
async fn retry_keys_lose_the_spaces_around_them() {
    let local_appends = LocalAppends::database().await;
    let client = local_appends.client().await;
    run(
        &client,
        "insert into idempotency_keys (tenant_id, token, key, fingerprint, notification_id) values
            (1, 't', ' a ', 'f', 1), (1, 't', E'a\\n', 'f', 2), (1, 't', 'b', 'f', 3), (1, 't', ' b', 'f', 4), (1, 't', ' ', 'f', 5)",
    )
    .await;
    run(&client, MIGRATION).await;
    let keys =
        client.query("select key from idempotency_keys order by notification_id", &[]).await.expect("keys");
    let keys: Vec<_> = keys.iter().map(|row| row.get::<_, String>(0)).collect();
    assert_eq!(keys.len(), 4);
    assert_eq!(keys.iter().filter(|key| key.trim() == *key).collect::<Vec<_>>().len(), 2);
    assert!(keys.contains(&"a".to_owned()) && keys.contains(&" b".to_owned()), "{keys:?}");
}

/// The migration cleans names as the service cleans new ones.
#[tokio::test]
async fn names_are_cleaned_as_new_ones_are() {
    let local_appends = LocalAppends::database().await;
    let client = local_appends.client().await;
    let names = [
        "Max\u{200b}\u{202e}",
        "\u{2066}Max\u{2069}",
        "Max\nMustermann\u{7}",
        "u\u{200b}\u{308}",
        "M\u{200d}ax",
        "ü\u{200c}ü",
        "x\u{3164}\u{2800}\u{ad}\u{34f}\u{feff}\u{180e}\u{85}",
        "Max\u{fe0f}\u{fe0f}",
        "\u{fe0f}Max \u{fe0f}",
        " \u{a0}Max\u{3000}",
        "👩\u{200d}🔧 ❤\u{fe0f}\u{200d}🔥 1\u{fe0f}\u{20e3}",
        "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
        "x\u{e0067}",
        "می\u{200c}خواهم",
        "שלום",
        "a  b",
        "Zoë 한글",
    ];
    for (n, name) in names.into_iter().enumerate() {
        user(&client, &format!("user{n}"), &format!("user{n}"), name).await;
    }
    run(&client, MIGRATION).await;
    for (n, name) in names.into_iter().enumerate() {
        let shown = "select display_name from users where hub_user_id = $1";
        let shown = client.query_one(shown, &[&format!("user{n}")]).await.expect("a user");
        assert_eq!(shown.get::<_, &str>(0), messenger_core::name::legible(name), "{name:?}");
    }
}
