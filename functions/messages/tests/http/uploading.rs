//! `POST /messages/upload`.

use axum::http::Request;
use messenger_core::error::Failure;
use messenger_runtime::testing::bearer;
use serde_json::{Value, json};

use crate::{Part, TestApp, UPLOAD, form, form_of, segment, token_of, wrong};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on";

#[tokio::test]
async fn a_file_becomes_a_message_with_every_field() {
    let app = TestApp::new().await;
    let room = app.room.to_string();
    let parts: [Part<'_>; 4] = [
        ("name=\"room_id\"", room.as_bytes()),
        ("name=\"body\"", "Die Fräse".as_bytes()),
        ("name=\"unknown\"", b"x"),
        ("name=\"file\"; filename=\"Übersicht Ä.png\"", PNG),
    ];
    insta::assert_json_snapshot!(app.upload(&parts).await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "body": "Die Fräse",
        "edited": false,
        "event_id": "$event1",
        "file_size": 26,
        "file_url": "mxc://hub.local/file1",
        "filename": "Übersicht Ä.png",
        "formatted_body": null,
        "media_path": "/api/v1/messages/media/hub.local/file1",
        "mentions": {
          "hub_user_ids": [],
          "room": false
        },
        "mimetype": "image/png",
        "msg_type": "m.image",
        "reactions": [],
        "reply_to": null,
        "room_id": "!room1",
        "sender": "@anna:hub.local",
        "sender_display_name": "Name von anna",
        "timestamp": "2026-01-01T06:00:00.000000Z"
      }
    }
    "#);
    // An empty file is a file as well.
    let empty =
        app.upload(&[("name=\"room_id\"", room.as_bytes()), ("name=\"file\"; filename=\"\"", b"")]).await;
    assert_eq!(
        (empty.status, &empty.body["file_size"], &empty.body["filename"]),
        (200, &json!(0), &json!("file"))
    );
}

