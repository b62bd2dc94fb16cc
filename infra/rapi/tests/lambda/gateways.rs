//! Requests as gateways pass them on: bodies, queries, cookies; and events that are no requests.

use messenger_rapi::{Gateway, Invocation};
use messenger_runtime::testing::{SERVICE_TOKEN, session_cookie};
use serde_json::json;

use crate::{by_url, database, function, notification, of_user};

fn gateways() -> [Gateway; 3] {
    [Gateway::http_api(), Gateway::FunctionUrl, Gateway::rest_api("prod")]
}

#[tokio::test]
async fn each_gateway_passes_on_bodies_and_queries_unchanged() {
    let database = database().await;
    let function = function("notifications", &database, &[("BASE_PATH", "/prod")]).await;
    for (number, gateway) in gateways().iter().enumerate() {
        let app = format!("a&b c+d/{number} ü");
        let fields = json!({ "source_app": app, "title": "Kühlmittel prüfen \u{1f6a8}" });
        let sent = function.call(&notification(&fields).event(gateway)).await.expect("an answer");
        assert_eq!(sent.status, 201, "{gateway:?}: {}", sent.text());
        assert_eq!(sent.json().expect("JSON")["title"], "Kühlmittel prüfen \u{1f6a8}", "{gateway:?}");
        let query = format!("source_app=a%26b+c%2Bd%2F{number}%20%C3%BC&limit=5");
        let log = messenger_rapi::Request::get(&format!("/api/v1/notifications/log?{query}"))
            .header("X-Service-Token", SERVICE_TOKEN);
        let log = function.call(&log.event(gateway)).await.expect("an answer").json().expect("JSON");
        assert_eq!(log["notifications"].as_array().map(Vec::len), Some(1), "{gateway:?}: {log}");
        assert_eq!(log["notifications"][0]["source_app"], app.as_str(), "{gateway:?}");
    }
}

#[tokio::test]
async fn each_gateway_passes_on_bodies_that_are_no_text() {
    let database = database().await;
    let function = function("notifications", &database, &[("BASE_PATH", "/prod")]).await;
    for gateway in gateways() {
        let request = notification(&json!({})).body(vec![0xff, 0xfe, 0, b'{']);
        let answer = function.call(&request.event(&gateway)).await.expect("an answer");
        assert_eq!(answer.status, 422, "{gateway:?}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{gateway:?}");
        assert!(answer.text().contains("UTF-16"), "the function got each byte: {}", answer.text());
    }
}

#[tokio::test]
async fn each_gateway_passes_on_cookies_in_both_directions() {
    let database = database().await;
    let variables = [("BASE_PATH", "/prod")];
    let (poll, users) =
        (function("poll", &database, &variables).await, function("users", &database, &variables).await);
    for gateway in gateways() {
        let cookies = format!("theme=dark; {}; lang=de", session_cookie("mueller"));
        let request = messenger_rapi::Request::get("/api/v1/events/poll").header("Cookie", cookies);
        let polled = poll.call(&request.event(&gateway)).await.expect("an answer");
        assert_eq!(polled.status, 200, "{gateway:?}: {}", polled.text());
        let begin = messenger_rapi::Request::post("/auth/session", &json!({}))
            .header("Authorization", messenger_runtime::testing::bearer("mueller"));
        let session = users.call(&begin.event(&gateway)).await.expect("an answer");
        assert_eq!(session.status, 200, "{gateway:?}: {}", session.text());
        let [cookie] = session.cookies.as_slice() else { panic!("{gateway:?}: {:?}", session.cookies) };
        assert!(cookie.starts_with("messenger_session=") && cookie.contains("; Path=/prod;"), "{cookie}");
    }
}

#[tokio::test]
async fn a_foreign_event_is_an_error_that_names_the_known_ones_and_the_function_goes_on() {
    let database = database().await;
    for program in ["poll", "events"] {
        let function = function(program, &database, &[]).await;
        for foreign in [
            json!({}),
            json!(null),
            json!({ "Records": [{ "eventSource": "aws:sqs", "body": "x" }] }),
            json!({ "detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": "{}" }),
        ] {
            let outcome = function.invoke(Invocation::new(&foreign)).await.expect("an outcome");
            let message = outcome.failure().expect("an error").body["errorMessage"].to_string();
            for known in ["HTTP API", "Function URL", "REST API"] {
                assert!(message.contains(known), "{program}, {foreign}: {message}");
            }
        }
        let livez = messenger_rapi::Request::get("/livez");
        let outcome = function.invoke(by_url(&livez)).await.expect("an outcome");
        assert_eq!(outcome.answer().await.expect("an answer").status, 200, "{program}");
    }
}

#[tokio::test]
async fn fifty_requests_in_a_row_are_answered_by_one_environment() {
    let database = database().await;
    let function = function("users", &database, &[]).await;
    for number in 0..50 {
        let user = format!("user{}", number % 3);
        let me = of_user(&user, "/api/v1/users/me").event(&Gateway::http_api());
        let answer = function.call(&me).await.expect("an answer");
        assert_eq!(answer.status, 200, "{number}: {}", answer.text());
        assert_eq!(answer.json().expect("JSON")["hub_user_id"], user.as_str());
    }
}
