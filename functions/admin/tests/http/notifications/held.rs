//! Held direct messages, and another recipient for one.

use std::time::Duration;

use messenger_core::{
    event::{Audience, Kind, Payload},
    id::Position,
    port::{Feed as _, Outbox as _},
};
use messenger_testkit::fixtures::{self, TENANT, dm, identity, user};
use serde_json::json;

use super::{NOTIFICATIONS, acts, post, read, send, work};
use crate::fixture::Site;

const LEASE: Duration = Duration::from_secs(30);

async fn sign_in(site: &Site, name: &str) {
    site.messenger.users().sign_in(identity(name)).await.expect("signed in");
}

/// Returns the number of notifications in the event log that only this user gets.
async fn own_events(site: &Site, name: &str) -> usize {
    let audience = fixtures::all_of(&[Audience::User(TENANT, user(name))]);
    let events = site.store().after(Position(0), &audience, 100).await.expect("events");
    events.iter().filter(|event| event.kind == Kind::Notification).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_message_is_listed_and_delivered_to_its_new_recipient() {
    let site = Site::start().await;
    sign_in(&site, "bert").await;
    let held = send(&site, dm("annna", "Freigabe")).await;
    work(&site).await;
    let list = read(&site, "/api/v1/admin/held").await;
    assert_eq!(list["held"][0]["id"], held.id.0);
    assert_eq!((&list["held"][0]["target_user"], &list["next_cursor"]), (&json!("annna"), &json!(null)));
    let full = read(&site, "/api/v1/admin/held?limit=1").await;
    let cursor = full["next_cursor"].as_str().expect("a cursor").to_owned();
    assert_eq!(read(&site, &format!("/api/v1/admin/held?cursor={cursor}")).await["held"], json!([]));

    let path = format!("{NOTIFICATIONS}/{}/readdress", held.id);
    let unknown = post(&site, &path, Some(json!({ "target_user": "nobody" }))).await;
    assert_eq!((unknown.0, &unknown.1["code"]), (422, &json!("unknown_user")));
    let moved = post(&site, &path, Some(json!({ "target_user": "bert" }))).await;
    assert_eq!((moved.0, &moved.1["target_user"]), (200, &json!("bert")));
    work(&site).await;
    assert_eq!(own_events(&site, "bert").await, 1);
    assert_eq!(site.homeserver.all_bodies().len(), 1);
    let delivered = read(&site, NOTIFICATIONS).await["notifications"][0].clone();
    let time = |field: &str| delivered[field].as_str().expect("a time").to_owned();
    assert!(
        time("created_at") < time("announced_at") && time("announced_at") <= time("sent_at"),
        "{delivered}"
    );
    assert_eq!(read(&site, "/api/v1/admin/held").await["held"], json!([]));
    sign_in(&site, "annna").await;
    work(&site).await;
    assert_eq!(own_events(&site, "annna").await, 0);
    assert_eq!(site.homeserver.all_bodies().len(), 1, "it is delivered once");
    let refused = post(&site, &path, Some(json!({ "target_user": "annna" }))).await;
    assert_eq!((refused.0, &refused.1["code"]), (409, &json!("not_held")));
    assert_eq!(acts(&site).await, [("notification.readdress".to_owned(), held.id.to_string())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_read_the_message_before_does_not_announce_it_to_its_former_recipient() {
    let site = Site::start().await;
    sign_in(&site, "bert").await;
    let held = send(&site, dm("anna", "Freigabe")).await;
    sign_in(&site, "anna").await;
    let store = site.store();
    let queue = store.claim(LEASE).await.expect("claimed").expect("the queue of anna is due");
    let read_before = store.pending(&queue, LEASE, 8).await.expect("read");
    assert_eq!(read_before.len(), 1);
    let path = format!("{NOTIFICATIONS}/{}/readdress", held.id);
    assert_eq!(post(&site, &path, Some(json!({ "target_user": "bert" }))).await.0, 200);
    let payload = Payload::of(&json!({ "title": "Freigabe" })).expect("a payload");
    store.announce(&read_before[0], &payload).await.expect("no error");
    assert_eq!(own_events(&site, "anna").await, 0);
    assert_eq!(store.pending(&queue, LEASE, 8).await.expect("read"), []);
    // The worker dies here. Another one continues.
    work(&site).await;
    assert_eq!((own_events(&site, "anna").await, own_events(&site, "bert").await), (0, 1));
    assert_eq!(site.homeserver.all_bodies().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_to_one_of_two_recipients_who_come_at_the_same_moment() {
    let site = Site::start().await;
    sign_in(&site, "bert").await;
    for n in 0..10 {
        let former = format!("anna{n}");
        let held = send(&site, dm(&former, "Freigabe")).await;
        let path = format!("{NOTIFICATIONS}/{}/readdress", held.id);
        let (moved, ()) = tokio::join!(
            async {
                tokio::time::sleep(Duration::from_millis(n)).await;
                post(&site, &path, Some(json!({ "target_user": "bert" }))).await
            },
            async {
                sign_in(&site, &former).await;
                work(&site).await;
            }
        );
        work(&site).await;
        let is_moved = moved.0 == 200;
        assert_eq!(own_events(&site, &former).await, usize::from(!is_moved), "{moved:?}");
        let bodies = site.homeserver.all_bodies().len();
        assert_eq!(bodies, usize::try_from(n).expect("small") + 1, "each is delivered once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_held_message_is_held_again_when_it_is_retried() {
    let site = Site::start().await;
    let held = send(&site, dm("anna", "Freigabe")).await;
    let path = format!("{NOTIFICATIONS}/{}", held.id);
    assert_eq!(post(&site, &format!("{path}/cancel"), None).await.0, 200);
    sign_in(&site, "anna").await;
    work(&site).await;
    assert_eq!(own_events(&site, "anna").await, 0, "a cancelled message is not announced");
    let (status, retried) = post(&site, &format!("{path}/retry"), None).await;
    assert_eq!(status, 200);
    assert!(retried["expires_at"].is_string(), "{retried}");
    work(&site).await;
    assert_eq!(own_events(&site, "anna").await, 1);
    assert_eq!(site.homeserver.all_bodies().len(), 1);
}
