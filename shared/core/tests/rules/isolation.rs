//! Every audience against every user, through every kind of reader: no user receives events of others.

use std::time::Duration;

use messenger_core::{
    cursor::Since,
    event::{Audience, Kind},
    id::{RoomId, TenantId},
    inbox::InboxQuery,
    notification::{Draft, EntityId, LogQuery, Satellite, Target},
    user::Caller,
};
use messenger_testkit::{
    TestMessenger, fixtures, messenger,
    sse::{Reader, SseEvent},
};

use crate::WAIT;

const USERS: [(&str, TenantId); 4] = [
    ("anna", fixtures::TENANT),
    ("bert", fixtures::TENANT),
    ("carl", fixtures::OTHER_TENANT),
    ("dora", fixtures::OTHER_TENANT),
];

fn user_audience(tenant: TenantId, name: &str) -> Audience {
    Audience::User(tenant, fixtures::user(name))
}

/// Returns each audience with the users who receive its events.
fn expectations() -> Vec<(Audience, Vec<&'static str>)> {
    let room = |tenant, id: &str| Audience::Room(tenant, RoomId::new(id));
    vec![
        (Audience::Tenant(fixtures::TENANT), vec!["anna", "bert"]),
        (Audience::Tenant(fixtures::OTHER_TENANT), vec!["carl", "dora"]),
        (Audience::Tenant(TenantId(11)), vec![]),
        (user_audience(fixtures::TENANT, "anna"), vec!["anna"]),
        (user_audience(fixtures::OTHER_TENANT, "anna"), vec![]),
        (user_audience(fixtures::TENANT, "carl"), vec![]),
        (user_audience(fixtures::OTHER_TENANT, "carl"), vec!["carl"]),
        (room(fixtures::TENANT, "!1"), vec!["anna"]),
        (room(fixtures::OTHER_TENANT, "!1"), vec![]),
        (room(fixtures::OTHER_TENANT, "!2"), vec!["dora"]),
        (room(fixtures::TENANT, "!2"), vec![]),
    ]
}

async fn callers(messenger: &TestMessenger) -> Vec<Caller> {
    let mut callers = Vec::new();
    for (name, tenant) in USERS {
        callers.push(messenger.caller(name, tenant).await);
    }
    messenger
        .ports
        .memberships
        .add(fixtures::TENANT, &RoomId::new("!1"), &fixtures::user("anna"))
        .await
        .expect("added");
    messenger
        .ports
        .memberships
        .add(fixtures::OTHER_TENANT, &RoomId::new("!2"), &fixtures::user("dora"))
        .await
        .expect("added");
    callers
}

/// Returns the bodies of messages, which name their audiences.
fn bodies(events: impl IntoIterator<Item = serde_json::Value>) -> Vec<String> {
    let messages = events.into_iter().filter(|event| event["type"] == "new_message");
    messages.map(|event| event["body"].as_str().expect("a body").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn every_reader_receives_exactly_its_own_events() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let callers = callers(&messenger).await;
    let start = messenger.ports.feed.span().await.expect("a span").head.to_string();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut live = Vec::new();
    for caller in &callers {
        live.push(Reader::new(messenger.streams().subscribe(caller, None).await.expect("a stream")));
    }
    for (audience, _) in expectations() {
        let event = fixtures::event(audience.clone(), &audience.to_string());
        messenger.ports.feed.append(&[event]).await.expect("appended");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let cold = messenger.another_process();
    let _cold_broker = cold.run_broker();
    for (caller, mut live) in callers.iter().zip(live) {
        let name = caller.user.id().as_str();
        let theirs = expectations().into_iter().filter(|(_, users)| users.contains(&name));
        let expected: Vec<_> = theirs.map(|(audience, _)| audience.to_string()).collect();
        let json = |events: Vec<SseEvent>| bodies(events.iter().map(SseEvent::json));
        assert_eq!(json(live.within(Duration::from_secs(1)).await), expected, "{name}, live");
        for process in [&messenger, &cold] {
            let mut replay =
                Reader::new(process.streams().subscribe(caller, Some(&start)).await.expect("a stream"));
            assert_eq!(json(replay.within(Duration::from_secs(1)).await), expected, "{name}, replayed");
            let page = process
                .streams()
                .poll(caller, &Since::Cursor(start.clone()), Duration::ZERO)
                .await
                .expect("a page");
            let page: Vec<serde_json::Value> = serde_json::from_str(&page.json()).expect("JSON");
            assert_eq!(bodies(page), expected, "{name}, polled");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_notification_of_every_target_stays_in_its_tenant() {
    let messenger = messenger().build();
    let callers = callers(&messenger).await;
    let start = Since::Cursor(messenger.ports.feed.span().await.expect("a span").head.to_string());
    let entity = Target::Entity { entity_type: "machine".into(), entity_id: EntityId::Number(1) };
    for target in [Target::General, Target::Service, entity, Target::Dm(fixtures::user("bert"))] {
        let title = format!("{target:?}");
        messenger.send(Draft { target, ..fixtures::draft(&title) }, WAIT).await;
    }
    let mut counts = Vec::new();
    for caller in &callers {
        let page = messenger.streams().poll(caller, &start, Duration::ZERO).await.expect("a page");
        let announced = page.events.iter().filter(|event| event.kind == Kind::Notification);
        let announced: Vec<_> = announced.filter_map(|event| event.notification).rev().collect();
        let query = InboxQuery { limit: 100, ..InboxQuery::default() };
        let inbox = messenger.inbox().page(caller, &query).await.expect("an inbox");
        let inbox: Vec<_> = inbox.entries.iter().map(|entry| entry.notification.id).collect();
        assert_eq!(inbox, announced, "the inbox of a user has what their streams have");
        counts.push(inbox.len());
    }
    assert_eq!(counts, [3, 4, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn satellites_and_users_see_their_own_tenant_only() {
    let messenger = messenger().build();
    let callers = callers(&messenger).await;
    let ours = messenger.send(fixtures::draft("ours"), WAIT).await.notification;
    let foreign = Satellite { tenant: fixtures::OTHER_TENANT, ..fixtures::satellite() };
    let theirs = messenger
        .notifications()
        .notify(foreign.clone(), fixtures::draft("theirs"), fixtures::waiting(WAIT))
        .await
        .expect("accepted");
    assert_ne!(theirs.notification.room, ours.room, "general rooms of two tenants are two rooms");
    assert!(messenger.notifications().find(&foreign, ours.id).await.is_err());
    let all = LogQuery { source_app: None, limit: 100, offset: 0 };
    let log = messenger.notifications().log(&foreign, &all).await.expect("a log");
    assert_eq!(fixtures::titles(&log), ["theirs"]);
    let found = messenger.users().search(&callers[0], "", 100).await.expect("users");
    assert_eq!(found.iter().map(|user| user.hub_user_id.as_str()).collect::<Vec<_>>(), ["bert"]);
}
