//! The ports of administration, of which only PostgreSQL is an adapter.

use std::{net::Ipv4Addr, time::Duration};

use futures::FutureExt as _;
use messenger_core::{
    Ports,
    admin::{
        Administrator, AuditQuery, Closure, Redaction, RoomCursor, RoomQuery, notifications::NotificationAct,
    },
    error::Error,
    id::{EventId, MatrixUserId, RoomId, TenantId},
    lease::Lease,
    message::Mentions,
    notification::{AcceptOutcome, NewNotification, Status},
    port::{AdminNotifications, AdminRooms, AdminStatistics, AuditLog, Change, ClosedRooms, IngestedEvent},
    room::{Marks, Profile, RoomKey, RoomKind},
};
use messenger_testkit::fixtures::{
    OTHER_TENANT, TENANT, delivered, dm, draft, identity, new_notification, payload, room, user,
};
use serde_json::json;
use tokio::time::Instant;
use tokio_postgres::Client;

use crate::database::TestStore;

fn chief(tenant: TenantId) -> Administrator {
    let address = Ipv4Addr::LOCALHOST.into();
    Administrator { actor: user("chief"), tenant, is_super: false, address, request_id: None }
}

fn machine(number: u32) -> RoomKey {
    let (entity_type, entity_id) = ("machine".to_owned(), number.to_string());
    RoomKey { tenant: TENANT, kind: RoomKind::Entity { entity_type, entity_id } }
}

async fn registered(ports: &Ports, key: &RoomKey, id: &str, members: &[&str]) -> RoomId {
    for member in members {
        ports.users.sign_in(&identity(member), member).await.expect("signed in");
    }
    let members = members.iter().map(|member| user(member)).collect();
    let profile = Profile { members, ..Profile::default() };
    ports.rooms.register(key, &room(id), &profile).await.expect("registered")
}

fn message(room: &RoomId, id: &str) -> IngestedEvent {
    IngestedEvent {
        event_id: EventId::new(id),
        tenant: TENANT,
        room: room.clone(),
        sender: MatrixUserId::new("@anna:hub.local"),
        timestamp: "2026-01-01T06:00:00Z".parse().expect("a time"),
        change: Change::Message {
            by: None,
            summary: "a secret".to_owned(),
            file: None,
            mentions: Mentions::default(),
            text: None,
        },
        payload: None,
        alarm: None,
    }
}

#[tokio::test]
async fn a_closed_room_is_closed_once_and_never_registered_again() {
    let database = TestStore::create().await;
    let (store, ports) = (database.beside(), database.ports());
    let (key, closed) = (machine(1), registered(&database.ports(), &machine(1), "!1", &["anna"]).await);
    let close = async |tenant| store.close(&chief(tenant), &closed).await.expect("an outcome");
    assert_eq!(close(OTHER_TENANT).await, None);
    assert_eq!(close(TENANT).await, Some(Closure::Closed));
    assert_eq!(close(TENANT).await, Some(Closure::AlreadyClosed));
    assert!(!ports.memberships.is_member(TENANT, &closed, &user("anna")).await.expect("read"));
    let again = ports.rooms.register(&key, &closed, &Profile::default()).await;
    assert!(matches!(again, Err(Error::Conflict { code: "room_closed", .. })), "{again:?}");
    let id = std::slice::from_ref(&closed);
    assert_eq!(ports.rooms.known(id).await.expect("read"), id);
    assert_eq!(ports.rooms.tenant_of(&closed).await.expect("read"), None);
    ports.memberships.add(TENANT, &closed, &user("anna")).await.expect("ignored");
    assert!(!ports.memberships.is_member(TENANT, &closed, &user("anna")).await.expect("read"));
    let next = registered(&ports, &key, "!2", &[]).await;
    let succeeded = ports.rooms.succeed(TENANT, &next, &closed, &[], Marks::default()).await;
    assert!(!succeeded.expect("an outcome"), "a closed room succeeds no other");
    let leaves = ports.pending_leaves.claim(Duration::from_secs(1), 10).await.expect("read");
    assert_eq!(leaves.len(), 1);
}

