//! `GET /messages/media/{server}/{media_id}`.

use axum::http::{HeaderMap, Method, Request};
use messenger_runtime::testing::{EXPIRY, HUB_SECRET_KEY, session_cookie, signed};
use messenger_testkit::fixtures;
use serde_json::{Value, json};

use crate::{SEND, TestApp, UPLOAD, by, token_of};

const BYTES: &[u8] = b"0123456789";

/// A media type that no browser opens.
const OPAQUE: &str = "application/octet-stream";

/// Uploads a file of anna into the general room. Returns its path and its event.
async fn posted(app: &TestApp) -> (String, Value) {
    let room = app.room.to_string();
    let answer = app
        .upload(&[("name=\"room_id\"", room.as_bytes()), ("name=\"file\"; filename=\"x.txt\"", BYTES)])
        .await;
    (answer.body["media_path"].as_str().expect("a file").to_owned(), answer.body["event_id"].clone())
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn no_file_runs_in_a_browser_whatever_type_its_sender_states() {
    let content = |stated: &Value| {
        json!({
            "msgtype": "m.image", "body": "harmlos\u{202e}\r\n\".png", "url": "mxc://hub.local/file1",
            "info": { "mimetype": stated, "size": -1 },
        })
    };
    for (stated, shown, inline) in [
        (json!("text/html"), OPAQUE, false),
        (json!("image/svg+xml"), OPAQUE, false),
        (json!("IMAGE/SVG+XML; charset=utf-8"), OPAQUE, false),
        (json!("application/xhtml+xml"), OPAQUE, false),
        (json!("text/plain"), OPAQUE, false),
        (json!("application/pdf"), OPAQUE, false),
        (json!("image/png, text/html"), OPAQUE, false),
        (json!("image/png\r\nX-Evil: 1"), OPAQUE, false),
        (json!(""), OPAQUE, false),
        (json!(null), OPAQUE, false),
        (json!(7), OPAQUE, false),
        (json!("image/png"), "image/png", true),
        (json!(" Image/JPEG ; charset=x"), "image/jpeg", true),
        (json!("video/mp4"), "video/mp4", true),
        (json!("audio/ogg"), "audio/ogg", true),
    ] {
        let app = TestApp::new().await;
        let (url, event) = posted(&app).await;
        app.happens_by("anna", "m.room.redaction", json!({ "redacts": event })).await;
        assert_eq!(app.file(&url, None).await.0, 404, "a redacted file is gone");
        app.happens_by("anna", "m.room.message", content(&stated)).await;
        let (status, headers, bytes) = app.file(&url, None).await;
        assert_eq!((status, bytes.as_slice()), (200, BYTES), "{stated}");
        assert_eq!(text(&headers, "content-type"), shown, "{stated}");
        let disposition = if inline { "inline" } else { "attachment" };
        assert_eq!(
            text(&headers, "content-disposition"),
            format!("{disposition}; filename=\"harmlos_.png\"; filename*=UTF-8''harmlos%22.png"),
        );
        assert_eq!(text(&headers, "x-content-type-options"), "nosniff");
        assert!(text(&headers, "content-security-policy").starts_with("sandbox; default-src 'none'"));
        assert_eq!(text(&headers, "cache-control"), "private, max-age=3600");
        assert_eq!(text(&headers, "cross-origin-resource-policy"), "same-origin");
        assert!(!headers.contains_key("x-evil"));
    }
}

#[tokio::test]
async fn the_session_cookie_opens_a_file_to_pages_of_the_service_and_a_token_in_the_url_to_all() {
    let app = TestApp::new().await;
    let (url, _) = posted(&app).await;
    let by_cookie = |user: &str| Request::get(&url).header("Cookie", session_cookie(user));
    let file = app.wire.ask(by_cookie("anna")).await;
    assert_eq!((file.status, text(&file.all_headers, "cross-origin-resource-policy")), (200, "same-origin"));
    let vary: Vec<_> =
        file.all_headers.get_all("vary").iter().filter_map(|line| line.to_str().ok()).collect();
    assert!(vary.join(", ").contains("Authorization, Cookie"), "the next user gets no stored copy: {vary:?}");
    let in_url = Request::get(format!("{url}?token={}", token_of("anna", "user", 1)));
    let file = app.wire.ask(in_url.header("Origin", "https://elsewhere.example")).await;
    assert_eq!((file.status, text(&file.all_headers, "cross-origin-resource-policy")), (200, "cross-origin"));
    for site in ["cross-site", "same-site"] {
        let answer = app.wire.ask(by_cookie("anna").header("Sec-Fetch-Site", site)).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!("origin_not_allowed")));
    }
    assert_eq!(app.wire.ask(by_cookie("fritz")).await.status, 404, "fritz is in no room of the file");
    // A viewer of the room reads it as well.
    let claims = json!({ "sub": "bert", "role": "viewer", "tenant_id": 1, "iss": "aesystek-hub", "exp": EXPIRY, "iat": 1 });
    let viewer = format!("Bearer {}", signed(&claims, HUB_SECRET_KEY));
    app.wire.ask(Request::get(&url).header("Authorization", viewer)).await;
    assert_eq!(app.wire.ask(by_cookie("bert")).await.status, 200);
    // The cookie allows no writes.
    for path in [SEND, UPLOAD] {
        let answer = app.wire.ask(Request::post(path).header("Cookie", session_cookie("anna"))).await;
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!("token_missing")), "{path}");
    }
    let history = format!("/api/v1/messages/history/{}", app.room);
    let answer = app.wire.ask(Request::get(history).header("Cookie", session_cookie("anna"))).await;
    assert_eq!((answer.status, &answer.body["code"]), (401, &json!("token_missing")));
}

