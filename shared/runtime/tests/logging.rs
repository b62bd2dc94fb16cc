//! The log lines of a request: one line for a failure, with its cause, and never a token.

use axum::{Router, extract::RawQuery, routing::get};
use http::Request;
use messenger_core::Error;
use messenger_runtime::{
    ApiError, App,
    caller::{AuthenticatedByUrl, ServiceCaller},
    fields::Fields,
    testing::{Log, TestResponse, Wire, token},
};
use messenger_testkit::messenger;
use tracing::Level;

fn routes() -> Router<App> {
    let user = |_: AuthenticatedByUrl| async { Ok::<_, ApiError>("hello") };
    let satellite = |_: ServiceCaller| async { Ok::<_, ApiError>("hello") };
    let wrong = |RawQuery(query): RawQuery| async move {
        let mut fields = Fields::from_query(query.as_deref());
        fields.number("limit", 1, 1, 2);
        fields.finish().map(|_| "hello").map_err(ApiError::from)
    };
    let bug = || async { ApiError::from(Error::internal("signing a token", "the key has no length")) };
    let warning = |_: AuthenticatedByUrl| async { tracing::warn!("a call is repeated") };
    Router::new()
        .route("/bug", get(bug))
        .route("/warning/{id}", get(warning))
        .route("/user", get(user))
        .route("/satellite", get(satellite))
        .route("/rooms/{id}/messages", get(wrong))
}

#[tokio::test]
async fn a_failure_is_logged_once_with_its_cause_and_without_tokens() {
    let (log, _guard) = Log::collect(Level::TRACE);
    let messenger = messenger().build();
    let wire = Wire::new(routes(), &messenger);
    let good = token("mueller");
    let request = |token: &str| Request::get(format!("/user?token={token}"));
    assert_eq!(wire.ask(request(&good)).await.status, 200);
    assert_eq!(wire.ask(request("a-wrong-token")).await.status, 401);
    let satellite = Request::get("/satellite").header("X-Service-Token", "a-wrong-token");
    assert_eq!(wire.ask(satellite).await.status, 403);
    messenger.memory.switch_off();
    let other = token("schmidt");
    let failed = wire.ask(request(&other)).await;
    assert_eq!(failed.status, 503);

    let text = log.text();
    assert!(!text.contains(&good) && !text.contains(&other) && !text.contains("a-wrong-token"), "{text}");
    let id = failed.all_headers["x-request-id"].to_str().expect("text");
    let lines = log.lines_with(id);
    assert_eq!(lines.len(), 1, "{text}");
    for part in [
        "ERROR",
        "request failed",
        "status=503",
        "code=\"database_unavailable\"",
        "GET /user\"",
        "route=\"/user\"",
        "tenant=1",
        "latency_ms=",
        "signing a user in",
        "switched off",
    ] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
    assert_eq!(text.matches("ERROR").count(), 1, "a refusal is no failure of the service: {text}");
    assert_eq!(text.matches("refused").count(), 2, "{text}");
}

#[tokio::test]
async fn lines_within_a_request_carry_its_id_its_route_and_its_tenant() {
    for level in [Level::TRACE, Level::WARN] {
        let (log, _guard) = Log::collect(level);
        let wire = Wire::new(routes(), &messenger().build());
        let answer = wire.ask(Request::get(format!("/warning/s3cret?token={}", token("mueller")))).await;
        assert_eq!(answer.status, 200);
        let id = answer.all_headers["x-request-id"].to_str().expect("text");
        let line = log.lines_with("a call is repeated").remove(0);
        let span = format!("request{{request_id={id} method=GET route=\"/warning/{{id}}\" tenant=1}}");
        assert!(line.contains(&span), "{line}");
        assert!(!log.text().contains("s3cret"), "{}", log.text());
    }
}

#[tokio::test]
async fn an_internal_error_is_logged_once_with_its_cause_and_blames_no_other_system() {
    let (log, _guard) = Log::collect(Level::TRACE);
    let wire = Wire::new(routes(), &messenger().build());
    assert_eq!(wire.ask(Request::get("/bug")).await.status, 500);
    let text = log.text();
    assert_eq!(text.matches("ERROR").count(), 1, "{text}");
    let cause = "internal error while signing a token: the key has no length";
    assert_eq!(text.matches(cause).count(), 1, "{text}");
    for system in ["database", "homeserver", "disk"] {
        assert!(!text.contains(system), "{system}: {text}");
    }
}

#[tokio::test]
async fn each_refusal_is_in_the_log_under_its_request_id() {
    let (log, _guard) = Log::collect(Level::INFO);
    let wire = Wire::new(routes(), &messenger().build());
    let line = |answer: &TestResponse| {
        let id = answer.all_headers["x-request-id"].to_str().expect("text");
        let lines = log.lines_with(id);
        assert_eq!(lines.len(), 1, "{}", log.text());
        let (_, fields) = lines[0].split_once("refused ").expect("the message");
        fields.replace(id, "[id]")
    };
    let mut lines = Vec::new();
    for request in [
        Request::get("/user?token=s3cret"),
        Request::get("/satellite").header("X-Service-Token", "s3cret"),
        Request::get("/rooms/!s3cret/messages?limit=s3cret&token=s3cret"),
        Request::get("/nowhere/s3cret?token=s3cret"),
        Request::delete("/user?token=s3cret"),
    ] {
        lines.push(line(&wire.ask(request).await));
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    status=401 code="token_invalid" request_id=[id] method="GET" route="/user"
    status=403 code="service_token_wrong" request_id=[id] method="GET" route="/satellite"
    status=422 code="invalid_request" request_id=[id] method="GET" route="/rooms/{id}/messages" fields="?limit"
    status=404 code="not_found" request_id=[id] method="GET" route="none"
    status=405 code="method_not_allowed" request_id=[id] method="DELETE" route="/user"
    "#);
    assert!(!log.text().contains("s3cret"), "{}", log.text());
    let before = log.text().len();
    assert_eq!(wire.ask(Request::get("/livez")).await.status, 200);
    assert_eq!(log.text().len(), before, "a success is not logged");
}