#[tokio::test]
async fn nothing_is_ingested_of_a_closed_room() {
    let database = TestStore::create().await;
    let (store, ports) = (database.beside(), database.ports());
    let closed = registered(&ports, &machine(1), "!1", &["anna"]).await;
    let open = registered(&ports, &machine(2), "!2", &["anna"]).await;
    assert_eq!(ports.messages.ingest(&[message(&closed, "$1")]).await.expect("ingested"), 1);
    store.close(&chief(TENANT), &closed).await.expect("closed");
    let late = [message(&closed, "$2"), message(&open, "$3")];
    assert_eq!(ports.messages.ingest(&late).await.expect("ingested"), 1, "the one of the open room");
    let rows = "select count(*) from recent_messages where matrix_room_id = '!1'";
    let rows: i64 = database.client().await.query_one(rows, &[]).await.expect("a count").get(0);
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn a_message_in_a_closed_room_is_not_stored_as_sent() {
    let database = TestStore::create().await;
    let (store, ports) = (database.beside(), database.ports());
    let closed = registered(&ports, &machine(1), "!1", &[]).await;
    let accept = async || {
        let entry = NewNotification { room: Some(closed.clone()), ..new_notification(draft("hot")) };
        match ports.notifications.accept(entry).await.expect("accepted") {
            AcceptOutcome::New { notification, .. } => *notification,
            AcceptOutcome::Replayed { notification, .. } => panic!("{notification:?}"),
        }
    };
    let before = accept().await;
    assert_eq!(before.room, Some(closed.clone()));
    store.close(&chief(TENANT), &closed).await.expect("closed");
    assert_eq!(accept().await.room, None, "the store knows that the room is closed");
    let lost = ports.outbox.sent(&[delivered(before.id, "$1")]).await.expect("stored");
    assert_eq!(lost, [before.id]);
    let stored = ports.notifications.find(TENANT, before.id).await.expect("read").expect("it exists");
    assert_eq!(stored.status, Status::Pending);
}

#[tokio::test]
async fn a_closed_room_is_claimed_by_one_process_at_a_time() {
    let database = TestStore::create().await;
    let (store, ports) = (database.beside(), database.ports());
    let closed = registered(&ports, &machine(1), "!1", &[]).await;
    store.close(&chief(TENANT), &closed).await.expect("closed");
    let minute = Duration::from_mins(1);
    let due = store.claim_due(minute, 10).await.expect("claimed");
    assert_eq!((due.len(), &due[0].room, due[0].key.as_ref()), (1, &closed, Some(&machine(1))));
    assert_eq!(store.claim_due(minute, 10).await.expect("claimed"), []);
    assert_eq!(store.claim(&closed, minute).await.expect("an outcome"), Some(Lease::Lost));
    assert_eq!(store.claim_with_alias(&machine(1), minute).await.expect("an outcome"), Some(Lease::Lost));
    store.postpone(&closed).await.expect("postponed");
    assert_eq!(store.claim_due(minute, 10).await.expect("claimed"), [], "it backs off");
    assert!(ports.maintenance.is_backing_off().await.expect("read"));
    ports.maintenance.retry_now().await.expect("due");
    assert_eq!(store.claim_due(minute, 10).await.expect("claimed").len(), 1);
    store.alias_freed(&closed).await.expect("stored");
    store.release(&closed).await.expect("released");
    assert_eq!(store.claim_with_alias(&machine(1), minute).await.expect("an outcome"), None);
    assert!(store.claim(&closed, minute).await.expect("an outcome").is_some_and(|lease| lease.is_held()));
    store.done(&closed).await.expect("stored");
    assert_eq!(store.claim(&closed, minute).await.expect("an outcome"), None);
    assert!(!ports.maintenance.is_backing_off().await.expect("read"));
}

#[tokio::test]
async fn a_page_of_rooms_and_the_figures_are_one_statement_each() {
    let database = TestStore::create().await;
    let (store, ports) = (database.beside(), database.ports());
    for number in 0..30 {
        registered(&ports, &machine(number), &format!("!{number}"), &["anna"]).await;
    }
    let before = store.statements();
    let query = RoomQuery { limit: 20, ..RoomQuery::default() };
    let first = store.rooms(TENANT, &query).await.expect("rooms");
    assert_eq!((first.len(), store.statements() - before), (20, 1));
    let last = first
        .last()
        .map(|last| RoomCursor { created_at: last.created_at, room: last.matrix_room_id.clone() });
    let second = store.rooms(TENANT, &RoomQuery { after: last, ..query }).await.expect("rooms");
    assert_eq!(second.len(), 10);
    assert!(second.iter().all(|one| !first.contains(one)));
    let before = store.statements();
    let figures = store.figures(TENANT).await.expect("figures");
    assert_eq!((figures.users, store.statements() - before), (1, 1));
    assert_eq!(figures.sends_per_minute, [0; 60]);
}

#[tokio::test]
async fn the_last_report_of_each_process_counts() {
    let database = TestStore::create().await;
    let store = database.beside();
    for (process, count) in [("one", 5), ("two", 2), ("one", 3)] {
        store.report_streams(process, &[(TENANT, count), (OTHER_TENANT, 9)]).await.expect("stored");
    }
    assert_eq!(store.figures(TENANT).await.expect("figures").sse_connections, 5);
}

#[tokio::test]
async fn a_room_of_thousands_is_closed_by_one_statement_in_time() {
    let database = TestStore::create().await;
    let (store, ports) = (database.beside(), database.ports());
    let crowd =
        "insert into users (hub_user_id, tenant_id, localpart, hub_name, display_name, role,
                            search_hub_name, search_name, search_id)
        select 'user ' || n, 1, 'user.' || n, 'Name', 'Name', 'user', 'name', 'name', 'user' from generate_series(1, 5000) n;
        insert into room_members (tenant_id, hub_user_id, matrix_room_id)
        select 1, 'user ' || n, '!1' from generate_series(1, 5000) n";
    let closed = registered(&ports, &machine(1), "!1", &[]).await;
    database.client().await.batch_execute(crowd).await.expect("stored");
    let before = ports.feed.span().await.expect("a span").head;
    assert_eq!(store.close(&chief(TENANT), &closed).await.expect("in time"), Some(Closure::Closed));
    let after = ports.feed.span().await.expect("a span").head;
    assert_eq!(after.0 - before.0, 5000, "each member gets an event");
}