#[tokio::test]
async fn a_range_of_a_file_has_the_requested_bytes() {
    let app = TestApp::new().await;
    let (url, _) = posted(&app).await;
    let (status, headers, bytes) = app.file(&url, None).await;
    assert_eq!((status, bytes.as_slice()), (200, BYTES));
    assert_eq!((text(&headers, "accept-ranges"), text(&headers, "content-length")), ("bytes", "10"));
    for (range, content_range, expected) in [
        ("bytes=0-0", "bytes 0-0/10", &BYTES[..1]),
        ("bytes=3-5", "bytes 3-5/10", &BYTES[3..6]),
        ("bytes=7-", "bytes 7-9/10", &BYTES[7..]),
        ("bytes=9-", "bytes 9-9/10", &BYTES[9..]),
        ("bytes=-1", "bytes 9-9/10", &BYTES[9..]),
        ("bytes=-100", "bytes 0-9/10", BYTES),
        ("bytes=5-18446744073709551615", "bytes 5-9/10", &BYTES[5..]),
    ] {
        let (status, headers, bytes) = app.file(&url, Some(range)).await;
        assert_eq!(
            (status, text(&headers, "content-range"), bytes.as_slice()),
            (206, content_range, expected)
        );
        assert_eq!(text(&headers, "content-length"), expected.len().to_string());
        assert_eq!(text(&headers, "x-content-type-options"), "nosniff");
    }
    for whole in ["bytes=5-3", "bytes=0-1,4-5", "lines=0-1", "bytes=x", "0-1"] {
        let (status, headers, bytes) = app.file(&url, Some(whole)).await;
        assert_eq!(
            (status, headers.contains_key("content-range"), bytes.as_slice()),
            (200, false, BYTES),
            "{whole}"
        );
    }
    let conditional = by("anna", Method::GET, &url).header("Range", "bytes=0-1").header("If-Range", "\"x\"");
    assert_eq!(
        app.wire.ask(conditional).await.status,
        200,
        "we know no versions, so the condition does not hold"
    );
}

