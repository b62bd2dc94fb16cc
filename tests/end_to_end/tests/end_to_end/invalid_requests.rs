//! Invalid input and invalid credentials get clear errors and have no effect.

use messenger_tests::{
    Client, Plan, Stack,
    client::{fetch, in_seconds, secret_key, service_token, signed, token},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn start_without_homeserver() -> (Stack, Client) {
    let stack = Stack::start_with(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let client = stack.client();
    (stack, client)
}

#[tokio::test]
async fn every_invalid_field_is_named() {
    let (_stack, client) = start_without_homeserver().await;
    let good = json!({ "source_app": "a", "event_type": "e", "title": "t" });
    let long = "x".repeat(20_001);
    let cases: &[(&str, Value)] = &[
        ("/source_app", json!(null)),
        ("/source_app", json!("  ")),
        ("/source_app", json!("x".repeat(101))),
        ("/event_type", json!(7)),
        ("/event_type", json!("x".repeat(101))),
        ("/title", json!("")),
        ("/title", json!("x".repeat(501))),
        ("/title", json!("nul \u{0} byte")),
        ("/body", json!(long)),
        ("/body", json!(["no"])),
        ("/target_type", json!("everybody")),
        ("/priority", json!("asap")),
        ("/priority", json!(1)),
        ("/entity_id", json!(1.5)),
        ("/entity_id", json!(true)),
        ("/entity_type", json!("x".repeat(101))),
        ("/target_user", json!("x".repeat(256))),
        ("/idempotency_key", json!("x".repeat(256))),
    ];
    for (pointer, value) in cases {
        let mut body = good.clone();
        body[&pointer[1..]] = value.clone();
        let response = client.notify_with(&body, "", None).await;
        assert_eq!(response.status, StatusCode::UNPROCESSABLE_ENTITY, "{pointer} {value}");
        assert_eq!(response.headers["content-type"], "application/problem+json");
        let named: Vec<_> =
            response.body["errors"].as_array().expect("a list").iter().map(|e| &e["pointer"]).collect();
        assert_eq!(named, [pointer], "{}", response.body);
        assert!(response.body["detail"].is_string() && response.body["request_id"].is_string());
    }
    let several = client.notify_with(&json!({ "target_type": "entity_room" }), "?wait=11", None).await;
    let named: Vec<_> = several.body["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|e| e["pointer"].as_str())
        .collect();
    assert_eq!(named, ["?wait", "/source_app", "/event_type", "/title", "/entity_type", "/entity_id"]);
    let dm = json!({ "source_app": "a", "event_type": "e", "title": "t", "target_type": "dm" });
    assert_eq!(client.notify_with(&dm, "", None).await.body["errors"][0]["pointer"], "/target_user");
    let unknown = json!({ "source_app": "a", "event_type": "e", "title": "t", "colour": "red" });
    let warned = client.notify_with(&unknown, "?wait=0", None).await;
    assert_eq!(warned.status, StatusCode::CREATED);
    assert_eq!(warned.body["warnings"], json!(["the field `colour` is unknown and was ignored"]));
    let zero = json!({
        "source_app": "a", "event_type": "e", "title": "t", "target_type": "entity_room", "entity_type": "m",
        "entity_id": 0,
    });
    assert_eq!(client.notify_with(&zero, "?wait=0", None).await.status, StatusCode::CREATED);
    assert_eq!(
        client.get_as_satellite("/api/v1/notifications/log").await.body["notifications"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn a_malformed_request_gets_a_clear_error() {
    let (_stack, client) = start_without_homeserver().await;
    let send = |body: &'static str, kind: &'static str| {
        let request = client
            .request(Method::POST, "/api/v1/notifications/send")
            .header("X-Service-Token", service_token())
            .header("Content-Type", kind)
            .body(body);
        fetch(request)
    };
    for broken in ["", "{", "[]", "null", "\"text\""] {
        let response = send(broken, "application/json").await;
        assert_eq!(
            (response.status, &response.body["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_json")),
            "{broken}"
        );
    }
    let response = send("{}", "text/plain").await;
    assert_eq!(
        (response.status, &response.body["code"]),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, &json!("unsupported_media_type"))
    );
    let huge = client
        .request(Method::POST, "/api/v1/notifications/send")
        .header("X-Service-Token", service_token())
        .header("Content-Type", "application/json")
        .body("x".repeat(2 << 20));
    let response = fetch(huge).await;
    assert_eq!(
        (response.status, &response.body["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large"))
    );
    let nowhere = client.get("/api/v1/nowhere").await;
    assert_eq!((nowhere.status, &nowhere.body["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    let method = client.get("/api/v1/notifications/send").await;
    assert_eq!(
        (method.status, &method.body["code"]),
        (StatusCode::METHOD_NOT_ALLOWED, &json!("method_not_allowed"))
    );
    assert!(method.headers.contains_key("allow"));
}

#[tokio::test]
async fn only_the_right_service_token_is_accepted() {
    let (_stack, client) = start_without_homeserver().await;
    let body = json!({ "source_app": "a", "event_type": "e", "title": "t" });
    let missing = fetch(client.request(Method::POST, "/api/v1/notifications/send").json(&body)).await;
    assert_eq!(
        (missing.status, &missing.body["code"]),
        (StatusCode::UNAUTHORIZED, &json!("service_token_missing"))
    );
    assert!(missing.headers.contains_key("www-authenticate"));
    let wrong = client
        .request(Method::POST, "/api/v1/notifications/send")
        .header("X-Service-Token", "wrong")
        .json(&body);
    let wrong = fetch(wrong).await;
    assert_eq!((wrong.status, &wrong.body["code"]), (StatusCode::FORBIDDEN, &json!("service_token_wrong")));
    let foreign = json!({ "source_app": "a", "event_type": "e", "title": "t", "tenant_id": 2 });
    let foreign = client.notify_with(&foreign, "", None).await;
    assert_eq!(
        (foreign.status, &foreign.body["code"]),
        (StatusCode::FORBIDDEN, &json!("tenant_not_allowed"))
    );
    let log = client.get_as_satellite("/api/v1/notifications/log").await;
    assert_eq!(log.body, json!({ "notifications": [] }));
}

#[tokio::test]
async fn only_a_valid_user_token_is_accepted() {
    let (_stack, client) = start_without_homeserver().await;
    let good = json!({ "sub": "mueller", "iss": "aesystek-hub", "exp": in_seconds(60) });
    let with = |field: &str, value: Value| {
        let mut claims = good.clone();
        claims[field] = value;
        claims
    };
    let without = |field: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().expect("claims").remove(field);
        claims
    };
    let none =
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtdWVsbGVyIiwiaXNzIjoiYWVzeXN0ZWstaHViIiwiZXhwIjo5OTk5OTk5OTk5fQ.";
    let refused = [
        ("expired", token(&with("exp", json!(in_seconds(-120))))),
        ("no exp", token(&without("exp"))),
        ("no issuer", token(&without("iss"))),
        ("wrong issuer", token(&with("iss", json!("somebody")))),
        ("no sub", token(&without("sub"))),
        ("blank sub", token(&with("sub", json!(" ")))),
        ("not yet", token(&with("nbf", json!(in_seconds(600))))),
        ("invalid tenant", token(&with("tenant_id", json!("one")))),
        ("wrong key", signed(&good, "another key")),
        ("the Hub's issuer with our key", signed(&good, secret_key())),
        ("alg none", none.to_owned()),
        ("no token at all", "abc".to_owned()),
    ];
    for (case, token) in refused {
        for path in ["/api/v1/users/me", "/api/v1/users"] {
            let response = fetch(client.request(Method::GET, path).bearer_auth(&token)).await;
            assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{case}: {}", response.body);
        }
        for path in ["/api/v1/events/stream", "/api/v1/events/poll"] {
            let response = fetch(client.request(Method::GET, path).query(&[("token", &token)])).await;
            assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{case}: {}", response.body);
        }
    }
    for path in ["/api/v1/users/me", "/api/v1/events/stream", "/api/v1/events/poll"] {
        assert_eq!(client.get(path).await.body["code"], "token_missing");
    }
    let ours = signed(&with("iss", json!("messenger-service")), secret_key());
    let response = fetch(client.request(Method::GET, "/api/v1/users/me").bearer_auth(ours)).await;
    assert_eq!(
        (response.status, &response.body["role"]),
        (StatusCode::OK, &json!("viewer")),
        "a token of the service is accepted, too"
    );
}
