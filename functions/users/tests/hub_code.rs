//! Codes of the Hub, exchanged at a token endpoint on the wire.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    http::{HeaderMap, Request, StatusCode},
    routing::post,
};
use messenger_runtime::testing::{EXPIRY, HUB_SECRET_KEY, TestResponse, Wire, signed};
use messenger_testkit::messenger;
use messenger_users::routes;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The `Authorization` header and the form of a request.
type Asked = (Option<String>, String);

/// A token endpoint with one answer to all requests.
struct TokenServer {
    url: String,
    requests: Arc<Mutex<Vec<Asked>>>,
}

impl TokenServer {
    async fn answering(status: u16, answer: &str) -> Self {
        let requests = Arc::<Mutex<Vec<_>>>::default();
        let (seen, answer) = (Arc::clone(&requests), answer.to_owned());
        let handler = async move |headers: HeaderMap, form: String| {
            let authorization =
                headers.get("authorization").map(|value| value.to_str().expect("text").to_owned());
            assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
            seen.lock().expect("no panic").push((authorization, form));
            (StatusCode::from_u16(status).expect("a status"), answer)
        };
        let app = Router::new().route("/oauth/token", post(handler));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/oauth/token", listener.local_addr().expect("an address"));
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { url, requests }
    }

    async fn granting(claims: &Value) -> Self {
        let token = signed(claims, HUB_SECRET_KEY);
        let answer = json!({ "access_token": token, "token_type": "bearer", "expires_in": 3600 });
        Self::answering(200, &answer.to_string()).await
    }

    fn requests(&self) -> Vec<Asked> {
        self.requests.lock().expect("no panic").clone()
    }
}

fn claims() -> Value {
    json!({ "iss": "aesystek-hub", "sub": "weber", "exp": EXPIRY, "role": "user", "display_name": "Eva Weber" })
}

async fn login(settings: &[(&str, &str)], body: &Value) -> TestResponse {
    let wire = Wire::configured(routes(), &messenger().build(), settings);
    let request = Request::post("/auth/hub-login").header("Content-Type", "application/json");
    wire.call(request, body.to_string()).await
}

async fn refused(hub: &TokenServer) -> (u16, String) {
    let answer = login(&[("HUB_TOKEN_URL", &hub.url)], &json!({ "hub_code": "4711" })).await;
    assert!(!answer.body.to_string().contains("4711"), "{}", answer.body);
    (answer.status, answer.body["code"].as_str().expect("a code").to_owned())
}

#[tokio::test]
async fn a_code_signs_in_whom_the_hub_names() {
    let hub = TokenServer::granting(&claims()).await;
    let answer = login(&[("HUB_TOKEN_URL", &hub.url)], &json!({ "hub_code": " a+b/c&d " })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["matrix_user_id"], "@weber:hub.local");
    assert_eq!(answer.body["display_name"], "Eva Weber");
    let form = "grant_type=authorization_code&code=a%2Bb%2Fc%26d&client_id=messenger-service";
    assert_eq!(hub.requests(), [(None, form.to_owned())]);
}

#[tokio::test]
async fn a_client_with_a_secret_shows_it_in_the_header_alone() {
    let hub = TokenServer::granting(&claims()).await;
    let settings = [("HUB_TOKEN_URL", &*hub.url), ("HUB_CLIENT_ID", "mess:1"), ("HUB_CLIENT_SECRET", "a b")];
    assert_eq!(login(&settings, &json!({ "hub_code": "4711" })).await.status, 200);
    // Both are encoded as in a form, and the two as in `Basic` (RFC 6749, section 2.3.1): `mess%3A1:a+b`.
    let header = "Basic bWVzcyUzQTE6YSti".to_owned();
    let form = "grant_type=authorization_code&code=4711".to_owned();
    assert_eq!(hub.requests(), [(Some(header), form)]);
}

#[tokio::test]
async fn what_goes_wrong_at_the_hub_is_told_apart() {
    for (status, answer, expected) in [
        (400, r#"{"error":"invalid_grant"}"#, (401, "hub_code_invalid")),
        (401, r#"{"error":"invalid_client"}"#, (502, "hub_error")),
        (404, "<html>", (502, "hub_error")),
        (302, "", (502, "hub_error")),
        (500, "{}", (502, "hub_error")),
        (200, "{}", (502, "hub_error")),
        (200, "no JSON", (502, "hub_error")),
        (200, r#"{"access_token":"no token"}"#, (401, "token_invalid")),
    ] {
        let hub = TokenServer::answering(status, answer).await;
        assert_eq!(refused(&hub).await, (expected.0, expected.1.to_owned()), "{status} {answer}");
        assert_eq!(hub.requests().len(), 1, "a code is shown once");
    }
    let large = TokenServer::answering(200, &"x".repeat(100_000)).await;
    assert_eq!(refused(&large).await, (502, "hub_error".to_owned()));
    let nobody = TokenServer { url: "http://127.0.0.1:1/token".to_owned(), requests: Arc::default() };
    assert_eq!(refused(&nobody).await, (503, "hub_unavailable".to_owned()));
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    let mut claims = claims();
    claims["iss"] = json!("messenger-service");
    let hub = TokenServer::granting(&claims).await;
    assert_eq!(refused(&hub).await, (401, "token_invalid".to_owned()));
}

#[tokio::test]
async fn codes_need_the_address_of_the_hub_and_no_token_beside_them() {
    let answer = login(&[], &json!({ "hub_code": "4711" })).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!("hub_codes_off")));
    assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.contains("HUB_TOKEN_URL")));
    let both = login(&[], &json!({ "hub_code": "4711", "hub_token": "x" })).await;
    assert_eq!((both.status, &both.body["errors"][0]["pointer"]), (422, &json!("/hub_code")));
    let blank = login(&[], &json!({ "hub_code": " " })).await;
    assert_eq!((blank.status, &blank.body["code"]), (401, &json!("token_missing")));
}
