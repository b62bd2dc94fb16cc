//! The session cookie, on the wire.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use axum::http::{Method, Request, request};
use messenger_runtime::testing::{TestResponse, Wire, bearer, session_cookie};
use messenger_testkit::messenger;
use messenger_users::routes;
use serde_json::json;

const PATH: &str = "/auth/session";

fn wire(variables: &[(&str, &str)]) -> Wire {
    Wire::configured(routes(), &messenger().build(), variables)
}

fn begin() -> request::Builder {
    Request::post(PATH).header("Authorization", bearer("mueller"))
}

/// Returns the value of the cookie that an answer sets, and its attributes.
fn set(answer: &TestResponse) -> (String, String) {
    let cookie = answer.all_headers["set-cookie"].to_str().expect("text");
    let (value, attributes) = cookie.split_once("; ").expect("attributes");
    (value.to_owned(), attributes.to_owned())
}

#[tokio::test]
async fn a_session_begins_with_a_cookie_that_no_script_reads_and_no_other_site_sends() {
    let answer = wire(&[]).ask(begin()).await;
    assert_eq!(answer.status, 200);
    let (cookie, attributes) = set(&answer);
    assert!(cookie.starts_with("messenger_session=ey"), "{cookie}");
    assert_eq!(attributes, "Max-Age=43200; Path=/; HttpOnly; SameSite=Strict");
    assert!(answer.body["expires_at"].is_string(), "{answer:?}");
}

#[tokio::test]
async fn with_tls_the_cookie_is_secure_and_of_this_host_alone() {
    let answer = wire(&[("PUBLIC_URL", "https://hub.example:8085")]).ask(begin()).await;
    let (cookie, attributes) = set(&answer);
    assert!(cookie.starts_with("__Host-messenger_session=ey"), "{cookie}");
    assert_eq!(attributes, "Max-Age=43200; Path=/; HttpOnly; SameSite=Strict; Secure");
}

#[tokio::test]
async fn a_session_ends_without_credentials() {
    for request in [
        Request::delete(PATH),
        Request::delete(PATH).header("Cookie", "messenger_session=abc"),
        Request::delete(PATH).header("Authorization", "Bearer abc"),
    ] {
        let answer = wire(&[]).ask(request).await;
        let cookie = answer.all_headers["set-cookie"].to_str().expect("text");
        assert_eq!(answer.status, 204);
        assert_eq!(cookie, "messenger_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict");
    }
    let secure = wire(&[("PUBLIC_URL", "https://hub.example")]).ask(Request::delete(PATH)).await;
    let cookie = secure.all_headers["set-cookie"].to_str().expect("text");
    assert_eq!(cookie, "__Host-messenger_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict; Secure");
}

#[tokio::test]
async fn only_a_bearer_token_begins_a_session() {
    let wire = wire(&[]);
    let (cookie, _) = set(&wire.ask(begin()).await);
    let in_url = format!("{PATH}?token={}", &bearer("mueller")["Bearer ".len()..]);
    for request in [
        Request::post(PATH),
        Request::post(in_url),
        Request::post(PATH).header("Cookie", &cookie),
        Request::post(PATH).header("Cookie", session_cookie("mueller")),
    ] {
        let answer = wire.ask(request).await;
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!("token_missing")));
        assert!(!answer.all_headers.contains_key("set-cookie"));
    }
    let stolen = format!("Bearer {}", cookie.split_once('=').expect("a value").1);
    for path in [PATH, "/api/v1/users/me"] {
        let method = if path == PATH { Method::POST } else { Method::GET };
        let request = Request::builder().method(method).uri(path).header("Authorization", &stolen);
        let answer = wire.ask(request).await;
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!("token_invalid")), "{path}");
    }
    let me = wire.ask(Request::get("/api/v1/users/me").header("Cookie", cookie)).await;
    assert_eq!((me.status, &me.body["code"]), (401, &json!("token_missing")));
}

#[tokio::test]
async fn a_page_of_another_origin_begins_and_ends_no_session() {
    let wire = wire(&[]);
    let from = |request: request::Builder| {
        request.header("Host", "hub.example").header("Origin", "https://evil.example")
    };
    insta::assert_json_snapshot!(wire.ask(from(begin())).await, @r#"
    {
      "status": 403,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "origin_not_allowed",
        "detail": "the request comes from the origin `https://evil.example`, and the session cookie is for pages of this service: send a token as `Authorization: Bearer`. An operator sets PUBLIC_URL to the address of this service, or adds another origin to ALLOWED_ORIGINS",
        "request_id": "[that of the header]",
        "status": 403,
        "title": "Forbidden",
        "type": "urn:messenger-service:problem:origin_not_allowed"
      }
    }
    "#);
    let answer = wire.ask(from(Request::delete(PATH))).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!("origin_not_allowed")));
    assert!(!answer.all_headers.contains_key("set-cookie"));
}