#[tokio::test]
async fn the_media_type_is_detected_from_the_bytes_whatever_the_client_states() {
    let app = TestApp::new().await;
    let room = app.room.to_string();
    for (bytes, mimetype, msg_type) in [
        (PNG, "image/png", "m.image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF".as_slice(), "image/jpeg", "m.image"),
        (b"ID3\x03\0\0\0\0\0\0", "audio/mpeg", "m.audio"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4", "m.video"),
        (b"%PDF-1.7\n", "application/pdf", "m.file"),
        ("Größe".as_bytes(), "text/plain", "m.file"),
        (b"\x00\x01\x02", "application/octet-stream", "m.file"),
    ] {
        let file = "name=\"file\"; filename=\"x.png\"\r\nContent-Type: image/png";
        let answer = app.upload(&[("name=\"room_id\"", room.as_bytes()), (file, bytes)]).await;
        assert_eq!(
            (answer.status, &answer.body["mimetype"], &answer.body["msg_type"]),
            (200, &json!(mimetype), &json!(msg_type)),
            "{}",
            answer.body
        );
    }
    for program in [
        "<html><script>x</script></html>",
        "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "<?xml version='1.0'?><svg/>",
    ] {
        let file = "name=\"file\"; filename=\"x.svg\"\r\nContent-Type: image/svg+xml";
        let answer = app.upload(&[("name=\"room_id\"", room.as_bytes()), (file, program.as_bytes())]).await;
        assert_eq!((answer.status, &answer.body["msg_type"]), (200, &json!("m.file")), "{program}");
    }
}

#[tokio::test]
async fn a_file_name_is_made_safe_in_every_notation() {
    let app = TestApp::new().await;
    let room = app.room.to_string();
    let long = format!("filename=\"{}.pdf\"", "ä".repeat(300));
    let long_extension = format!("filename=\"x.{}\"", "y".repeat(300));
    for (disposition, expected) in [
        ("filename=\"../../x\"", "x"),
        ("filename=\"C:\\\\Users\\\\anna\\\\plan.pdf\"", "plan.pdf"),
        ("filename=\"/etc/passwd\"", "passwd"),
        ("filename=\"..\"", "file"),
        ("filename=\".htaccess\"", "htaccess"),
        ("filename=\"a\u{202e}gpj.exe\"", "agpj.exe"),
        ("filename=\"a\u{200b}\u{feff}b.txt\"", "ab.txt"),
        ("filename=\"a\tb.txt\"", "ab.txt"),
        ("filename=\"U\u{308}bersicht.pdf\"", "Übersicht.pdf"),
        ("filename=\"x.pdf\"; filename*=UTF-8''%C3%9Cbersicht%20%C3%84.pdf", "Übersicht Ä.pdf"),
        ("filename*=utf-8'de'..%2F..%2Fx.sh", "x.sh"),
        ("filename*=UTF-8''a%00%0D%0Ab.txt; filename=\"x\"", "ab.txt"),
        ("filename=\"x.pdf\"; filename*=ISO-8859-1''%DCbersicht.pdf", "x.pdf"),
        ("filename=\"   \"", "file"),
        ("filename=\"\"", "file"),
    ] {
        let file = format!("name=\"file\"; {disposition}");
        let answer = app.upload(&[("name=\"room_id\"", room.as_bytes()), (&file, PNG)]).await;
        assert_eq!((answer.status, &answer.body["filename"]), (200, &json!(expected)), "{disposition}");
        assert_eq!(answer.body["body"], json!(expected), "without a caption it is called by its name");
    }
    for (disposition, end) in [(long, ".pdf"), (long_extension, "y")] {
        let file = format!("name=\"file\"; {disposition}");
        let answer = app.upload(&[("name=\"room_id\"", room.as_bytes()), (&file, PNG)]).await;
        let name = answer.body["filename"].as_str().expect("a name").to_owned();
        assert!(name.len() <= 255 && name.len() > 200 && name.ends_with(end), "{name}");
    }
}

#[tokio::test]
async fn each_wrong_field_of_a_form_is_named() {
    let app = TestApp::new().await;
    let room = app.room.to_string();
    let (room, file) = (("name=\"room_id\"", room.as_bytes()), ("name=\"file\"; filename=\"x.png\"", PNG));
    let (long, body) = ("x".repeat(256), "ä".repeat(20_001));
    let (huge, latin) = (vec![b'x'; 80_001], b"\xe4".as_slice());
    insta::assert_json_snapshot!(app.upload(&[]).await, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "invalid_request",
        "detail": "room_id: is required; file: is required: a part of the form with a file name",
        "errors": [
          {
            "message": "is required",
            "pointer": "/room_id"
          },
          {
            "message": "is required: a part of the form with a file name",
            "pointer": "/file"
          }
        ],
        "request_id": "[that of the header]",
        "status": 422,
        "title": "Unprocessable Entity",
        "type": "urn:messenger-service:problem:invalid_request"
      }
    }
    "#);
    let cases: [(&[Part<'_>], &[&str]); 17] = [
        (&[room], &["/file"]),
        (&[file], &["/room_id"]),
        (&[("name=\"room_id\"", b" "), file], &["/room_id"]),
        (
            &[room, ("name=\"body\"", body.as_bytes()), ("name=\"txn_id\"", long.as_bytes()), file],
            &["/body", "/txn_id"],
        ),
        (&[room, ("name=\"body\"", &huge), file], &["/body"]),
        (&[room, ("name=\"body\"", latin), file], &["/body"]),
        (&[room, ("name=\"datei\"; filename=\"x.png\"", PNG)], &["/file"]),
        (&[room, ("name=\"txnId\"", b"1"), file], &["/txnId"]),
        (&[room, ("name=\"Body\"", b"x"), file], &["/Body"]),
        (&[("name=\"roomId\"", b"!room1"), file], &["/roomId", "/room_id"]),
        (&[("name=\"room_id\"", long.as_bytes())], &["/room_id", "/file"]),
        (&[room, ("name=\"body\"", &[])], &["/file"]),
        // Neither of two equal parts is dropped silently.
        (&[room, file, file], &["/file"]),
        (&[file, room, file], &["/file"]),
        (&[room, room, file], &["/room_id"]),
        (&[room, ("name=\"body\"", b"one"), ("name=\"body\"", b"two"), file], &["/body"]),
        (&[file, ("name=\"txn_id\"", b"1"), ("name=\"txn_id\"", b"1"), room], &["/txn_id"]),
    ];
    for (parts, named) in cases {
        let answer = app.upload(parts).await;
        assert_eq!((answer.status, wrong(&answer)), (422, named.to_vec()), "{named:?}: {}", answer.body);
    }
    // A truncated form is no shorter file.
    let whole = form(&[room, file]);
    for cut in [whole.len() - 10, whole.len() / 2] {
        let answer = app.wire.call(form_of("anna", UPLOAD), whole[..cut].to_vec()).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
    }
    for kind in ["application/json", "multipart/form-data", "text/plain", "multipart/mixed; boundary=x"] {
        let request =
            Request::post(UPLOAD).header("Authorization", bearer("anna")).header("Content-Type", kind);
        let answer = app.wire.call(request, whole.clone()).await;
        assert_eq!((answer.status, &answer.body["code"]), (415, &json!("unsupported_media_type")), "{kind}");
    }
    assert_eq!(app.messenger.homeserver.messages(&app.room).len(), 0, "nothing was sent");
    assert_eq!(app.messenger.homeserver.files(), 0, "and nothing uploaded");
}

#[tokio::test]
async fn the_largest_file_is_accepted_and_one_byte_more_is_not() {
    let app = TestApp::configured(&[("MAX_UPLOAD_BYTES", "1000")]).await;
    let room = app.room.to_string();
    let sized = async |size: usize| {
        let bytes = vec![b'x'; size];
        app.upload(&[("name=\"room_id\"", room.as_bytes()), ("name=\"file\"; filename=\"x\"", &bytes)]).await
    };
    let largest = sized(1000).await;
    assert_eq!((largest.status, &largest.body["file_size"]), (200, &json!(1000)));
    insta::assert_json_snapshot!(sized(1001).await, @r#"
    {
      "status": 413,
      "headers": {
        "connection": "close",
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "body_too_large",
        "detail": "the file is too large: at most 1000 bytes are accepted",
        "request_id": "[that of the header]",
        "status": 413,
        "title": "Payload Too Large",
        "type": "urn:messenger-service:problem:body_too_large"
      }
    }
    "#);
    assert_eq!(sized(5 << 20).await.status, 413);
    assert_eq!(app.messenger.homeserver.files(), 1);
    // A form with a too large `Content-Length` is not read at all.
    let request = form_of("anna", UPLOAD).header("Content-Length", "100000000000");
    assert_eq!(app.wire.call(request, "x").await.status, 413);
}

#[tokio::test]
async fn the_parts_of_a_form_may_have_any_order() {
    let app = TestApp::new().await;
    let room = app.room.to_string();
    let parts: [Part<'_>; 4] = [
        ("name=\"file\"; filename=\"x.png\"", PNG),
        ("name=\"room_id\"", room.as_bytes()),
        ("name=\"body\"", "Die Fräse".as_bytes()),
        ("name=\"csrf\"", b"x"),
    ];
    for first in 0..parts.len() {
        let mut rotated = parts;
        rotated.rotate_left(first);
        for order in [rotated.to_vec(), rotated.into_iter().rev().collect()] {
            let answer = app.upload(&order).await;
            assert_eq!((answer.status, &answer.body["body"]), (200, &json!("Die Fräse")), "{}", answer.body);
        }
    }
    // The room may be in the query as well, if it is the same.
    let path = format!("{UPLOAD}?room_id={}", segment(&room));
    for (parts, status) in [
        (&parts[..1], 200),
        (&parts[..2], 200),
        (&[parts[0], ("name=\"room_id\"", b"!another")][..], 422),
        (&[("name=\"room_id\"", b"!another"), parts[0]], 404),
    ] {
        let answer = app.wire.call(form_of("anna", &path), form(parts)).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    // An unknown room is refused after the file as well, and nothing is uploaded.
    let before = app.messenger.homeserver.files();
    for unknown in ["!nowhere", "!a/b"] {
        let answer = app.upload(&[parts[0], ("name=\"room_id\"", unknown.as_bytes())]).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{unknown}");
    }
    assert_eq!(app.messenger.homeserver.files(), before);
}

#[tokio::test]
async fn the_size_of_the_whole_form_is_limited() {
    let app = TestApp::configured(&[("MAX_UPLOAD_BYTES", "1000000")]).await;
    let room = app.room.to_string();
    let (room, file) = (("name=\"room_id\"", room.as_bytes()), ("name=\"file\"; filename=\"x.png\"", PNG));
    let (large, small) = (vec![b'x'; 900_000], vec![b'x'; 100]);
    // Each part alone is small enough.
    for name in ["other", "file"] {
        let disposition = format!("name=\"{name}\"; filename=\"x\"");
        let parts = [room, ("name=\"first\"", &large), (&*disposition, &large)];
        let answer = app.upload(&parts).await;
        assert_eq!((answer.status, &answer.body["code"]), (413, &json!("body_too_large")), "{name}");
        assert_eq!(answer.all_headers["connection"], "close");
    }
    let many = [&vec![("name=\"other\"", &*small); 15][..], &[room, file]].concat();
    let answer = app.upload(&many).await;
    assert_eq!(answer.status, 422);
    assert!(answer.body["detail"].as_str().expect("detail").contains("at most 16"), "{}", answer.body);
    assert_eq!(app.upload(&many[1..]).await.status, 200, "sixteen are not too many");
    assert_eq!(app.messenger.homeserver.files(), 1);
}

#[tokio::test]
async fn a_caller_who_may_not_write_uploads_nothing() {
    let app = TestApp::new().await;
    let room = app.room.to_string();
    let body = form(&[("name=\"room_id\"", room.as_bytes()), ("name=\"file\"; filename=\"x.png\"", PNG)]);
    let call = async |token: &str, path: &str, body: Vec<u8>| {
        let request = Request::post(path).header("Authorization", format!("Bearer {token}"));
        let kind = format!("multipart/form-data; boundary={}", crate::BOUNDARY);
        app.wire.call(request.header("Content-Type", kind), body).await
    };
    let code = async |token: &str, path: &str, body: Vec<u8>| {
        let answer = call(token, path, body).await;
        (answer.status, answer.body["code"].clone())
    };
    assert_eq!(code("", UPLOAD, body.clone()).await, (401, json!("token_missing")));
    assert_eq!(
        code(&token_of("bert", "viewer", 1), UPLOAD, body.clone()).await,
        (403, json!("read_only_role"))
    );
    assert_eq!(code(&token_of("fritz", "user", 2), UPLOAD, body.clone()).await, (404, json!("not_found")));
    let rest = form(&[("name=\"file\"; filename=\"x.png\"", PNG)]);
    for unknown in ["!nowhere", "!a/b", "!a?b", "!a%2Fb", "\0", "!\0"] {
        let path = format!("{UPLOAD}?room_id={}", segment(unknown));
        let anna = token_of("anna", "user", 1);
        assert_eq!(code(&anna, &path, rest.clone()).await, (404, json!("not_found")), "{unknown}");
    }
    assert_eq!(app.messenger.homeserver.files(), 0);
    app.messenger.homeserver.fail_call(1, Failure::Unreachable);
    let away = app.wire.call(form_of("anna", UPLOAD), body.clone()).await;
    assert_eq!((away.status, &away.body["errors"]), (503, &Value::Null));
    // The same form with the same `txn_id` is the same message.
    let again = form(&[
        ("name=\"room_id\"", room.as_bytes()),
        ("name=\"txn_id\"", b"1"),
        ("name=\"file\"; filename=\"x.png\"", PNG),
    ]);
    let first = app.wire.call(form_of("anna", UPLOAD), again.clone()).await;
    let second = app.wire.call(form_of("anna", UPLOAD), again).await;
    assert_eq!(first.body["event_id"], second.body["event_id"]);
    let other = form(&[
        ("name=\"room_id\"", room.as_bytes()),
        ("name=\"txn_id\"", b"1"),
        ("name=\"file\"; filename=\"y.png\"", PNG),
    ]);
    let other = app.wire.call(form_of("anna", UPLOAD), other).await;
    assert_eq!((other.status, &other.body["code"]), (422, &json!("idempotency_mismatch")), "{}", other.body);
    assert_eq!(app.messenger.homeserver.messages(&app.room).len(), 1);
}
