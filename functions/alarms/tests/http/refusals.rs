//! Refused requests.

use axum::http::{Method, Request};
use messenger_runtime::testing::SERVICE_TOKEN;
use serde_json::{Value, json};

use crate::{TestApp, as_one, by};

const ACTS: [&str; 4] = ["ack", "unack", "resolve", "comment"];

fn pointers(body: &Value) -> Vec<String> {
    let errors = body["errors"].as_array().expect("errors").iter();
    errors.map(|error| error["pointer"].as_str().expect("a pointer").to_owned()).collect()
}

#[tokio::test]
async fn a_viewer_reads_and_does_not_act() {
    let app = TestApp::with(&["anna"]).await;
    app.report(json!({ "ack_required": true })).await;
    for path in ["", "/1", "/1/journal"] {
        let request = as_one("viola", "viewer", 1, Method::GET, &format!("/api/v1/alarms{path}"));
        assert_eq!(app.wire.ask(request).await.status, 200, "{path}");
    }
    for act in ACTS {
        for of in ["alarms", "notifications"] {
            if (of, act) == ("notifications", "unack") {
                continue;
            }
            let request = as_one("viola", "viewer", 1, Method::POST, &format!("/api/v1/{of}/1/{act}"));
            let answer = app.wire.call(request, r#"{"comment":"so"}"#).await;
            assert_eq!((answer.status, &answer.body["code"]), (403, &json!("read_only_role")), "{of} {act}");
        }
    }
    assert_eq!(app.get("anna", "/api/v1/alarms/1").await.body["state"], "active_unack");
}

#[tokio::test]
async fn an_alarm_of_another_tenant_or_of_a_message_to_another_user_does_not_exist() {
    let app = TestApp::with(&["anna", "bert"]).await;
    app.report(json!({ "ack_required": true, "target_type": "dm", "target_user": "bert" })).await;
    let outsiders =
        [("anna", "user", 1), ("anna2", "admin", 1), ("fritz", "admin", 2), ("bert2", "super_admin", 2)];
    for (user, role, tenant) in outsiders {
        for path in ["/1", "/1/journal", "/9", "/x", "/-1"] {
            let request = as_one(user, role, tenant, Method::GET, &format!("/api/v1/alarms{path}"));
            assert_eq!(app.wire.ask(request).await.status, 404, "{user} {path}");
        }
        for act in ACTS {
            let request = as_one(user, role, tenant, Method::POST, &format!("/api/v1/alarms/1/{act}"));
            let answer = app.wire.call(request, r#"{"comment":"so"}"#).await;
            assert_eq!(
                (answer.status, &answer.body["detail"]),
                (404, &json!("alarm not found")),
                "{user} {act}"
            );
        }
        let request = as_one(user, role, tenant, Method::POST, "/api/v1/notifications/1/ack");
        assert_eq!(app.wire.ask(request).await.status, 404, "{user}");
        let request = as_one(user, role, tenant, Method::GET, "/api/v1/alarms");
        assert_eq!(app.wire.ask(request).await.body["alarms"], json!([]), "{user}");
    }
    assert_eq!(app.post("bert", "/api/v1/alarms/1/ack", &json!({})).await.status, 200);
}

#[tokio::test]
async fn wrong_queries_and_bodies_are_named() {
    let app = TestApp::with(&["anna"]).await;
    app.report(json!({})).await;
    let query = "?state=shut&priority=asap&entity_id=7&cursor=7&limit=0&q=x";
    let answer = app.get("anna", &format!("/api/v1/alarms{query}")).await;
    assert_eq!(answer.status, 422);
    let mut named = pointers(&answer.body);
    named.sort();
    assert_eq!(named, ["?cursor", "?entity_type", "?limit", "?priority", "?q", "?state"]);
    assert_eq!(app.get("anna", "/api/v1/alarms?cursor=9999999999999999999.1").await.status, 422);
    assert_eq!(app.get("anna", "/api/v1/alarms?cursor=999999999999999999.1").await.status, 422);
    assert_eq!(app.get("anna", "/api/v1/alarms/1/journal?cursor=x.y").await.status, 422);
    for (act, body, pointer) in [
        ("comment", json!({}), "/comment"),
        ("comment", json!({ "comment": " " }), "/comment"),
        ("ack", json!({ "comment": "x".repeat(2001) }), "/comment"),
        ("ack", json!({ "episode": "one" }), "/episode"),
        ("ack", json!({ "revisoin": 1 }), "/revisoin"),
    ] {
        let answer = app.post("anna", &format!("/api/v1/alarms/1/{act}"), &body).await;
        assert_eq!((answer.status, pointers(&answer.body)), (422, vec![pointer.to_owned()]), "{act} {body}");
    }
}

#[tokio::test]
async fn a_satellite_and_a_stranger_are_no_users() {
    let app = TestApp::with(&[]).await;
    let request = Request::get("/api/v1/alarms").header("X-Service-Token", SERVICE_TOKEN);
    assert_eq!(app.wire.ask(request).await.status, 401);
    assert_eq!(app.wire.ask(Request::post("/api/v1/alarms/1/ack")).await.status, 401);
    assert_eq!(app.wire.ask(by("anna", Method::DELETE, "/api/v1/alarms/1")).await.status, 405);
}
