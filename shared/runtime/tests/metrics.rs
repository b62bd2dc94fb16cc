//! `/metrics`: the text format, closed label sets, and who may read it.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use std::{collections::BTreeSet, time::Duration};

use axum::{Router, extract::Path, routing::get};
use http::{Method, Request, header::AUTHORIZATION};
use messenger_runtime::{
    App, Program,
    testing::{Wire, config},
};
use messenger_testkit::{TestMessenger, fixtures, messenger};

const TOKEN: &str = "the token of Prometheus";

fn test_app(of: impl FnOnce(Program) -> Program, token: &str) -> (TestMessenger, App, Wire) {
    let messenger = messenger().build();
    let program = of(Program::new("messenger-rooms", "Rooms", "1.2.3"));
    let app = App::with(&(&messenger).into(), config(&[("METRICS_TOKEN", token)])).of_program(program);
    let routes = Router::new().route("/rooms/{id}", get(|Path(id): Path<String>| async move { id }));
    let wire = Wire::of(routes, &app);
    (messenger, app, wire)
}

async fn scrape(wire: &Wire) -> String {
    let answer = wire.ask(Request::get("/metrics")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.all_headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.body.as_str().expect("it is text").to_owned()
}

/// Returns the value of a series, whose labels are in the order of the text.
fn value(text: &str, series: &str) -> Option<f64> {
    let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    lines.find(|(name, _)| *name == series).and_then(|(_, value)| value.parse().ok())
}

#[tokio::test]
async fn requests_are_counted_by_the_pattern_of_their_route() {
    let (_messenger, _app, wire) = test_app(|program| program, "");
    for path in ["/rooms/secret-room", "/rooms/another", "/nowhere/mueller"] {
        wire.ask(Request::get(path)).await;
    }
    wire.ask(Request::builder().method("BREW").uri("/nowhere")).await;
    let text = scrape(&wire).await;
    let counted =
        |labels: &str| value(&text, &format!("messenger_http_requests_total{{function=\"rooms\",{labels}}}"));
    assert_eq!(counted("method=\"GET\",route=\"/rooms/{id}\",status=\"200\""), Some(2.0), "{text}");
    assert_eq!(counted("method=\"GET\",route=\"none\",status=\"404\""), Some(1.0), "{text}");
    assert_eq!(counted("method=\"other\",route=\"none\",status=\"404\""), Some(1.0), "{text}");
    let labels = "function=\"rooms\",method=\"GET\",route=\"/rooms/{id}\"";
    let series = format!("messenger_http_request_duration_seconds_count{{{labels}}}");
    assert_eq!(value(&text, &series), Some(2.0), "{text}");
    for private in ["secret-room", "mueller", "BREW"] {
        assert!(!text.contains(private), "{text}");
    }
}

#[tokio::test]
async fn each_metric_has_a_help_text_and_a_type() {
    let (_messenger, app, wire) = test_app(Program::worker, "");
    app.with_broker();
    wire.ask(Request::get("/livez")).await;
    let text = scrape(&wire).await;
    let series = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let names: BTreeSet<_> = series.filter_map(|line| line.split(['{', ' ']).next()).collect();
    let plain = |name: &str| {
        let mut suffixes = ["_bucket", "_sum", "_count"].into_iter();
        suffixes.find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name).to_owned()
    };
    for name in names.iter().copied().map(plain) {
        assert!(text.contains(&format!("# HELP {name} ")), "{name}: {text}");
        assert!(text.contains(&format!("# TYPE {name} ")), "{name}: {text}");
    }
    assert!(names.len() > 15, "{names:?}");
    assert_eq!(value(&text, "messenger_build_info{function=\"rooms\",version=\"1.2.3\"}"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn the_worker_counts_what_is_still_to_be_delivered() {
    let (messenger, _app, wire) = test_app(Program::worker, "");
    messenger.send(fixtures::draft("x"), Duration::ZERO).await;
    messenger.send(fixtures::dm("nobody", "x"), Duration::ZERO).await;
    messenger.pass(Duration::from_secs(40));
    let text = scrape(&wire).await;
    let one = |name: &str| value(&text, &format!("messenger_{name}{{function=\"rooms\"}}"));
    assert_eq!((one("outbox_queues"), one("outbox_oldest_pending_seconds")), (Some(1.0), Some(40.0)));
    assert_eq!((one("outbox_oldest_due_seconds"), one("sync_leased")), (Some(40.0), Some(0.0)));
    for state in ["queued", "held"] {
        let series = format!("messenger_outbox_notifications{{function=\"rooms\",state=\"{state}\"}}");
        assert_eq!(value(&text, &series), Some(1.0), "{text}");
    }
    messenger.work().await;
    tokio::time::advance(Duration::from_secs(6)).await;
    let text = scrape(&wire).await;
    assert_eq!(value(&text, "messenger_outbox_queues{function=\"rooms\"}"), Some(0.0), "{text}");
}

#[tokio::test]
async fn figures_that_cannot_be_read_are_not_a_number() {
    let (messenger, _app, wire) = test_app(Program::worker, "");
    messenger.memory.switch_off();
    messenger.homeserver.switch_off();
    let text = scrape(&wire).await;
    let one = |name: &str| value(&text, &format!("messenger_{name}{{function=\"rooms\"}}"));
    assert_eq!((one("database_up"), one("homeserver_up")), (Some(0.0), Some(0.0)), "{text}");
    for name in ["feed_head_position", "outbox_queues", "sync_age_seconds"] {
        assert!(one(name).is_some_and(f64::is_nan), "{name}: {text}");
    }
}

#[tokio::test]
async fn the_router_hides_metrics_from_callers_without_the_token() {
    let (_messenger, _app, wire) = test_app(Program::router, TOKEN);
    let nowhere = wire.ask(Request::get("/nowhere")).await;
    for authorization in [None, Some("Bearer the token"), Some(TOKEN), Some("Basic eDp5"), Some("Bearer ")] {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let mut request = Request::builder().method(&method).uri("/metrics");
            if let Some(authorization) = authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            let answer = wire.ask(request).await;
            assert_eq!(answer.status, 404, "{method} {authorization:?}");
            if method == Method::GET {
                assert_eq!(answer.body, nowhere.body, "it looks as if nothing were there");
            }
        }
    }
    let shown = |method: &str| {
        let request = Request::builder().method(method).uri("/metrics");
        wire.ask(request.header(AUTHORIZATION, format!("Bearer {TOKEN}")))
    };
    let answer = shown("GET").await;
    assert!(answer.status == 200 && answer.body.to_string().contains("messenger_build_info"));
    assert_eq!(shown("POST").await.status, 405);
}

#[tokio::test]
async fn the_router_without_a_token_has_no_metrics() {
    let (_messenger, _app, wire) = test_app(Program::router, "");
    for authorization in ["Bearer ", "Bearer x", "Bearer"] {
        let answer = wire.ask(Request::get("/metrics").header(AUTHORIZATION, authorization)).await;
        assert_eq!(answer.status, 404, "{authorization}");
    }
}
