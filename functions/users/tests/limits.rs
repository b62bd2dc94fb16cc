//! Limits of signing in, on the wire.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use std::net::IpAddr;

use axum::http::{Request, request};
use messenger_runtime::{
    limits::Peer,
    testing::{HUB_SECRET_KEY, TestResponse, Wire, bearer, signed, token},
};
use messenger_testkit::{TestMessenger, messenger};
use messenger_users::routes;
use serde_json::{Value, json};

fn test_app(variables: &[(&str, &str)]) -> (TestMessenger, Wire) {
    let messenger = messenger().build();
    let wire = Wire::configured(routes(), &messenger, variables);
    (messenger, wire)
}

/// `GET /users/me` with this token, from this address.
async fn me(wire: &Wire, authorization: &str, from: &str) -> TestResponse {
    wire.ask(with(Request::get("/api/v1/users/me"), from).header("Authorization", authorization)).await
}

async fn login(wire: &Wire, token: &str, from: &str) -> TestResponse {
    let request = with(Request::post("/auth/hub-login"), from);
    wire.call(request, json!({ "hub_token": token }).to_string()).await
}

fn with(request: request::Builder, from: &str) -> request::Builder {
    request.extension(Peer(from.parse::<IpAddr>().expect("an address")))
}

fn line(answer: &TestResponse) -> (u16, &Value, Option<&str>) {
    let after = answer.all_headers.get("retry-after").map(|after| after.to_str().expect("text"));
    (answer.status, &answer.body["code"], after)
}

#[tokio::test(start_paused = true)]
async fn too_many_wrong_credentials_of_an_address_are_429_and_valid_ones_still_work() {
    let (_messenger, wire) = test_app(&[("LIMIT_FAILURES_PER_ADDRESS", "3")]);
    let wrong =
        format!("Bearer {}", signed(&json!({ "sub": "m", "iss": "aesystek-hub", "exp": 1 }), "guessed"));
    for _ in 0..2 {
        assert_eq!(line(&me(&wire, &wrong, "192.0.2.1").await), (401, &json!("token_invalid"), None));
    }
    assert_eq!(line(&login(&wire, "guessed", "192.0.2.1").await), (401, &json!("token_invalid"), None));
    insta::assert_json_snapshot!(me(&wire, &wrong, "192.0.2.1").await, @r#"
    {
      "status": 429,
      "headers": {
        "content-type": "application/problem+json",
        "retry-after": "20"
      },
      "body": {
        "code": "rate_limited",
        "detail": "too many requests with wrong credentials come from this address, at most 3 a minute are answered: sign in again, or check the token that is configured",
        "request_id": "[that of the header]",
        "status": 429,
        "title": "Too Many Requests",
        "type": "urn:messenger-service:problem:rate_limited"
      }
    }
    "#);
    let limited = (429, &json!("rate_limited"), Some("20"));
    assert_eq!(line(&login(&wire, "guessed", "192.0.2.1").await), limited);
    // A whole factory can share one address.
    assert_eq!(me(&wire, &bearer("mueller"), "192.0.2.1").await.status, 200);
    assert_eq!(login(&wire, &token("mueller"), "192.0.2.1").await.status, 200);
    assert_eq!(line(&me(&wire, &wrong, "192.0.2.2").await).0, 401, "another address is another one");
}

#[tokio::test(start_paused = true)]
async fn expired_and_missing_tokens_and_sign_in_that_is_off_are_no_failures() {
    let (_messenger, wire) = test_app(&[("LIMIT_FAILURES_PER_ADDRESS", "1")]);
    let claims = json!({ "sub": "mueller", "iss": "aesystek-hub", "exp": 1 });
    let expired = format!("Bearer {}", signed(&claims, HUB_SECRET_KEY));
    for _ in 0..10 {
        assert_eq!(line(&me(&wire, &expired, "192.0.2.1").await), (401, &json!("token_expired"), None));
        assert_eq!(line(&me(&wire, "Bearer ", "192.0.2.1").await), (401, &json!("token_missing"), None));
    }
    let (_messenger, wire) = test_app(&[("LIMIT_FAILURES_PER_ADDRESS", "1"), ("HUB_SECRET_KEY", "")]);
    for _ in 0..10 {
        let refused = me(&wire, &bearer("mueller"), "192.0.2.1").await;
        assert_eq!(line(&refused), (401, &json!("sso_disabled"), None));
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_trusted_proxy_names_its_clients() {
    let variables = [("LIMIT_FAILURES_PER_ADDRESS", "1"), ("TRUSTED_PROXIES", "10.0.0.0/8")];
    let (_messenger, wire) = test_app(&variables);
    let ask = async |from: &str, forwarded: &str| {
        let request = with(Request::get("/api/v1/users/me"), from).header("X-Forwarded-For", forwarded);
        wire.ask(request.header("Authorization", "Bearer wrong")).await.status
    };
    for client in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
        assert_eq!(ask("10.0.0.1", client).await, 401);
        assert_eq!(ask("10.0.0.2", client).await, 429, "the same client by another proxy");
    }
    assert_eq!(ask("10.0.0.1", "2001:db8::2").await, 429, "a client of IPv6 has all of its network");
    assert_eq!(ask("192.0.2.9", "198.51.100.1").await, 401);
    assert_eq!(ask("192.0.2.9", "198.51.100.2").await, 429, "an entry of the client itself does not count");
}

#[tokio::test(start_paused = true)]
async fn first_sign_ins_of_a_tenant_are_limited_and_known_users_are_admitted() {
    let (messenger, _) = test_app(&[]);
    let first = Wire::configured(routes(), &messenger, &[]);
    for user in ["anna", "bert"] {
        assert_eq!(me(&first, &bearer(user), "192.0.2.1").await.status, 200);
    }
    messenger.work().await;
    // A process that has admitted no user yet.
    let wire = Wire::configured(routes(), &messenger, &[("LIMIT_NEW_USERS_PER_TENANT", "2")]);
    for user in ["anna", "new1", "new1", "new2"] {
        assert_eq!(me(&wire, &bearer(user), "192.0.2.1").await.status, 200, "{user}");
    }
    let refused = me(&wire, &bearer("new3"), "192.0.2.1").await;
    assert_eq!(line(&refused), (429, &json!("rate_limited"), Some("1800")));
    assert_eq!(line(&login(&wire, &token("new3"), "192.0.2.1").await).0, 429);
    for user in ["anna", "bert", "new1", "new2"] {
        assert_eq!(me(&wire, &bearer(user), "192.0.2.1").await.status, 200, "{user}");
    }
    let claims = json!({ "sub": "new3", "tenant_id": 2, "iss": "aesystek-hub", "exp": 4_102_444_800_i64 });
    let other = format!("Bearer {}", signed(&claims, HUB_SECRET_KEY));
    assert_eq!(me(&wire, &other, "192.0.2.1").await.status, 200, "another tenant has a limit of its own");
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_login_is_small() {
    let (_messenger, wire) = test_app(&[]);
    let body = json!({ "hub_token": token("mueller"), "more": "x".repeat(16_384) }).to_string();
    let answer = wire.call(Request::post("/auth/hub-login"), body).await;
    assert_eq!((answer.status, &answer.body["code"]), (413, &json!("body_too_large")));
}
