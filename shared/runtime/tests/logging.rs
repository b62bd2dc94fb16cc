//! What a request leaves in the log: one line for a failure, with its cause, and never a token.
#![expect(clippy::expect_used, reason = "what a test needs and does not get fails it")]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, extract::RawQuery, routing::get};
use http::Request;
use messenger_runtime::{
    ApiError, App,
    caller::{ServiceCaller, UrlCaller},
    fields::Fields,
    testing::{TestResponse, Wire, token},
};
use messenger_testkit::messenger;
use tracing_subscriber::fmt::MakeWriter;

/// Everything that is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).expect("the log is UTF-8")
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn routes() -> Router<App> {
    let user = |_: UrlCaller| async { Ok::<_, ApiError>("hello") };
    let satellite = |_: ServiceCaller| async { Ok::<_, ApiError>("hello") };
    let wrong = |RawQuery(query): RawQuery| async move {
        let mut fields = Fields::from_query(query.as_deref());
        fields.number("limit", 1, 1, 2);
        fields.finish().map(|_| "hello").map_err(ApiError::from)
    };
    let bug = || async {
        ApiError::from(messenger_core::Error::internal("signing a token", "the key has no length"))
    };
    Router::new()
        .route("/bug", get(bug))
        .route("/user", get(user))
        .route("/satellite", get(satellite))
        .route("/rooms/{id}/messages", get(wrong))
}

#[tokio::test]
async fn a_failure_is_logged_once_with_its_cause_and_no_token_ever() {
    let lines = Lines::default();
    let everything = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false);
    let _until_the_end = tracing::subscriber::set_default(everything.finish());
    let messenger = messenger().build();
    let wire = Wire::new(routes(), messenger.memory.ports(&messenger.homeserver, &messenger.clock));
    let good = token("mueller");
    let asked = |token: &str| Request::get(format!("/user?token={token}"));
    assert_eq!(wire.ask(asked(&good)).await.status, 200);
    assert_eq!(wire.ask(asked("a-wrong-token")).await.status, 401);
    let satellite = Request::get("/satellite").header("X-Service-Token", "a-wrong-token");
    assert_eq!(wire.ask(satellite).await.status, 403);
    messenger.memory.switch_off();
    let other = token("schmidt");
    let failed = wire.ask(asked(&other)).await;
    assert_eq!(failed.status, 503);

    let text = lines.text();
    assert!(!text.contains(&good) && !text.contains(&other) && !text.contains("a-wrong-token"), "{text}");
    let id = failed.all_headers["x-request-id"].to_str().expect("text");
    let told: Vec<_> = text.lines().filter(|line| line.contains(id)).collect();
    assert_eq!(told.len(), 1, "{text}");
    for part in ["ERROR", "status=503", "GET /user\"", "signing a user in", "switched off"] {
        assert!(told[0].contains(part), "{part}: {}", told[0]);
    }
    assert_eq!(text.matches("ERROR").count(), 1, "who is refused is no failure of ours: {text}");
    assert_eq!(text.matches("refused").count(), 2, "{text}");
}

#[tokio::test]
async fn an_internal_error_is_logged_once_with_its_cause_and_blames_no_other_system() {
    let lines = Lines::default();
    let everything = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false);
    let _until_the_end = tracing::subscriber::set_default(everything.finish());
    let messenger = messenger().build();
    let wire = Wire::new(routes(), messenger.memory.ports(&messenger.homeserver, &messenger.clock));
    assert_eq!(wire.ask(Request::get("/bug")).await.status, 500);
    let text = lines.text();
    assert_eq!(text.matches("ERROR").count(), 1, "{text}");
    assert_eq!(
        text.matches("internal error while signing a token: the key has no length").count(),
        1,
        "{text}"
    );
    for system in ["database", "homeserver", "disk"] {
        assert!(!text.contains(system), "{system}: {text}");
    }
}

#[tokio::test]
async fn each_refusal_is_found_in_the_log_by_its_request_id() {
    let lines = Lines::default();
    // As it is by default.
    let usual = tracing_subscriber::fmt().with_writer(lines.clone()).with_max_level(tracing::Level::INFO);
    let _until_the_end = tracing::subscriber::set_default(usual.with_ansi(false).finish());
    let messenger = messenger().build();
    let wire = Wire::new(routes(), messenger.memory.ports(&messenger.homeserver, &messenger.clock));
    let line = |answer: &TestResponse| {
        let id = answer.all_headers["x-request-id"].to_str().expect("text");
        let text = lines.text();
        let told: Vec<_> = text.lines().filter(|line| line.contains(id)).collect();
        assert_eq!(told.len(), 1, "{text}");
        let (_, told) = told[0].split_once("refused ").expect("the message");
        told.replace(id, "[id]")
    };
    let mut told = Vec::new();
    for request in [
        Request::get("/user?token=s3cret"),
        Request::get("/satellite").header("X-Service-Token", "s3cret"),
        Request::get("/rooms/!s3cret/messages?limit=s3cret&token=s3cret"),
        Request::get("/nowhere/s3cret?token=s3cret"),
        Request::delete("/user?token=s3cret"),
    ] {
        told.push(line(&wire.ask(request).await));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    status=401 code="token_invalid" request_id=[id] method="GET" route="/user"
    status=403 code="service_token_wrong" request_id=[id] method="GET" route="/satellite"
    status=422 code="invalid_request" request_id=[id] method="GET" route="/rooms/{id}/messages" fields="?limit"
    status=404 code="not_found" request_id=[id] method="GET" route="none"
    status=405 code="method_not_allowed" request_id=[id] method="DELETE" route="/user"
    "#);
    assert!(!lines.text().contains("s3cret"), "{}", lines.text());
    let before = lines.text().len();
    assert_eq!(wire.ask(Request::get("/livez")).await.status, 200);
    assert_eq!(lines.text().len(), before, "what succeeds says nothing");
}
