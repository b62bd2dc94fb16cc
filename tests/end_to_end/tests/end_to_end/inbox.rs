//! The inbox of a person with two devices.

use std::time::Duration;

use messenger_tests::{Stack, encoded};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn what_a_person_reads_on_one_device_is_read_on_the_other_and_for_nobody_else() {
    let stack = Stack::start().await;
    let client = stack.client();
    let [mueller, schmidt] = client.provisioned_users(["mueller", "schmidt"]).await;
    let (mut desk, mut phone) = (mueller.stream(None).await, mueller.stream(None).await);
    let mut hers = schmidt.stream(None).await;

    let alarm = json!({
        "source_app": "fertigungs-app", "event_type": "alarm", "title": "CNC-01 gestoppt", "priority": "urgent",
    });
    let sent = client.notify(&alarm).await.body;
    assert_eq!(sent["status"], "sent", "{sent}");
    for stream in [&mut desk, &mut phone, &mut hers] {
        let event = stream.next_of("notification").await;
        assert_eq!((&event["notification_id"], &event["created_at"]), (&sent["id"], &sent["created_at"]));
        let stands = stream.next_of("notification_sent").await;
        assert_eq!(stands["notification_id"], sent["id"]);
        assert_eq!(
            (&stands["room_id"], &stands["event_id"]),
            (&sent["matrix_room_id"], &sent["matrix_event_id"])
        );
    }

    let inbox = mueller.get("/api/v1/notifications/inbox?unread=true&priority=urgent").await.body;
    let [entry] = inbox["notifications"].as_array().expect("a page").as_slice() else { panic!("{inbox}") };
    assert_eq!((&entry["notification_id"], &entry["read"]), (&sent["id"], &json!(false)));
    assert_eq!(entry["matrix_event_id"], sent["matrix_event_id"]);
    assert_eq!((&entry["title"], &inbox["unread_count"]), (&json!("CNC-01 gestoppt"), &json!(1)));

    let read = mueller.post("/api/v1/notifications/inbox/read", &json!({ "ids": [sent["id"]] })).await;
    assert_eq!(read.body, json!({ "unread_count": 0 }));
    for stream in [&mut desk, &mut phone] {
        assert_eq!(stream.next_of("inbox_read").await["ids"], json!([sent["id"]]));
    }
    let inbox = mueller.get("/api/v1/notifications/inbox").await.body;
    assert_eq!((&inbox["notifications"][0]["read"], &inbox["unread_count"]), (&json!(true), &json!(0)));
    let others = schmidt.get("/api/v1/notifications/inbox").await.body;
    assert_eq!((&others["notifications"][0]["read"], &others["unread_count"]), (&json!(false), &json!(1)));
    let events = hers.within(Duration::from_millis(500)).await;
    assert!(events.iter().all(|event| event.kind() != "inbox_read"));

    let room = encoded(sent["matrix_room_id"].as_str().expect("a room"));
    let history = mueller.get(&format!("/api/v1/messages/history/{room}")).await.body;
    let marked = &history["messages"][0];
    assert_eq!((&marked["event_id"], &marked["notification_id"]), (&sent["matrix_event_id"], &sent["id"]));
}

#[tokio::test]
async fn a_page_learns_the_version_of_the_service_from_its_stream() {
    let stack = Stack::start().await;
    let client = stack.client();
    let config = client.get("/client-config").await.body;
    let version = config["app_version"].as_str().expect("a version");
    assert!(version.starts_with(env!("CARGO_PKG_VERSION")), "{version}");
    let mueller = client.user("mueller");
    let request = client.request(Method::GET, "/api/v1/events/stream").query(&[("token", &mueller.token)]);
    let mut stream = request.send().await.expect("a stream");
    let first = stream.chunk().await.expect("a stream").expect("a block");
    let connected = format!("\"app_version\":\"{version}\"");
    assert!(String::from_utf8_lossy(&first).contains(&connected), "{first:?}");
}
