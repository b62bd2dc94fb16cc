//! Tolerance of JSON: a body with one clear meaning is accepted, and a field without one is named.

use axum::http::Request;
use messenger_runtime::testing::SERVICE_TOKEN;
use serde_json::{Value, json};

use crate::{notification, post, send, test_app};

/// Returns a notification with this text as the value of a field.
fn with(field: &str, value: &str) -> String {
    let body = notification(&json!({ field: "@" })).to_string();
    body.replace("\"@\"", value)
}

#[tokio::test]
async fn half_of_a_surrogate_pair_in_a_text_is_replaced() {
    let (messenger, wire) = test_app();
    for (field, value, read) in [
        ("title", r#""cut \ud83d""#, "cut \u{fffd}"),
        ("body", r#""\ude00 \ud83d\ude00""#, "\u{fffd} 😀"),
        ("source_app", r#""app \uD83D""#, "app \u{fffd}"),
    ] {
        let answer = wire.call(post(""), with(field, value)).await;
        assert_eq!((answer.status, &answer.body[field]), (201, &json!(read)), "{field}");
    }
    assert!(messenger.homeserver.all_bodies()[0].contains("cut \u{fffd}"));
    let unread = wire.call(post(""), with("note", r#"["\ud83d", {"\udc00": 1}]"#)).await;
    assert_eq!(unread.body["warnings"], json!(["the field `note` is unknown and was ignored"]));
}

/// With U+FFFD it would be the id of another user, or of none.
#[tokio::test]
async fn half_of_a_surrogate_pair_in_an_id_is_refused() {
    let (_messenger, wire) = test_app();
    let body = with("target_user", r#""m\ud83d""#).replace('{', r#"{"target_type": "dm", "#);
    let answer = wire.call(post(""), body).await;
    assert_eq!((answer.status, &answer.body["errors"][0]["pointer"]), (422, &json!("/target_user")));
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped() {
    let (_messenger, wire) = test_app();
    let body = [b"\xef\xbb\xbf", notification(&json!({})).to_string().as_bytes()].concat();
    assert_eq!(wire.call(post(""), body).await.status, 201);
}

#[tokio::test]
async fn an_unknown_field_may_hold_any_json() {
    let (_messenger, wire) = test_app();
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    for value in ["1e400", "-1e999", "123456789012345678901234567890", &deep, r#"{"a": {"a": 1e400}}"#] {
        let answer = wire.call(post(""), with("details", value)).await;
        assert_eq!(answer.status, 201, "{} {}", &value[..value.len().min(40)], answer.body);
        assert_eq!(answer.body["warnings"], json!(["the field `details` is unknown and was ignored"]));
    }
    // A known field with it is named.
    for (field, value) in [("title", "1e400"), ("body", &*deep), ("priority", "-0"), ("tenant_id", "1e400")] {
        let answer = wire.call(post(""), with(field, value)).await;
        let pointer = &answer.body["errors"][0]["pointer"];
        assert_eq!((answer.status, pointer), (422, &json!(format!("/{field}"))), "{field}");
    }
}

#[tokio::test]
async fn a_whole_number_may_have_any_notation() {
    let (_messenger, wire) = test_app();
    let entity = |id: &str| {
        with("entity_id", id).replacen('{', r#"{"target_type": "entity_room", "entity_type": "machine", "#, 1)
    };
    for (id, number) in
        [("42.0", 42), ("1e3", 1000), ("-0", 0), ("4.2e1", 42), ("9223372036854775807.0", i64::MAX)]
    {
        let answer = wire.call(post(""), entity(id)).await;
        assert_eq!((answer.status, &answer.body["entity_id"]), (201, &json!(number)), "{id}");
    }
    for id in ["42.5", "1e-1", "9223372036854775808", "1e19", "1e400", "true", "[42]", "{}"] {
        let answer = wire.call(post(""), entity(id)).await;
        assert_eq!(answer.status, 422, "{id}");
        let problem = json!({ "pointer": "/entity_id", "message": "must be a whole number of at most 64 bits, or text" });
        assert_eq!(answer.body["errors"][0], problem, "{id}");
    }
    assert_eq!(wire.call(post(""), with("tenant_id", "1.0")).await.status, 201);
}

#[tokio::test]
async fn of_two_fields_with_one_name_the_last_counts() {
    let (_messenger, wire) = test_app();
    let body = notification(&json!({})).to_string().replacen('{', r#"{"title": "erster", "#, 1);
    let answer = wire.call(post(""), body).await;
    assert_eq!((answer.status, &answer.body["title"]), (201, &json!("Maschine gestoppt")));
}

#[tokio::test]
async fn another_encoding_is_named_with_its_field_if_possible() {
    let (_messenger, wire) = test_app();
    let text = notification(&json!({ "title": "Störung", "body": "ä" })).to_string();
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf32: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let marked = [&b"\xff\xfe"[..], &utf16].concat();
    let mut lines = Vec::new();
    for (content_type, body) in [
        ("application/json", latin.clone()),
        ("application/json; charset=ISO-8859-1", latin),
        ("application/json", b"{\"\xe4\": 1".to_vec()),
        ("application/json", utf16),
        ("application/json", marked),
        ("application/json", utf32),
    ] {
        let request = Request::post("/api/v1/notifications/send").header("X-Service-Token", SERVICE_TOKEN);
        let answer = wire.call(request.header("Content-Type", content_type), body).await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!("invalid_json")));
        lines.push(answer.body["detail"].as_str().unwrap_or_default().to_owned());
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    body: is not UTF-8 (it looks like ISO-8859-1 or Windows-1252): JSON is always UTF-8; title: is not UTF-8 (it looks like ISO-8859-1 or Windows-1252): JSON is always UTF-8
    body: is not UTF-8 (`Content-Type` says `iso-8859-1`): JSON is always UTF-8; title: is not UTF-8 (`Content-Type` says `iso-8859-1`): JSON is always UTF-8
    the body is not UTF-8 (it looks like ISO-8859-1 or Windows-1252): JSON is always UTF-8
    the body is UTF-16: JSON is always UTF-8
    the body is UTF-16: JSON is always UTF-8
    the body is UTF-32: JSON is always UTF-8
    ");
    // The parameter has no meaning for JSON (RFC 8259, section 11).
    let request = Request::post("/api/v1/notifications/send").header("X-Service-Token", SERVICE_TOKEN);
    let answer = wire.call(request.header("Content-Type", "application/json; charset=latin1"), text).await;
    assert_eq!((answer.status, &answer.body["title"]), (201, &json!("Störung")));
}

#[tokio::test]
async fn a_compressed_body_is_415_with_its_own_code() {
    let (_messenger, wire) = test_app();
    let body = notification(&json!({})).to_string();
    insta::assert_json_snapshot!(wire.call(post("").header("Content-Encoding", "gzip"), body.clone()).await, @r#"
    {
      "status": 415,
      "headers": {
        "accept-encoding": "identity",
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "unsupported_content_encoding",
        "detail": "the body is encoded as `gzip`, which is not accepted: send it as it is, without `Content-Encoding`",
        "request_id": "[that of the header]",
        "status": 415,
        "title": "Unsupported Media Type",
        "type": "urn:messenger-service:problem:unsupported_content_encoding"
      }
    }
    "#);
    for encoding in ["deflate", "br", "identity, gzip", "x"] {
        let answer = wire.call(post("").header("Content-Encoding", encoding), body.clone()).await;
        assert_eq!(answer.status, 415, "{encoding}");
    }
    for encoding in ["identity", "Identity", ""] {
        let answer = wire.call(post("").header("Content-Encoding", encoding), body.clone()).await;
        assert_eq!(answer.status, 201, "{encoding}");
    }
}

/// The examples of the integration document, verbatim.
#[tokio::test]
async fn the_examples_of_the_integration_document_are_accepted() {
    let (_messenger, wire) = test_app();
    for example in [
        json!({ "body": "Maschine CNC-01 hat einen Fehler gemeldet.", "target_type": "general", "entity_type": null, "entity_id": null, "target_user": null, "priority": "normal" }),
        json!({ "body": "Am 05.02. von 18:00-20:00 Uhr.", "target_type": "general" }),
        json!({ "target_type": "entity_room", "entity_type": "production_order", "entity_id": 1234 }),
        json!({ "target_type": "dm", "target_user": "mueller" }),
    ] {
        let answer = send(&wire, &example).await;
        assert_eq!((answer.status, &answer.body["warnings"]), (201, &Value::Array(Vec::new())), "{example}");
    }
}
