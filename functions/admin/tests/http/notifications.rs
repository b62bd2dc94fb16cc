//! Notifications as administrators find and change them.

mod acts;
mod bulk;
mod finding;
mod held;

use http::Method;
use messenger_core::notification::{Draft, Notification};
use messenger_testkit::fixtures;
use serde_json::Value;

use crate::fixture::{Site, token};

const NOTIFICATIONS: &str = "/api/v1/admin/notifications";

/// An administrator of the first tenant.
fn admin() -> String {
    token("chef", "admin", 1)
}

/// Sends a notification, for whose delivery nobody waits.
async fn send(site: &Site, draft: Draft) -> Notification {
    let sent = site.messenger.notifications().notify(fixtures::satellite(), draft, fixtures::no_wait()).await;
    sent.expect("accepted").notification
}

/// Delivers everything that is due, as the worker does.
async fn work(site: &Site) {
    while site.messenger.delivery().deliver_due().await.expect("the database works") {}
}

/// Returns the answer to a `GET` that succeeds.
async fn read(site: &Site, path: &str) -> Value {
    let answer = site.get(&admin(), path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

/// Returns status and body of the answer to a `POST`.
async fn post(site: &Site, path: &str, body: Option<Value>) -> (u16, Value) {
    let answer = site.call(&admin(), &Method::POST, path, body).await;
    (answer.status, answer.body)
}

/// Returns the acts of the audit log, oldest first, each with its subject.
async fn acts(site: &Site) -> Vec<(String, String)> {
    let entries = read(site, "/api/v1/admin/audit").await["entries"].as_array().cloned().unwrap_or_default();
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    entries.iter().rev().map(|entry| (text(entry, "action"), text(entry, "subject"))).collect()
}

/// Returns the ids of found notifications.
fn ids(found: &Value) -> Vec<i64> {
    let found = found["notifications"].as_array().cloned().unwrap_or_default();
    found.iter().filter_map(|one| one["id"].as_i64()).collect()
}
