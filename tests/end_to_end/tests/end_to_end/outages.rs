//! Outages of the homeserver and of the database lose no accepted notification.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use messenger_devstack::postgres::{Options, Postgres};
use messenger_tests::{Part, Plan, Stack, is_skipped_on_deployment};
use reqwest::StatusCode;
use serde_json::{Value, json};

fn numbered(n: usize) -> Value {
    json!({ "source_app": "a", "event_type": "e", "title": format!("Meldung {n}") })
}

#[tokio::test]
async fn a_homeserver_outage_delays_and_loses_no_notification() {
    let mut stack = Stack::start().await;
    let client = stack.client();
    let mut stream = client.user("mueller").stream(None).await;
    let first = client.notify(&numbered(0)).await;
    assert_eq!(first.body["status"], "sent", "{}", first.body);
    stream.next_of("notification").await;
    let room = first.body["matrix_room_id"].as_str().expect("a room").to_owned();

    stack.stop(Part::Homeserver).await;
    let mut ids = vec![first.body["id"].as_i64().expect("an id")];
    for n in 1..=10 {
        let begun = Instant::now();
        let response = client.notify_with(&numbered(n), "?wait=2", None).await;
        assert!(begun.elapsed() < Duration::from_secs(8), "the wait budget was exceeded");
        assert_eq!(response.status, StatusCode::CREATED);
        assert_eq!(response.body["status"], "pending");
        assert_eq!(response.body["matrix_event_id"], Value::Null);
        ids.push(response.body["id"].as_i64().expect("an id"));
        assert_eq!(stream.next_of("notification").await["title"], format!("Meldung {n}"));
    }
    let health = client.get("/api/v1/health").await;
    assert_eq!((health.status, &health.body["status"]), (StatusCode::OK, &json!("degraded")));
    assert_eq!(health.body["conduit"], "unreachable");

    stack.start_again(Part::Homeserver).await;
    for id in &ids {
        wait_until_sent(&client, *id).await;
    }
    let bot = stack.matrix_bot().await;
    assert_eq!(bot.notifications(&room).await, ids, "in order, each once");
}

#[tokio::test]
async fn a_homeserver_that_hangs_delays_no_call_beyond_its_budget() {
    let stack = Stack::start().await;
    let client = stack.client();
    assert_eq!(client.notify(&numbered(0)).await.body["status"], "sent");
    stack.pause_homeserver().await;
    let begun = Instant::now();
    let response = client.notify_with(&numbered(1), "?wait=1", None).await;
    let took = begun.elapsed();
    let healthy = Instant::now();
    let health = client.get("/api/v1/health").await;
    let health_took = healthy.elapsed();
    stack.resume_homeserver().await;
    assert_eq!(response.body["status"], "pending", "{}", response.body);
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(health.body["status"], "degraded");
    assert!(health_took < Duration::from_secs(4), "{health_took:?}");
    let id = response.body["id"].as_i64().expect("an id");
    wait_until_sent(&client, id).await;
    let room =
        client.get_as_satellite(&format!("/api/v1/notifications/{id}")).await.body["matrix_room_id"].clone();
    let in_room = stack.matrix_bot().await.notifications(room.as_str().expect("a room")).await;
    assert_eq!(in_room.iter().filter(|one| **one == id).count(), 1);
}

#[tokio::test]
async fn a_database_outage_is_reported_in_time_and_ends_without_a_restart() {
    if is_skipped_on_deployment("it stops the database") {
        return;
    }
    let mut postgres = Postgres::start(Options::temporary()).await.expect("a PostgreSQL");
    // Long enough for a connection on a busy machine.
    let wait = ("DATABASE_CONNECT_TIMEOUT_MS".to_owned(), "2000".to_owned());
    let database_url = Some(postgres.url("postgres"));
    let stack = Stack::start_with(Plan { database_url, environment: vec![wait], ..Plan::default() }).await;
    let client = stack.client();
    let user = client.user("mueller");
    let mut stream = user.stream(None).await;
    assert_eq!(client.notify(&numbered(0)).await.body["status"], "sent");
    stream.next_of("notification").await;

    postgres.stop().await;
    // The first call may still hold a connection that has just been closed.
    for _ in 0..3 {
        let begun = Instant::now();
        let response = client.notify(&numbered(1)).await;
        assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert!(response.headers.contains_key("retry-after"));
        assert_eq!(response.body["code"], "database_unavailable");
    }
    let health = client.get("/api/v1/health").await;
    assert_eq!(
        (health.status, &health.body["status"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("unhealthy"))
    );

    postgres.start_again().await.expect("PostgreSQL starts");
    let begun = Instant::now();
    let response = loop {
        let response = client.notify(&numbered(2)).await;
        if response.status == StatusCode::CREATED {
            break response;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{response:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(response.body["status"], "sent", "{}", response.body);
    assert_eq!(stream.next_of("notification").await["title"], "Meldung 2", "the old stream continues");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_fails_while_the_database_restarts() {
    if is_skipped_on_deployment("it restarts the database") {
        return;
    }
    let mut postgres = Postgres::start(Options::temporary()).await.expect("a PostgreSQL");
    let plan = Plan { database_url: Some(postgres.url("postgres")), ..Plan::default() };
    let stack = Stack::start_with(plan).await;
    let users = stack.client().provisioned_users(["anna", "bert", "clara", "dora"]).await;
    let (ends, reads) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let readers = users.into_iter().map(|user| {
        let (ends, reads) = (ends.clone(), reads.clone());
        tokio::spawn(async move {
            while !ends.load(Ordering::SeqCst) {
                for path in ["/api/v1/rooms", "/api/v1/users/me", "/api/v1/events/poll"] {
                    let response = user.get(path).await;
                    assert_eq!(response.status, StatusCode::OK, "{path}: {}", response.body);
                    reads.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for _ in 0..3 {
        let before = reads.load(Ordering::SeqCst);
        postgres.stop().await;
        postgres.start_again().await.expect("PostgreSQL starts");
        let begun = Instant::now();
        while reads.load(Ordering::SeqCst) < before + 50 {
            assert!(begun.elapsed() < Duration::from_secs(40), "the readers go on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    ends.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.expect("no read failed");
    }
}

async fn wait_until_sent(client: &messenger_tests::Client, id: i64) {
    let begun = Instant::now();
    loop {
        let one = client.get_as_satellite(&format!("/api/v1/notifications/{id}")).await.body;
        if one["status"] == "sent" {
            return;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{one}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
