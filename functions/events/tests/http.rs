//! Event streams, on the wire.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use std::time::Duration;

use axum::{
    body::BodyDataStream,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use messenger_core::notification::Draft;
use messenger_events::routes;
use messenger_runtime::testing::{
    EXPIRY, HUB_SECRET_KEY, Wire, bearer, exchange, listening, session_cookie, signed, token,
};
use messenger_testkit::{TestMessenger, fixtures, messenger, sse::Reader};
use serde_json::json;

const NOW: Duration = Duration::ZERO;

fn test_app() -> (TestMessenger, Wire) {
    test_app_for(&[])
}

fn test_app_for(variables: &[(&str, &str)]) -> (TestMessenger, Wire) {
    let messenger = messenger().build();
    let wire = Wire::configured(routes(), &messenger, variables);
    (messenger, wire)
}

fn path() -> String {
    format!("/api/v1/events/stream?token={}", token("mueller"))
}

/// Opens a stream.
async fn open(wire: &Wire, path: &str, last_event_id: Option<&str>) -> (HeaderMap, BodyDataStream) {
    let mut request = Request::get(path);
    if let Some(id) = last_event_id {
        request = request.header("Last-Event-ID", id);
    }
    let response = wire.open(request, "").await;
    assert_eq!(response.status(), StatusCode::OK);
    let (parts, body) = response.into_parts();
    (parts.headers, body.into_data_stream())
}

/// Returns the next piece of a stream.
async fn piece(stream: &mut BodyDataStream) -> String {
    let bytes =
        futures::StreamExt::next(stream).await.expect("the stream goes on").expect("it does not break");
    String::from_utf8(bytes.to_vec()).expect("it is UTF-8")
}

#[tokio::test]
async fn the_preamble_comes_at_once_and_its_headers_forbid_buffering() {
    let (_messenger, wire) = test_app();
    let (headers, mut stream) = open(&wire, &path(), None).await;
    assert_eq!(headers["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-store, no-transform");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert!(!headers.contains_key("content-encoding") && !headers.contains_key("content-length"));
    insta::assert_snapshot!(piece(&mut stream).await, @r#"
    retry: 3000
    id: 0
    data: {"app_version":"0.1.0","cursor":0,"server_time":"2026-01-01T06:00:00.000000Z","token_expires_at":"2100-01-01T00:00:30.000000Z","type":"connected"}
    "#);
}

#[tokio::test]
async fn an_event_is_one_unnamed_frame_with_its_position_as_id() {
    let (messenger, wire) = test_app();
    let (_, mut stream) = open(&wire, &path(), None).await;
    piece(&mut stream).await;
    let draft =
        Draft { body: Some("Kühlmittel\nniedrig".to_owned()), ..fixtures::machine(42, "CNC-01 gestoppt") };
    messenger.send(draft, NOW).await;
    let frame = piece(&mut stream).await;
    assert!(frame.ends_with("}\n\n"), "an empty line ends it");
    insta::assert_snapshot!(frame, @r#"
    id: 1
    data: {"type":"notification","notification_id":1,"created_at":"2026-01-01T06:00:00.000000Z","source_app":"inventory","event_type":"stock_low","title":"CNC-01 gestoppt","body":"Kühlmittel\nniedrig","priority":"normal","target_type":"entity_room","entity_type":"machine","entity_id":42,"room_id":null}
    "#);
}

#[tokio::test]
async fn a_reader_that_returns_gets_the_missed_events_first() {
    let (messenger, wire) = test_app();
    for title in ["1", "2"] {
        messenger.send(fixtures::draft(title), NOW).await;
    }
    let (_, mut stream) = open(&wire, &path(), Some("1")).await;
    insta::assert_snapshot!(piece(&mut stream).await, @r#"
    retry: 3000
    id: 1
    data: {"app_version":"0.1.0","cursor":1,"server_time":"2026-01-01T06:00:00.000000Z","token_expires_at":"2100-01-01T00:00:30.000000Z","type":"connected"}

    id: 2
    data: {"type":"notification","notification_id":2,"created_at":"2026-01-01T06:00:00.000000Z","source_app":"inventory","event_type":"stock_low","title":"2","body":null,"priority":"normal","target_type":"general","room_id":null}
    "#);
    // The header, which an `EventSource` sends when it reconnects, is newer than the URL that it was created
    // with.
    for (url, header) in [
        ("&last_event_id=1", None),
        ("&last_event_id=0&lastEventId=1", None),
        ("&lastEventID=1&lastEventId=", None),
        ("&last_event_id=0", Some("1")),
        ("&last_event_id=1", Some("")),
    ] {
        let (_, stream) = open(&wire, &format!("{}{url}", path()), header).await;
        let mut reader = Reader::new(stream);
        assert_eq!(reader.next().await.expect("an event").kind(), "connected");
        assert_eq!(reader.next().await.expect("an event").json()["title"], "2");
    }
}

#[tokio::test]
async fn a_gap_sends_reset_and_moves_the_cursor_over_it() {
    let (messenger, wire) = test_app();
    messenger.send(fixtures::draft("1"), NOW).await;
    for cursor in ["99", "-1", "abc", "1.0"] {
        let (_, stream) = open(&wire, &path(), Some(cursor)).await;
        let mut reader = Reader::new(stream);
        assert_eq!(reader.next().await.expect("an event").json()["cursor"], 1);
        let reset = reader.next().await.expect("an event");
        assert_eq!(reset.json(), json!({ "type": "reset", "reason": "unknown_position" }), "{cursor}");
        assert_eq!(reset.last_id, "1");
    }
}

#[tokio::test(start_paused = true)]
async fn keepalives_come_in_time_and_have_no_id() {
    let (_messenger, wire) = test_app();
    let (_, mut stream) = open(&wire, &path(), None).await;
    piece(&mut stream).await;
    for _ in 0..3 {
        let begun = tokio::time::Instant::now();
        assert_eq!(piece(&mut stream).await, "data: {\"type\":\"keepalive\"}\n\n");
        assert!(begun.elapsed() <= Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_token() {
    let (messenger, wire) = test_app();
    let (_, mut stream) = open(&wire, &path(), None).await;
    piece(&mut stream).await;
    messenger.clock.set("2100-01-02T00:00:00Z".parse().expect("a time"));
    while let Some(last) = futures::StreamExt::next(&mut stream).await {
        let last = last.expect("it does not break");
        if last != "data: {\"type\":\"keepalive\"}\n\n" {
            assert_eq!(last, "data: {\"type\":\"token_expired\"}\n\n");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_retry_after_the_configured_time() {
    let (_messenger, wire) = test_app_for(&[("SSE_MAX_SECONDS", "60")]);
    let begin = tokio::time::Instant::now();
    let (_, stream) = open(&wire, &path(), None).await;
    let pieces: Vec<_> = futures::StreamExt::collect(stream).await;
    assert_eq!(begin.elapsed().as_secs(), 60);
    let last = pieces.last().expect("a piece").as_ref().expect("it does not break");
    let last = String::from_utf8_lossy(last);
    assert!(last.starts_with("retry: ") && last.contains("\ndata: {\"type\":\"reconnect\""), "{last}");
}

#[tokio::test]
async fn a_socket_serves_streams_below_the_base_path_and_without_it() {
    let messenger = messenger().build();
    let variables = [("BASE_PATH", "/prod"), ("SSE_MAX_SECONDS", "1")];
    let address = listening(routes().into_router(), &messenger, &variables).await;
    for base in ["/prod", ""] {
        let request = format!("GET {base}{} HTTP/1.1\r\nHost: hub\r\n\r\n", path());
        let text = exchange(address, request.as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\nconnection: close\r\n"), "{text}");
        assert!(text.contains("\"type\":\"connected\"") && text.ends_with("0\r\n\r\n"), "{text}");
    }
    let request = format!("GET /production{} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n", path());
    assert!(exchange(address, request.as_bytes()).await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn without_a_good_token_it_is_401() {
    let (_messenger, wire) = test_app();
    insta::assert_json_snapshot!(wire.ask(Request::get("/api/v1/events/stream")).await, @r#"
    {
      "status": 401,
      "headers": {
        "content-type": "application/problem+json",
        "www-authenticate": "Bearer"
      },
      "body": {
        "code": "token_missing",
        "detail": "the user's token is missing: send it as `Authorization: Bearer <JWT>` or `?token=<JWT>`, or sign in by `POST /auth/session`",
        "request_id": "[that of the header]",
        "status": 401,
        "title": "Unauthorized",
        "type": "urn:messenger-service:problem:token_missing"
      }
    }
    "#);
    let expired = json!({ "sub": "mueller", "iss": "aesystek-hub", "exp": 1_700_000_000 });
    let expired = format!("/api/v1/events/stream?token={}", signed(&expired, HUB_SECRET_KEY));
    insta::assert_json_snapshot!(wire.ask(Request::get(expired)).await, @r#"
    {
      "status": 401,
      "headers": {
        "content-type": "application/problem+json",
        "www-authenticate": "Bearer"
      },
      "body": {
        "code": "token_expired",
        "detail": "the token has expired: sign in again",
        "request_id": "[that of the header]",
        "status": 401,
        "title": "Unauthorized",
        "type": "urn:messenger-service:problem:token_expired"
      }
    }
    "#);
    let by_header = Request::get("/api/v1/events/stream").header("Authorization", bearer("mueller"));
    assert_eq!(wire.open(by_header, "").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_session_cookie_opens_a_stream_for_pages_of_the_service() {
    let (_messenger, wire) = test_app();
    let get = || Request::get("/api/v1/events/stream").header("Cookie", session_cookie("mueller"));
    let response = wire.open(get(), "").await;
    assert_eq!(response.status(), StatusCode::OK);
    let first = piece(&mut response.into_body().into_data_stream()).await;
    assert!(first.contains("\"token_expires_at\":\"2100-01-01T00:00:30.000000Z\""), "{first}");
    let elsewhere = wire.ask(get().header("Origin", "https://elsewhere.example")).await;
    assert_eq!((elsewhere.status, &elsewhere.body["code"]), (403, &json!("origin_not_allowed")));
    assert!(!elsewhere.all_headers.contains_key("access-control-allow-credentials"));
}

#[tokio::test]
async fn a_stream_by_cookie_ends_when_its_user_moves_to_another_tenant() {
    let (_messenger, wire) = test_app();
    let get = || Request::get("/api/v1/events/stream").header("Cookie", session_cookie("mueller"));
    let mut stream = wire.open(get(), "").await.into_body().into_data_stream();
    piece(&mut stream).await;
    let moved = json!({
        "sub": "mueller", "tenant_id": 2, "iss": "aesystek-hub", "exp": EXPIRY, "iat": 1_700_000_000,
    });
    let moved = format!("/api/v1/events/stream?token={}", signed(&moved, HUB_SECRET_KEY));
    assert_eq!(wire.open(Request::get(moved), "").await.status(), StatusCode::OK);
    let last = piece(&mut stream).await;
    assert!(last.contains("\"type\":\"access_withdrawn\""), "{last}");
    assert!(futures::StreamExt::next(&mut stream).await.is_none(), "the stream has ended");
    assert_eq!(wire.ask(get()).await.body["code"], "token_superseded");
}

#[tokio::test]
async fn without_the_database_it_is_503_and_no_stream() {
    let (messenger, wire) = test_app();
    messenger.memory.switch_off();
    insta::assert_json_snapshot!(wire.ask(Request::get(path())).await, @r#"
    {
      "status": 503,
      "headers": {
        "content-type": "application/problem+json",
        "retry-after": "2"
      },
      "body": {
        "code": "database_unavailable",
        "detail": "the database cannot be reached: try again later",
        "request_id": "[that of the header]",
        "status": 503,
        "title": "Service Unavailable",
        "type": "urn:messenger-service:problem:database_unavailable"
      }
    }
    "#);
}

/// Returns the headers of CORS in the answer to a preflight request of this origin.
async fn preflight(wire: &Wire, origin: &str) -> Vec<String> {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/api/v1/events/stream")
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,last-event-id");
    let answer = wire.ask(request).await;
    assert_eq!(answer.status, 200);
    let of_cors = answer.all_headers.iter().filter(|(name, _)| name.as_str().starts_with("access-control-"));
    of_cors.map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect()
}

#[tokio::test]
async fn in_development_pages_of_every_origin_may_read_streams() {
    let (_messenger, wire) = test_app();
    insta::assert_snapshot!(preflight(&wire, "https://hub.example").await.join("\n"), @r"
    access-control-allow-methods: GET,POST,PUT,PATCH,DELETE
    access-control-allow-headers: authorization,cache-control,content-type,if-match,range,idempotency-key,last-event-id,x-request-id,x-requested-with
    access-control-max-age: 3600
    access-control-allow-origin: *
    ");
}

#[tokio::test]
async fn only_pages_of_the_named_origins_may_read_streams() {
    let (_messenger, wire) =
        test_app_for(&[("ALLOWED_ORIGINS", "https://hub.example, https://hub.example:8085")]);
    for (origin, allowed) in [
        ("https://hub.example", true),
        ("https://hub.example:8085", true),
        ("https://hub.example.evil", false),
        ("http://hub.example", false),
        ("null", false),
    ] {
        let headers = preflight(&wire, origin).await;
        let expected = format!("access-control-allow-origin: {origin}");
        assert_eq!(headers.contains(&expected), allowed, "{headers:?}");
        let request = Request::get(path()).header("Origin", origin);
        let headers = wire.open(request, "").await.headers().clone();
        assert_eq!(headers.get("access-control-allow-origin").is_some_and(|it| it == origin), allowed);
        assert!(headers["vary"].to_str().expect("text").contains("origin"), "caches keep them apart");
    }
}

#[tokio::test]
async fn a_page_may_read_the_reason_of_a_refusal() {
    let (_messenger, wire) = test_app_for(&[("ALLOWED_ORIGINS", "https://hub.example")]);
    let request = Request::get("/api/v1/events/stream").header("Origin", "https://hub.example");
    let answer = wire.ask(request).await;
    assert_eq!(
        (answer.status, &answer.all_headers["access-control-allow-origin"]),
        (401, &"https://hub.example".parse().expect("a header"))
    );
}

#[tokio::test]
async fn the_module_for_pages_and_its_types_are_served_to_every_origin() {
    let (_messenger, wire) = test_app_for(&[("ALLOWED_ORIGINS", "https://hub.example")]);
    for (path, kind, begin) in [
        ("/client/hub-messenger.js", "text/javascript; charset=utf-8", "// Subscribes to the events"),
        ("/client/hub-messenger.d.ts", "application/typescript; charset=utf-8", "// Types of"),
    ] {
        let request = || Request::get(path).header("Origin", "https://elsewhere.example");
        let answer = wire.ask(request()).await;
        let headers = &answer.all_headers;
        assert_eq!((answer.status, &headers["content-type"]), (200, &kind.parse().expect("a header")));
        assert_eq!(headers["cache-control"], "no-cache");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(headers["cross-origin-resource-policy"], "cross-origin");
        assert!(answer.body.as_str().expect("text").starts_with(begin));
        let tag = headers["etag"].to_str().expect("text").to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let unchanged = wire.ask(request().header("If-None-Match", &known)).await;
            assert_eq!((unchanged.status, unchanged.body.as_str()), (304, Some("")), "{known}");
            assert_eq!(unchanged.all_headers["etag"], tag.as_str());
        }
        assert_eq!(wire.ask(request().header("If-None-Match", "\"other\"")).await.status, 200);
    }
    let own = Request::get("/client/hub-messenger.js").header("Origin", "https://hub.example");
    assert_eq!(wire.ask(own).await.all_headers["access-control-allow-origin"], "https://hub.example");
    assert_eq!(wire.ask(Request::get("/client/other.js")).await.status, 404);
}

#[tokio::test]
async fn metrics_count_open_streams_and_the_events_that_were_handed_out() {
    let (messenger, wire) = test_app();
    let (_, mut first) = open(&wire, &path(), None).await;
    let (_, mut second) = open(&wire, &path(), None).await;
    for stream in [&mut first, &mut second] {
        piece(stream).await;
    }
    messenger.send(fixtures::draft("1"), NOW).await;
    for stream in [&mut first, &mut second] {
        piece(stream).await;
    }
    drop(second);
    let text = wire.ask(Request::get("/metrics")).await.body;
    let text = text.as_str().expect("it is text");
    for line in [
        "messenger_event_streams{function=\"function\"} 1",
        "messenger_events_read_total{function=\"function\"} 1",
        "messenger_events_handed_out_total{function=\"function\"} 2",
        "messenger_feed_head_position{function=\"function\"} 1",
        "messenger_feed_lag_events{function=\"function\"} 0",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    assert!(!text.contains("mueller") && !text.contains("tenant"), "{text}");
}
