//! The rate limits of service tokens.

use std::net::IpAddr;

use messenger_runtime::{limits::Peer, testing::Wire};
use messenger_testkit::messenger;
use serde_json::json;

use crate::{Request, get, notification, post, routes, send};

#[tokio::test(start_paused = true)]
async fn a_token_that_sends_too_much_is_429_before_the_body_is_read_and_may_still_read() {
    let messenger = messenger().build();
    let wire = Wire::configured(routes(), &messenger, &[("LIMIT_NOTIFICATIONS_PER_TOKEN", "3")]);
    for _ in 0..3 {
        assert_eq!(send(&wire, &json!({})).await.status, 201);
    }
    let refused = wire.call(post(""), "no JSON at all").await;
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")));
    assert_eq!(refused.all_headers["retry-after"], "1");
    assert_eq!(wire.ask(get("/api/v1/notifications/log")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn wrong_service_tokens_of_an_address_are_counted() {
    let messenger = messenger().build();
    let wire = Wire::configured(routes(), &messenger, &[("LIMIT_FAILURES_PER_ADDRESS", "2")]);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let peer = Peer(IpAddr::from([192, 0, 2, 1]));
        let request = Request::post("/api/v1/notifications/send").header("X-Service-Token", "guessed");
        statuses.push(wire.call(request.extension(peer), notification(&json!({})).to_string()).await.status);
    }
    assert_eq!(statuses, [403, 403, 429]);
    assert_eq!(send(&wire, &json!({})).await.status, 201);
}