#[tokio::test]
async fn a_redaction_by_an_administrator_is_in_the_audit_log() {
    let database = TestStore::create().await;
    let (room, message) = (&room("!1"), &EventId::new("$1"));
    let sender = &MatrixUserId::new("@anna:hub.local");
    let redaction = Redaction { room, message, sender, reason: Some("insult") };
    database.ports().messages.record_redaction(&chief(TENANT), redaction).await.expect("stored");
    let query = AuditQuery { action: Some("message.redact".to_owned()), limit: 10, ..AuditQuery::default() };
    let entries = database.beside().entries(TENANT, &query).await.expect("entries");
    let entry = entries.first().expect("one");
    assert_eq!((entries.len(), entry.actor.as_str(), entry.subject.as_str()), (1, "chief", "$1"));
    let after = json!({ "room_id": "!1", "sender": "@anna:hub.local", "reason": "insult" });
    assert_eq!((&entry.before, &entry.after), (&None, &Some(after)));
}

/// Waits until a session of this database waits for a lock.
async fn until_one_waits(client: &Client) {
    let waiting = "select exists (select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock')";
    let deadline = Instant::now() + Duration::from_mins(1);
    while !client.query_one(waiting, &[]).await.expect("read").get::<_, bool>(0) {
        assert!(Instant::now() < deadline, "no session waits for the lock");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn acts_and_announcements_lock_no_notification_before_the_event_log() {
    let database = TestStore::create().await;
    let ports = database.ports();
    let AcceptOutcome::New { notification, .. } =
        ports.notifications.accept(new_notification(dm("nobody", "held"))).await.expect("accepted")
    else {
        panic!("it is new");
    };
    assert!(!notification.announced, "it is held");
    let (mut first, observer) = (database.client().await, database.client().await);
    let fields = payload(&json!({}));
    let announced = async { ports.outbox.announce(&notification, &fields).await.map(drop) };
    let cancelled = async {
        let act = database.beside().change(&chief(TENANT), NotificationAct::Cancel, notification.id).await;
        act.map(drop)
    };
    for act in [announced.boxed(), cancelled.boxed()] {
        let lock = first.transaction().await.expect("a transaction");
        lock.execute("select from feed_head for update", &[]).await.expect("locked");
        let probe = async {
            until_one_waits(&observer).await;
            let row = "select from notifications where id = $1 for update nowait";
            lock.execute(row, &[&notification.id.0]).await.expect("nobody has locked the notification");
            lock.rollback().await.expect("released");
        };
        let (result, ()) = tokio::join!(act, probe);
        result.expect("done");
    }
}
