//! Several notifications with one call.

use axum::http::Request;
use messenger_runtime::testing::{SERVICE_TOKEN, TestResponse, Wire};
use serde_json::{Value, json};

use crate::{notification, test_app};

async fn batch(wire: &Wire, body: &Value) -> TestResponse {
    let request = Request::post("/api/v1/notifications/batch").header("X-Service-Token", SERVICE_TOKEN);
    wire.call(request.header("Content-Type", "application/json"), body.to_string()).await
}

#[tokio::test]
async fn each_notification_has_a_result_in_their_order() {
    let (messenger, wire) = test_app();
    let keyed = |action: &str| json!({ "dedup_key": "1", "event_action": action });
    let notifications = [
        notification(&keyed("trigger")),
        notification(&json!({ "title": null })),
        notification(&keyed("trigger")),
        json!(7),
        notification(&keyed("resolve")),
        notification(&json!({ "tenant_id": 9 })),
        notification(&json!({ "title": "Plain" })),
    ];
    let answer = batch(&wire, &json!({ "notifications": notifications })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let results = answer.body["results"].as_array().expect("results").iter();
    let lines: Vec<_> = results
        .map(|result| {
            let alarm = &result["notification"]["alarm"];
            let code = &result["problem"]["code"];
            format!("{} {} {} {code}", result["status"], result["notification"]["id"], alarm["occurrences"])
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    201 1 2 null
    422 null null "invalid_request"
    201 2 2 null
    422 null null "invalid_json"
    201 3 2 null
    403 null null "tenant_not_allowed"
    201 4 null null
    "#);
    messenger.work().await;
    assert_eq!(messenger.homeserver.all_bodies().len(), 2, "the alarm and the plain one");
}

#[tokio::test]
async fn a_batch_is_a_list_of_one_to_a_hundred() {
    let (messenger, wire) = test_app();
    let many: Vec<_> = (0..101).map(|_| notification(&json!({}))).collect();
    for (body, message) in [
        (json!({}), "is required: a list of notifications"),
        (json!({ "notifications": [] }), "must have 1 to 100 notifications, has 0"),
        (json!({ "notifications": many }), "must have 1 to 100 notifications, has 101"),
        (json!({ "notifications": {} }), "must be a list of notifications"),
    ] {
        let answer = batch(&wire, &body).await;
        let error = &answer.body["errors"][0];
        assert_eq!((answer.status, &error["message"]), (422, &json!(message)));
    }
    let all = json!({ "notifications": &many[..100] });
    let answer = batch(&wire, &all).await;
    assert_eq!(answer.body["results"].as_array().map(Vec::len), Some(100));
    messenger.work().await;
    assert_eq!(messenger.homeserver.all_bodies().len(), 100);
}
