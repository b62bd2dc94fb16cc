//! One notification: retried, cancelled, and sent as a test.

use std::time::Duration;

use messenger_core::{error::Failure, id::NotificationId, inbox::ReadEntries};
use messenger_testkit::fixtures::{self, draft, identity};
use serde_json::{Value, json};

use super::{NOTIFICATIONS, acts, ids, post, read, send, work};
use crate::fixture::{Site, token};

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_notification_is_found_retried_and_sent() {
    let site = Site::start().await;
    let other = send(&site, draft("in Ordnung")).await;
    work(&site).await;
    site.homeserver.fail_call(1, Failure::Rejected);
    let failed = send(&site, draft("kaputt")).await;
    work(&site).await;
    assert_eq!(ids(&read(&site, &format!("{NOTIFICATIONS}?status=failed")).await), [failed.id.0]);
    let path = format!("{NOTIFICATIONS}/{}", failed.id);
    let failures = read(&site, &format!("{path}/deliveries")).await;
    assert_eq!(failures["ended"]["reason"], "refused_by_homeserver");
    assert_eq!(failures["failures"][0]["attempt"], 1);
    assert!(!failures.to_string().contains("kaputt"), "the detail has no content: {failures}");

    let (status, retried) = post(&site, &format!("{path}/retry"), None).await;
    assert_eq!((status, &retried["status"], &retried["attempts"]), (200, &json!("pending"), &json!(0)));
    work(&site).await;
    let sent = read(&site, &format!("{path}/deliveries")).await;
    assert_eq!((&sent["status"], &sent["ended"]), (&json!("sent"), &Value::Null));
    assert!(sent["sent"]["at"].is_string(), "{sent}");
    let bodies = site.homeserver.all_bodies();
    assert_eq!(bodies.iter().filter(|body| body.contains("kaputt")).count(), 1, "{bodies:?}");
    assert_eq!(acts(&site).await, [("notification.retry".to_owned(), failed.id.to_string())]);

    let (status, refused) = post(&site, &format!("{NOTIFICATIONS}/{}/retry", other.id), None).await;
    assert_eq!((status, &refused["code"]), (409, &json!("not_retryable")));
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("`sent`")), "{refused}");
    assert_eq!(acts(&site).await.len(), 1, "a refused act has no entry");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_notification_is_not_delivered_and_its_queue_drains() {
    let site = Site::start().await;
    site.homeserver.switch_off();
    let waiting = send(&site, draft("veraltet")).await;
    work(&site).await;
    site.homeserver.switch_on();
    let path = format!("{NOTIFICATIONS}/{}", waiting.id);
    let (status, cancelled) = post(&site, &format!("{path}/cancel"), None).await;
    assert_eq!((status, &cancelled["status"]), (200, &json!("cancelled")));
    assert!(site.messenger.delivery().deliver_due().await.expect("the queue is due"));
    assert!(!site.messenger.delivery().deliver_due().await.expect("the queue is drained"));
    assert_eq!(site.homeserver.all_bodies(), Vec::<String>::new());
    let (status, refused) = post(&site, &format!("{path}/cancel"), None).await;
    assert_eq!((status, &refused["code"]), (409, &json!("not_cancellable")));
    let later = send(&site, draft("neu")).await;
    work(&site).await;
    assert_eq!(read(&site, &format!("{NOTIFICATIONS}/{}/deliveries", later.id)).await["status"], "sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_of_another_tenant_is_unknown() {
    let site = Site::start().await;
    let waiting = send(&site, draft("eigene")).await;
    let foreign = token("otto", "admin", 2);
    for act in ["retry", "cancel"] {
        let path = format!("{NOTIFICATIONS}/{}/{act}", waiting.id);
        assert_eq!(site.call(&foreign, &http::Method::POST, &path, None).await.status, 404);
    }
    let deliveries = format!("{NOTIFICATIONS}/{}/deliveries", waiting.id);
    assert_eq!(site.get(&foreign, &deliveries).await.status, 404);
    let found = site.get(&foreign, NOTIFICATIONS).await.body;
    assert_eq!(ids(&found), Vec::<i64>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_arrives_after_its_cancellation_is_sent() {
    let site = Site::start().await;
    let waiting = send(&site, draft("zu spät")).await;
    site.homeserver.delay_responses(Duration::from_millis(500));
    let (worker, cancelled) = tokio::join!(work(&site), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        post(&site, &format!("{NOTIFICATIONS}/{}/cancel", waiting.id), None).await
    });
    let () = worker;
    assert_eq!(cancelled.0, 200);
    let after = read(&site, &format!("{NOTIFICATIONS}/{}/deliveries", waiting.id)).await;
    let bodies = site.homeserver.all_bodies();
    let is_there = bodies.iter().any(|body| body.contains("zu spät"));
    assert_eq!(after["status"] == "sent", is_there, "{after} {bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_notification_is_marked_as_a_test() {
    let site = Site::start().await;
    site.messenger.users().sign_in(identity("anna")).await.expect("signed in");
    let body = json!({ "target_type": "dm", "target_user": "anna", "text": "Hallo" });
    let (status, sent) = post(&site, "/api/v1/admin/test-notification", Some(body)).await;
    assert_eq!(status, 201, "{sent}");
    assert_eq!((&sent["is_test"], &sent["source_app"]), (&json!(true), &json!("messenger-admin")));
    assert_eq!((&sent["title"], &sent["status"]), (&json!("Test: Hallo"), &json!("sent")));
    send(&site, draft("echt")).await;
    let id = sent["id"].as_i64().expect("an id");
    assert_eq!(ids(&read(&site, &format!("{NOTIFICATIONS}?test=true")).await), [id]);
    assert!(!ids(&read(&site, &format!("{NOTIFICATIONS}?test=false")).await).contains(&id));
    assert_eq!(acts(&site).await, [("notification.test".to_owned(), id.to_string())]);

    let to_everybody = post(&site, "/api/v1/admin/test-notification", Some(json!({}))).await;
    assert_eq!((to_everybody.0, &to_everybody.1["code"]), (422, &json!("invalid_target")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipient_of_a_direct_message_is_named() {
    let site = Site::start().await;
    site.messenger.users().sign_in(identity("anna")).await.expect("signed in");
    let sent = send(&site, fixtures::dm("anna", "Freigabe")).await;
    work(&site).await;
    let path = format!("{NOTIFICATIONS}/{}/deliveries", sent.id);
    let deliveries = read(&site, &path).await;
    assert_eq!(deliveries["recipient_count"], 1);
    assert_eq!(deliveries["recipients"][0]["hub_user_id"], "anna");
    assert_eq!(deliveries["recipients"][0]["has_read"], Value::Null, "its event is not ingested yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_is_marked_as_read_in_the_inbox_is_seen() {
    let site = Site::start().await;
    let (anna, bert) = (site.ready("anna").await, site.ready("bert").await);
    let first = send(&site, draft("Ofen 3 meldet Übertemperatur")).await;
    let second = send(&site, draft("Ofen 3 steht")).await;
    work(&site).await;
    let room = site.messenger.notifications().find(&fixtures::satellite(), first.id).await;
    let room = room.expect("it is stored").room.expect("it is sent");
    site.ingest(&site.messenger, &room).await;
    assert_eq!(seen(&site, first.id).await, json!({ "anna": false, "bert": false }));
    let read = |up_to, ids| ReadEntries { up_to, ids };
    site.messenger.inbox().read(&anna, &read(None, vec![second.id])).await.expect("marked");
    site.messenger.inbox().read(&bert, &read(Some(first.id), vec![])).await.expect("marked");
    assert_eq!(seen(&site, first.id).await, json!({ "anna": false, "bert": true }));
    assert_eq!(seen(&site, second.id).await, json!({ "anna": true, "bert": false }));
    // Earlier notifications count as read in the inbox of a new user, who has not seen them. This includes the
    // administrator, who signed in with the first request.
    site.ready("dora").await;
    let expected = json!({ "anna": false, "bert": true, "chef": null, "dora": null });
    assert_eq!(seen(&site, first.id).await, expected);
}

/// Returns `has_read` of each recipient.
async fn seen(site: &Site, id: NotificationId) -> Value {
    let deliveries = read(site, &format!("{NOTIFICATIONS}/{id}/deliveries")).await;
    let recipients = deliveries["recipients"].as_array().expect("a list").iter();
    let recipients = recipients.map(|one| (one["hub_user_id"].as_str(), one["has_read"].clone()));
    recipients.map(|(id, has_read)| (id.expect("an id").to_owned(), has_read)).collect()
}
