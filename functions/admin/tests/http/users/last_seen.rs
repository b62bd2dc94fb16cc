//! When users called last.

use std::time::Duration;

use http::{Request, header::AUTHORIZATION};
use messenger_runtime::testing::Wire;
use serde_json::Value;

use super::{shown, signed_in};
use crate::fixture::{Site, token};

async fn call(wire: &Wire, user: &str) {
    let token = token(user, "user", 1);
    let request = Request::get("/api/v1/users/me").header(AUTHORIZATION, format!("Bearer {token}"));
    assert_eq!(wire.ask(request).await.status, 200);
}

/// Waits until it is stored when a user called.
async fn seen(site: &Site, user: &str) -> Value {
    let wait = async {
        loop {
            let at = shown(site, user).await["last_seen_at"].clone();
            if !at.is_null() {
                return at;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it is stored in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_stored_once_in_some_minutes_and_process() {
    let site = Site::start().await;
    let (one, other) = (site.beside(), site.beside());
    let wires = [&one, &other].map(|app| Wire::of(messenger_users::routes(), app));
    signed_in(&site, "bert").await;
    call(&wires[0], "anna").await;
    let first = seen(&site, "anna").await;
    let version = shown(&site, "anna").await["version"].clone();
    for _ in 0..20 {
        call(&wires[0], "anna").await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(shown(&site, "anna").await["last_seen_at"], first);
    call(&wires[1], "anna").await;
    let wait = async {
        while shown(&site, "anna").await["last_seen_at"] == first {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("another process stores it, too");
    let now = shown(&site, "anna").await;
    assert!(now["last_seen_at"].as_str() > first.as_str(), "{now}");
    assert_eq!(now["version"], version, "it is no change that an act has to know");
    assert_eq!(
        shown(&site, "bert").await["last_seen_at"],
        Value::Null,
        "signing in within the process is no call"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_answered_while_the_user_is_being_changed() {
    let site = Site::start().await;
    let wire = Wire::of(messenger_users::routes(), &site.beside());
    signed_in(&site, "anna").await;
    let client = site.client().await;
    client
        .batch_execute("begin; select from users where hub_user_id = 'anna' for update")
        .await
        .expect("locked");
    tokio::time::timeout(Duration::from_secs(4), call(&wire, "bert")).await.expect("not delayed");
    seen(&site, "bert").await;
    client.batch_execute("rollback").await.expect("unlocked");
    call(&wire, "anna").await;
    seen(&site, "anna").await;
}
