//! Headers of every answer: caching, sniffing, and CORS.

use axum::{Json, Router, routing::get};
use http::{HeaderMap, Method, Request, StatusCode};
use messenger_runtime::{ApiError, App, testing::Wire};
use messenger_testkit::messenger;
use serde_json::json;

fn routes() -> Router<App> {
    let json = || async { Json(json!({ "a": 1 })) };
    let nothing = || async { StatusCode::NO_CONTENT };
    let file = || async { ([("cache-control", "private, max-age=3600")], "bytes") };
    let failed = || async { ApiError::from(messenger_core::Error::NotFound("it")) };
    Router::new()
        .route("/json", get(json))
        .route("/nothing", get(nothing))
        .route("/file", get(file))
        .route("/failed", get(failed))
}

fn wire(variables: &[(&str, &str)]) -> Wire {
    let messenger = messenger().build();
    Wire::configured(routes(), &messenger, variables)
}

#[tokio::test]
async fn no_answer_is_cached_or_sniffed_unless_it_sets_its_own_lifetime() {
    let wire = wire(&[]);
    for (method, path, cached) in [
        (Method::GET, "/json", "no-store"),
        (Method::HEAD, "/json", "no-store"),
        (Method::GET, "/nothing", "no-store"),
        (Method::GET, "/failed", "no-store"),
        (Method::GET, "/nowhere", "no-store"),
        (Method::DELETE, "/json", "no-store"),
        (Method::GET, "/livez", "no-store"),
        (Method::GET, "/file", "private, max-age=3600"),
    ] {
        let answer = wire.ask(Request::builder().method(method).uri(path)).await;
        assert_eq!(answer.all_headers["cache-control"], cached, "{path}");
        assert_eq!(answer.all_headers["x-content-type-options"], "nosniff", "{path}");
    }
}

/// Returns the headers of the answer to a preflight request of CORS for these headers.
async fn preflight(wire: &Wire, wanted: &str) -> HeaderMap {
    let request = Request::builder().method(Method::OPTIONS).uri("/json");
    let request = request.header("Origin", "https://app.example:8085");
    let request = request.header("Access-Control-Request-Method", "POST");
    wire.ask(request.header("Access-Control-Request-Headers", wanted)).await.all_headers
}

#[tokio::test]
async fn pages_may_send_the_headers_of_clients_but_not_the_service_token() {
    let wire = wire(&[("ALLOWED_ORIGINS", "https://app.example:8085")]);
    let answer = preflight(&wire, "idempotency-key").await;
    assert_eq!(answer["access-control-allow-origin"], "https://app.example:8085");
    let allowed = answer["access-control-allow-headers"].to_str().expect("text").to_owned();
    for header in [
        "authorization",
        "cache-control",
        "content-type",
        "idempotency-key",
        "if-match",
        "last-event-id",
        "range",
        "x-request-id",
        "x-requested-with",
    ] {
        assert!(allowed.split(',').any(|one| one == header), "{header}: {allowed}");
    }
    assert!(!allowed.contains("x-service-token"), "{allowed}");
}

#[tokio::test]
async fn pages_may_read_the_headers_of_answers() {
    let wire = wire(&[]);
    let answer = wire.ask(Request::get("/json").header("Origin", "https://app.example")).await;
    let exposed = answer.all_headers["access-control-expose-headers"].to_str().expect("text").to_owned();
    for header in
        ["etag", "x-next-cursor", "x-request-id", "retry-after", "content-disposition", "content-range"]
    {
        assert!(exposed.split(',').any(|one| one == header), "{header}: {exposed}");
    }
}
