//! The router sends a group of endpoints elsewhere, and a copy that dies is not noticed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use messenger_tests::{Plan, Stack};
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_under_load_costs_no_notification() {
    let home = Stack::planned(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let (a, mut first) = home.another("messenger-notifications").await;
    let (b, _second) = home.another("messenger-notifications").await;
    let (events, _events) = home.another("messenger-events").await;
    let environment = vec![
        ("UPSTREAM_NOTIFICATIONS".to_owned(), format!("{a},{b}")),
        ("UPSTREAM_EVENTS".to_owned(), events),
    ];
    let database_url = Some(home.database_url().to_owned());
    let front = Stack::planned(Plan {
        homeserver: false,
        worker: false,
        database_url,
        environment,
        ..Plan::default()
    })
    .await;
    let client = front.client();
    let mut stream = client.person("mueller").stream(None).await;

    let done = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let (client, done) = (client.clone(), done.clone());
            tokio::spawn(async move {
                let mut sent = 0;
                while !done.load(Ordering::SeqCst) {
                    let body = json!({ "source_app": "a", "event_type": "e", "title": "t" });
                    let key = format!("{sender}-{sent}");
                    // Retried with its key, as every good client does where a copy may have died after it was asked.
                    let answer = loop {
                        match client.try_notify(&body, "?wait=0", &key).await {
                            Ok(answer) if answer.status == StatusCode::BAD_GATEWAY => {}
                            Ok(answer) => break answer,
                            Err(error) => panic!("the router itself never fails: {error}"),
                        }
                    };
                    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
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
        first.start_again().await.expect("the copy starts");
    }
    done.store(true, Ordering::SeqCst);
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.expect("a sender ends well");
    }
    assert!(sent > 20, "{sent}");
    for _ in 0..sent {
        stream.next_of("notification").await;
    }
    let rest = stream.within(Duration::from_millis(300)).await;
    assert!(rest.iter().all(|event| event.kind() == "keepalive"), "none came twice");
}