#[tokio::test]
async fn a_range_beyond_the_end_is_416_with_the_size_of_the_file() {
    let app = TestApp::new().await;
    let (url, _) = posted(&app).await;
    let beyond = by("anna", Method::GET, &url).header("Range", "bytes=10-");
    insta::assert_json_snapshot!(app.wire.ask(beyond).await, @r#"
    {
      "status": 416,
      "headers": {
        "content-range": "bytes */10",
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "range_not_satisfiable",
        "detail": "it ends before this range begins: see the header Content-Range",
        "request_id": "[that of the header]",
        "status": 416,
        "title": "Range Not Satisfiable",
        "type": "urn:messenger-service:problem:range_not_satisfiable"
      }
    }
    "#);
    for range in ["bytes=11-20", "bytes=-0", "bytes=18446744073709551615-"] {
        let (status, headers, _) = app.file(&url, Some(range)).await;
        assert_eq!((status, text(&headers, "content-range")), (416, "bytes */10"), "{range}");
    }
}

#[tokio::test]
async fn a_message_with_the_file_of_another_user_shows_it_to_no_reader() {
    let app = TestApp::new().await;
    let (url, event) = posted(&app).await;
    app.happens_by("anna", "m.room.redaction", json!({ "redacts": event })).await;
    let content = json!({ "msgtype": "m.image", "body": "x", "url": "mxc://hub.local/file1" });
    // As a message, as a sticker, and by an edit of a message of his own.
    app.happens("m.room.message", content.clone()).await;
    app.happens("m.sticker", content.clone()).await;
    let own = app.happens("m.room.message", json!({ "msgtype": "m.text", "body": "soon" })).await;
    let relation = json!({ "rel_type": "m.replace", "event_id": own });
    let edit =
        json!({ "msgtype": "m.image", "body": "* x", "m.new_content": content, "m.relates_to": relation });
    app.happens("m.room.message", edit).await;
    assert_eq!(app.get("bert", &url).await.status, 404);
    assert_eq!(app.file(&url, None).await.0, 404);
    // The owner posts it again.
    app.happens_by("anna", "m.room.message", content).await;
    assert_eq!(app.file(&url, None).await.0, 200);
}

#[tokio::test]
async fn files_of_other_homeservers_are_not_found() {
    let app = TestApp::new().await;
    for server in ["evil.example", "hub.local:8448", "HUB.LOCAL", "127.0.0.1", "[::1]"] {
        let content = json!({ "msgtype": "m.image", "body": "x", "url": format!("mxc://{server}/file1") });
        app.happens("m.room.message", content).await;
        let answer = app.get("bert", &format!("/api/v1/messages/media/{server}/file1")).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{server}");
    }
}

#[tokio::test]
async fn only_members_of_its_room_get_a_file() {
    let app = TestApp::new().await;
    let (url, _) = posted(&app).await;
    let in_url = |token: &str| Request::get(format!("{url}?token={token}"));
    assert_eq!(
        app.wire.ask(in_url(&token_of("bert", "viewer", 1))).await.status,
        200,
        "an <img> has no headers"
    );
    insta::assert_json_snapshot!(app.wire.ask(in_url(&token_of("fritz", "super_admin", 2))).await, @r#"
    {
      "status": 404,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "not_found",
        "detail": "file not found",
        "request_id": "[that of the header]",
        "status": 404,
        "title": "Not Found",
        "type": "urn:messenger-service:problem:not_found"
      }
    }
    "#);
    insta::assert_json_snapshot!(app.wire.ask(Request::get(&url)).await, @r#"
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
    assert_eq!(app.wire.ask(in_url("a.b.c")).await.body["code"], "token_invalid");
    let head = app.wire.ask(by("anna", Method::HEAD, &url)).await;
    assert_eq!((head.status, &head.body), (200, &json!("")));
    app.messenger
        .ports
        .memberships
        .remove(fixtures::TENANT, &app.room, &fixtures::user("anna"))
        .await
        .expect("out");
    assert_eq!(app.file(&url, None).await.0, 404, "a former member has no access");
    for path in [
        "hub.local/unknown",
        "hub.local/..",
        "%2E%2E/x",
        "hub.local/a%2Fb",
        "hub.local/%FF",
        "%00/x",
        "a%20b/x",
        "hub.local/a%3Fb",
    ] {
        let answer = app.get("bert", &format!("/api/v1/messages/media/{path}")).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{path}");
    }
    assert_eq!(
        app.get("bert", "/api/v1/messages/media/hub.local").await.status,
        405,
        "a message has no `GET`"
    );
    app.messenger.homeserver.switch_off();
    let away = app.get("bert", &url).await;
    assert_eq!((away.status, &away.body["code"]), (503, &json!("homeserver_unavailable")));
}
