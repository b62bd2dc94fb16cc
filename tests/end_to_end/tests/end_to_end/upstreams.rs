//! The router forwards a group of endpoints to upstreams, and the death of one is not noticed by clients.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use messenger_tests::{Plan, Stack, is_skipped_on_deployment};
use reqwest::StatusCode;
use serde_json::json;

/// Starts a router in front of functions of the same service.
async fn front_of(home: &Stack, environment: Vec<(String, String)>) -> Stack {
    let database_url = Some(home.database_url().to_owned());
    let plan = Plan { homeserver: false, worker: false, database_url, environment, ..Plan::default() };
    Stack::start_with(plan).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_copies_are_stopped_and_started_under_load() {
    if is_skipped_on_deployment("it stops processes") {
        return;
    }
    let environment = vec![("DRAIN_SECONDS".to_owned(), "3".to_owned())];
    let home =
        Stack::start_with(Plan { homeserver: false, worker: false, environment, ..Plan::default() }).await;
    let (a, mut first) = home.start_function("messenger-notifications").await;
    let (b, _second) = home.start_function("messenger-notifications").await;
    let front = front_of(&home, vec![("UPSTREAM_NOTIFICATIONS".to_owned(), format!("{a},{b}"))]).await;
    let client = front.client();
    let done = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let (client, done) = (client.clone(), done.clone());
            tokio::spawn(async move {
                let mut sent = 0;
                while !done.load(Ordering::SeqCst) {
                    let body = json!({ "source_app": "a", "event_type": "e", "title": "t" });
                    let key = format!("{sender}-{sent}");
                    // A sender that never retries.
                    let response = client.try_notify(&body, "?wait=0", &key).await.expect("an answer");
                    assert_eq!(response.status, StatusCode::CREATED, "{}", response.body);
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let begun = tokio::time::Instant::now();
        first.stop().await;
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(9), "{took:?}");
        first.start_again().await.expect("the copy starts");
    }
    done.store(true, Ordering::SeqCst);
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.expect("no request fails");
    }
    assert!(sent > 20, "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_upstream_loses_no_notification_under_load() {
    if is_skipped_on_deployment("it kills processes") {
        return;
    }
    let home = Stack::start_with(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let (a, mut first) = home.start_function("messenger-notifications").await;
    let (b, _second) = home.start_function("messenger-notifications").await;
    let (events, _events) = home.start_function("messenger-events").await;
    let environment = vec![
        ("UPSTREAM_NOTIFICATIONS".to_owned(), format!("{a},{b}")),
        ("UPSTREAM_EVENTS".to_owned(), events),
    ];
    let front = front_of(&home, environment).await;
    let client = front.client();
    let mut stream = client.user("mueller").stream(None).await;

    let done = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let (client, done) = (client.clone(), done.clone());
            tokio::spawn(async move {
                let mut sent = 0;
                while !done.load(Ordering::SeqCst) {
                    let body = json!({ "source_app": "a", "event_type": "e", "title": "t" });
                    let key = format!("{sender}-{sent}");
                    // Retries with its key, as a client must if an upstream may have died during the call.
                    let response = loop {
                        match client.try_notify(&body, "?wait=0", &key).await {
                            Ok(response) if response.status == StatusCode::BAD_GATEWAY => {}
                            Ok(response) => break response,
                            Err(error) => panic!("the router itself never fails: {error}"),
                        }
                    };
                    assert_eq!(response.status, StatusCode::CREATED, "{}", response.body);
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        first.kill();
        tokio::time::sleep(Duration::from_millis(700)).await;
        first.start_again().await.expect("the upstream starts");
    }
    done.store(true, Ordering::SeqCst);
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.expect("a sender does not panic");
    }
    assert!(sent > 20, "{sent}");
    for _ in 0..sent {
        stream.next_of("notification").await;
    }
    let later = stream.within(Duration::from_millis(300)).await;
    assert!(later.iter().all(|event| event.kind() == "keepalive"), "no notification arrived twice");
}
