//! Requests of the homeserver, on the wire.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use std::time::Duration;

use axum::http::{Request, request};
use messenger_appservice::routes;
use messenger_core::{
    event::{Audience, Kind},
    id::TenantId,
    user::Account,
};
use messenger_runtime::testing::{TestResponse, Wire};
use messenger_testkit::{TestMessenger, fixtures, messenger, sse::Reader};
use serde_json::{Value, json};

const TOKEN: &str = "the homeserver's token";

/// The routes in a test app, with the general room and mueller as its member.
struct TestApp {
    messenger: TestMessenger,
    wire: Wire,
    room: String,
}

impl TestApp {
    async fn new() -> Self {
        let messenger = messenger().build();
        let ports = messenger.memory.ports(&messenger.homeserver, &messenger.clock);
        let wire = Wire::configured(routes(), ports, &[("MATRIX_HS_TOKEN", TOKEN)]);
        messenger.caller("mueller", TenantId(1)).await;
        messenger.work().await;
        let sent = messenger.send(fixtures::draft("Willkommen"), Duration::from_secs(1)).await;
        messenger.reconcile().begin("worker").await.expect("reconciliation begins");
        let room = sent.notification.room.expect("a room").to_string();
        // The event follows the answer.
        let stored = async {
            while !messenger.memory.events().iter().any(|event| event.kind == Kind::NotificationSent) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), stored).await.expect("it is stored as sent");
        Self { messenger, wire, room }
    }

    /// Returns a message of mueller with these fields added or replaced.
    fn message(&self, id: &str, fields: &Value) -> Value {
        let mut event = json!({
            "type": "m.room.message", "event_id": id, "room_id": self.room, "sender": "@mueller:hub.local",
            "origin_server_ts": 1_767_250_800_123_i64, "content": { "msgtype": "m.text", "body": "Hallo" },
        });
        let fields = fields.as_object().expect("an object").clone();
        event.as_object_mut().expect("an object").extend(fields);
        event
    }

    async fn push(&self, transaction: &str, events: &[Value]) -> TestResponse {
        let body = json!({ "events": events, "ephemeral": [], "txn_id": transaction }).to_string();
        self.wire.call(put(transaction).header("Authorization", format!("Bearer {TOKEN}")), body).await
    }

    /// Returns the payloads of the published messages.
    fn published(&self) -> Vec<Value> {
        let events = self.messenger.memory.events();
        let messages = events.iter().filter(|event| event.kind == Kind::NewMessage);
        messages.map(|event| serde_json::from_str(&event.json()).expect("JSON")).collect()
    }
}

fn put(transaction: &str) -> request::Builder {
    Request::put(format!("/_matrix/app/v1/transactions/{transaction}"))
}

#[tokio::test]
async fn a_repeated_message_is_published_once() {
    let app = TestApp::new().await;
    let message = app.message("$1", &json!({}));
    insta::assert_json_snapshot!(app.push("1", &[message.clone(), message.clone()]).await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {}
    }
    "#);
    // The homeserver restarts its transaction ids after a restart, and repeats transactions whose response
    // was lost.
    for transaction in ["1", "2"] {
        assert_eq!(app.push(transaction, std::slice::from_ref(&message)).await.status, 200);
    }
    insta::assert_json_snapshot!(app.published(), @r#"
    [
      {
        "body": "Hallo",
        "event_id": "$1",
        "formatted_body": null,
        "id": 4,
        "mentions": {
          "hub_user_ids": [],
          "room": false
        },
        "msg_type": "m.text",
        "reply_to": null,
        "room_id": "!room1",
        "sender": "@mueller:hub.local",
        "sender_display_name": "mueller",
        "timestamp": "2026-01-01T07:00:00.123000Z",
        "type": "new_message"
      }
    ]
    "#);
}

#[tokio::test]
async fn a_reused_transaction_id_with_another_event_is_ingested() {
    let app = TestApp::new().await;
    for id in ["$1", "$2"] {
        assert_eq!(app.push("1", &[app.message(id, &json!({}))]).await.status, 200);
    }
    assert_eq!(app.published().len(), 2);
}

#[tokio::test]
async fn irrelevant_and_invalid_events_do_not_hold_up_the_others() {
    let app = TestApp::new().await;
    let edit = json!({
        "msgtype": "m.text", "body": "* Hallo", "m.relates_to": { "rel_type": "m.replace", "event_id": "$1" },
    });
    let invalid = [
        json!({ "room_id": "!elsewhere:other.example" }),
        json!({ "sender": "@messenger:hub.local" }),
        json!({ "type": "m.reaction" }),
        json!({ "type": "m.room.encrypted" }),
        json!({ "type": "m.room.member", "state_key": "@mueller:hub.local", "content": { "membership": "invite" } }),
        json!({ "type": "m.room.member", "content": { "membership": "join" } }),
        json!({ "type": "m.room.member", "state_key": "@stranger:other.example", "content": { "membership": "join" } }),
        json!({ "content": {} }),
        json!({ "content": edit }),
        json!({ "content": { "msgtype": "m.text", "body": 7 } }),
        json!({ "content": null }),
        json!({ "event_id": null }),
    ];
    let mut events: Vec<_> =
        invalid.iter().enumerate().map(|(n, fields)| app.message(&format!("$invalid{n}"), fields)).collect();
    events.extend([
        json!(null),
        json!("text"),
        json!({}),
        app.message("$good", &json!({ "unsigned": { "age": 7 } })),
    ]);
    let before = app.messenger.memory.events().len();
    assert_eq!(app.push("1", &events).await.status, 200);
    let published = app.published();
    assert_eq!(published.iter().map(|event| &event["event_id"]).collect::<Vec<_>>(), ["$good"]);
    assert_eq!(app.messenger.memory.events().len(), before + 2);
}

#[tokio::test]
async fn a_message_with_any_time_is_published() {
    let app = TestApp::new().await;
    let times = [json!(i64::MAX), json!(u64::MAX), json!(-1), json!(1.5e300), json!("soon"), json!(null)];
    let events = times.iter().enumerate();
    let events: Vec<_> =
        events.map(|(n, at)| app.message(&format!("${n}"), &json!({ "origin_server_ts": at }))).collect();
    assert_eq!(app.push("1", &events).await.status, 200);
    let published = app.published().into_iter();
    let timestamps: Vec<_> = published.map(|event| event["timestamp"].clone()).collect();
    let (first, last) = (json!("1970-01-01T00:00:00.000000Z"), json!("9999-12-30T22:00:00.000000Z"));
    assert_eq!(timestamps, [&last, &last, &first, &last, &first, &first].map(Clone::clone));
}

/// Synapse accepts up to 125 levels of nesting, also in the replacement that it bundles with a message.
#[tokio::test]
async fn a_deeply_nested_event_does_not_hold_up_the_others() {
    let app = TestApp::new().await;
    let deep = (0..123).fold(json!("deep"), |inner, _| json!({ "a": inner }));
    let content = |field: &str| json!({ "msgtype": "m.text", "body": "Hallo", field: deep });
    let edit = json!({ "sender": "@mueller:hub.local", "content": content("m.new_content") });
    let events = [
        app.message("$deep", &json!({ "content": { "msgtype": "m.text", "body": "x", "a": [[[deep]]] } })),
        app.message("$edited", &json!({ "unsigned": { "m.relations": { "m.replace": edit } } })),
        app.message("$good", &json!({})),
    ];
    assert_eq!(app.push("1", &events).await.status, 200);
    let published = app.published();
    let ids: Vec<_> = published.iter().map(|event| &event["event_id"]).collect();
    assert_eq!(ids, ["$deep", "$edited", "$good"]);
    let (status, typing) = push_ephemeral(&app, &json!({ "ephemeral": [[[[[deep]]]]] })).await;
    assert_eq!((status, typing), (200, Vec::new()));
}

#[tokio::test]
async fn nul_characters_are_removed_from_texts() {
    let app = TestApp::new().await;
    let content = json!({ "msgtype": "m.\u{0}text", "body": "a\u{0}b\u{0}" });
    assert_eq!(app.push("1", &[app.message("$1", &json!({ "content": content }))]).await.status, 200);
    let published = app.published();
    assert_eq!((&published[0]["body"], &published[0]["msg_type"]), (&json!("ab"), &json!("m.text")));
}

#[tokio::test]
async fn an_event_with_a_nul_in_an_id_is_skipped() {
    let app = TestApp::new().await;
    let nul = |field: &str| app.message("$1", &json!({ field: "a\u{0}b" }));
    assert_eq!(app.push("1", &[nul("event_id"), nul("room_id"), nul("sender")]).await.status, 200);
    assert_eq!(app.published(), [Value::Null; 0]);
}

#[tokio::test]
async fn a_user_of_another_server_is_named_by_the_full_id() {
    let app = TestApp::new().await;
    app.push("1", &[app.message("$1", &json!({ "sender": "@anna:other.example" }))]).await;
    assert_eq!(app.published()[0]["sender_display_name"], "@anna:other.example");
}

#[tokio::test]
async fn joins_and_leaves_are_published() {
    let app = TestApp::new().await;
    let schmidt = app.messenger.caller("schmidt", TenantId(1)).await.user;
    app.messenger.ports.users.record_account(&schmidt, Account::Ours, Duration::ZERO).await.expect("stored");
    let member = |id: &str, membership: &str| {
        let content = json!({ "membership": membership });
        app.message(
            id,
            &json!({ "type": "m.room.member", "state_key": "@schmidt:hub.local", "content": content }),
        )
    };
    let before = app.messenger.memory.events().len();
    assert_eq!(app.push("1", &[member("$1", "join"), member("$2", "leave")]).await.status, 200);
    let events: Vec<_> =
        app.messenger.memory.events()[before..].iter().map(messenger_core::event::Event::json).collect();
    insta::assert_snapshot!(events.join("\n"), @r#"
    {"id":4,"type":"room_joined","room":{"display_name":"Allgemein","encrypted":false,"entity_id":null,"entity_type":null,"last_message":"[inventory] Willkommen","last_message_ts":"2026-01-01T06:00:01.000000Z","matrix_room_id":"!room1","mention_count":0,"muted":false,"read_event_id":"$event1","room_type":"general","topic":null,"unread_count":0},"room_id":"!room1"}
    {"id":5,"type":"room_left","room":{"display_name":"Allgemein","encrypted":false,"entity_id":null,"entity_type":null,"last_message":"[inventory] Willkommen","last_message_ts":"2026-01-01T06:00:01.000000Z","matrix_room_id":"!room1","mention_count":0,"muted":false,"read_event_id":"$event1","room_type":"general","topic":null,"unread_count":0},"room_id":"!room1"}
    "#);
}

/// Pushes a transaction with these fields. Returns the status, and the `data` of the `typing` events that a
/// subscriber receives.
async fn push_ephemeral(app: &TestApp, fields: &Value) -> (u16, Vec<String>) {
    let mueller = app.messenger.caller("mueller", TenantId(1)).await;
    let _broker = app.messenger.run_broker();
    let mut stream = Reader::new(app.messenger.streams().subscribe(&mueller, None).await.expect("a stream"));
    let mut body = json!({ "events": [] });
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    let request = put("1").header("Authorization", format!("Bearer {TOKEN}"));
    let response = app.wire.call(request, body.to_string()).await;
    let events = stream.within(Duration::from_millis(200)).await;
    let typing = events.into_iter().filter(|event| event.kind() == "typing");
    (response.status, typing.map(|event| event.data).collect())
}

fn typing(room: &str, users: &[&str]) -> Value {
    json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": users } })
}

#[tokio::test]
async fn typing_sent_under_both_names_is_published_once() {
    let ephemeral = json!([
        { "type": "m.presence", "sender": "@mueller:hub.local", "content": { "presence": "online" } },
        typing("!room1", &["@mueller:hub.local"]),
        { "type": "m.receipt", "room_id": "!room1", "content": { "$1": { "m.read": {} } } },
    ]);
    let unstable = "de.sorunome.msc2409.ephemeral";
    for fields in [
        json!({ "ephemeral": ephemeral, unstable: ephemeral }),
        json!({ "ephemeral": ephemeral }),
        json!({ unstable: ephemeral }),
        json!({ "ephemeral": [], unstable: ephemeral }),
    ] {
        let app = TestApp::new().await;
        let before = app.messenger.memory.events();
        let (status, typing) = push_ephemeral(&app, &fields).await;
        assert_eq!(status, 200);
        insta::allow_duplicates! {
            insta::assert_snapshot!(typing.join("\n"), @r#"{"type":"typing","room_id":"!room1","users":[{"matrix_user_id":"@mueller:hub.local","hub_user_id":"mueller","display_name":"mueller"}],"timeout_ms":60000}"#);
        }
        assert_eq!(app.messenger.memory.events(), before, "ephemeral events are not stored");
    }
}

#[tokio::test]
async fn a_receipt_counts_for_a_message_of_the_same_transaction() {
    let app = TestApp::new().await;
    app.messenger.caller("meier", TenantId(1)).await;
    app.messenger.work().await;
    let receipt = |kind: &str| {
        let read = json!({ "$1": { kind: { "@meier:hub.local": { "ts": 1 } } } });
        json!({ "type": "m.receipt", "room_id": "!room1", "content": read })
    };
    // The message is in the same transaction, and the receipt is in the lists of both names.
    let ephemeral = json!([{ "type": "m.presence" }, receipt("m.read.private"), receipt("m.read")]);
    let body = json!({
        "events": [app.message("$1", &json!({}))], "ephemeral": ephemeral,
        "de.sorunome.msc2409.ephemeral": ephemeral,
    });
    let request = || put("1").header("Authorization", format!("Bearer {TOKEN}"));
    assert_eq!(app.wire.call(request(), body.to_string()).await.status, 200);
    let (room, meier) = (fixtures::room("!room1"), fixtures::user("meier"));
    assert_eq!(app.messenger.memory.unread(&room, &meier), 0);
    let (events, audience) = (app.messenger.memory.events(), Audience::User(TenantId(1), meier));
    let unread = events.iter().filter(|event| event.kind == Kind::Unread && event.audience == audience);
    assert_eq!(unread.count(), 1);
}

#[tokio::test]
async fn invalid_ephemeral_events_are_skipped() {
    let room = "!room1";
    let good = typing(room, &["@mueller:hub.local"]);
    for (ephemeral, is_published) in [
        (json!(null), false),
        (json!({}), false),
        (json!("text"), false),
        (
            json!([null, 7, "text", {}, [], { "type": "m.typing" }, typing("!elsewhere", &["@mueller:hub.local"])]),
            false,
        ),
        (json!([{ "type": "m.typing", "room_id": room, "content": { "user_ids": [7] } }, good]), true),
        (json!([{ "type": "m.typing", "room_id": 7, "content": { "user_ids": [] } }, good]), true),
        (json!([{ "type": "m.typing", "room_id": "!a\u{0}b", "content": { "user_ids": [] } }, good]), true),
    ] {
        let app = TestApp::new().await;
        let message = app.message("$1", &json!({}));
        let fields = json!({ "events": [message], "ephemeral": ephemeral });
        let (status, typing) = push_ephemeral(&app, &fields).await;
        assert_eq!((status, typing.len()), (200, usize::from(is_published)), "{ephemeral}");
        assert_eq!(app.published().len(), 1, "the room event is ingested");
    }
}

#[tokio::test]
async fn a_failed_ephemeral_event_does_not_fail_the_transaction() {
    let app = TestApp::new().await;
    app.messenger.memory.switch_off();
    let read = json!({ "$1": { "m.read": { "@mueller:hub.local": {} } } });
    let read = json!({ "type": "m.receipt", "room_id": "!room1", "content": read });
    let body = json!({ "events": [], "ephemeral": [typing("!room1", &["@mueller:hub.local"]), read] });
    let request = put("1").header("Authorization", format!("Bearer {TOKEN}"));
    assert_eq!(app.wire.call(request, body.to_string()).await.status, 200);
}

#[tokio::test]
async fn the_token_is_accepted_in_the_header_or_the_query() {
    let app = TestApp::new().await;
    let empty = "{\"events\":[]}";
    let in_query = put("1?access_token=the%20homeserver%27s+token");
    assert_eq!(app.wire.call(in_query, empty).await.status, 200);
    // The case of a scheme does not matter (RFC 9110, section 11.1).
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let in_header = put("2").header("Authorization", format!("{scheme} {TOKEN}"));
        assert_eq!(app.wire.call(in_header, empty).await.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn a_caller_without_the_token_is_refused() {
    let app = TestApp::new().await;
    let body = json!({ "events": [app.message("$1", &json!({}))] }).to_string();
    insta::assert_json_snapshot!(app.wire.call(put("1"), body.clone()).await, @r#"
    {
      "status": 401,
      "headers": {
        "content-type": "application/problem+json",
        "www-authenticate": "Bearer"
      },
      "body": {
        "code": "hs_token_missing",
        "detail": "the homeserver's token is missing",
        "request_id": "[that of the header]",
        "status": 401,
        "title": "Unauthorized",
        "type": "urn:messenger-service:problem:hs_token_missing"
      }
    }
    "#);
    let wrong = put("1").header("Authorization", "Bearer wrong");
    insta::assert_json_snapshot!(app.wire.call(wrong, body.clone()).await, @r#"
    {
      "status": 403,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "hs_token_wrong",
        "detail": "the homeserver's token is wrong: it must be MATRIX_HS_TOKEN",
        "request_id": "[that of the header]",
        "status": 403,
        "title": "Forbidden",
        "type": "urn:messenger-service:problem:hs_token_wrong"
      }
    }
    "#);
    for request in [
        put("1?access_token=wrong"),
        put("1").header("Authorization", format!("Bearer {TOKEN}x")),
        put(&format!("1?access_token={}", "the%20homeserver%27s+token"))
            .header("Authorization", "Bearer wrong"),
    ] {
        assert_eq!(app.wire.call(request, body.clone()).await.status, 403);
    }
    for path in ["/_matrix/app/v1/users/@x:hub.local", "/_matrix/app/v1/rooms/%23x:hub.local"] {
        assert_eq!(app.wire.ask(Request::get(path)).await.status, 401);
    }
    assert_eq!(app.wire.ask(Request::post("/_matrix/app/v1/ping")).await.status, 401);
    assert_eq!(app.published(), [Value::Null; 0]);
}

#[tokio::test]
async fn an_invalid_transaction_is_422() {
    let app = TestApp::new().await;
    let put = || put("1").header("Authorization", format!("Bearer {TOKEN}"));
    insta::assert_json_snapshot!(app.wire.call(put(), "{\"events\": [").await, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "invalid_json",
        "detail": "EOF while parsing a list at line 1 column 12",
        "errors": [
          {
            "message": "EOF while parsing a list at line 1 column 12",
            "pointer": ""
          }
        ],
        "request_id": "[that of the header]",
        "status": 422,
        "title": "Unprocessable Entity",
        "type": "urn:messenger-service:problem:invalid_json"
      }
    }
    "#);
    for body in ["", "{}", "[]", "{\"events\": {}}"] {
        let response = app.wire.call(put(), body).await;
        assert_eq!((response.status, &response.body["code"]), (422, &json!("invalid_json")), "{body}");
    }
    assert_eq!(
        app.wire.ask(Request::get("/_matrix/app/v1/transactions/1")).await.all_headers["allow"],
        "PUT"
    );
}

#[tokio::test]
async fn a_transaction_may_be_larger_than_other_requests() {
    let app = TestApp::new().await;
    let long = json!({ "content": { "msgtype": "m.text", "body": "x".repeat(60_000) } });
    let events: Vec<_> = (0..100).map(|n| app.message(&format!("${n}"), &long)).collect();
    assert_eq!(app.push("1", &events).await.status, 200);
    assert_eq!(app.published().len(), 100);
    let too_much = put("2").header("Authorization", format!("Bearer {TOKEN}"));
    let response = app.wire.call(too_much, vec![b' '; (16 << 20) + 1]).await;
    assert_eq!((response.status, &response.body["code"]), (413, &json!("body_too_large")));
}

#[tokio::test]
async fn without_the_database_the_homeserver_gets_503_and_can_repeat() {
    let app = TestApp::new().await;
    let message = app.message("$1", &json!({}));
    app.messenger.memory.switch_off();
    let response = app.push("1", std::slice::from_ref(&message)).await;
    assert_eq!((response.status, &response.body["code"]), (503, &json!("database_unavailable")));
    app.messenger.memory.switch_on();
    assert_eq!(app.push("1", &[message]).await.status, 200);
    assert_eq!(app.published().len(), 1);
}

#[tokio::test]
async fn pings_and_queries_are_answered() {
    let app = TestApp::new().await;
    let with_token = |request: request::Builder| request.header("Authorization", format!("Bearer {TOKEN}"));
    let ping = Request::post("/_matrix/app/v1/ping");
    let ping = app.wire.call(with_token(ping), "{\"transaction_id\":\"t\"}").await;
    assert_eq!((ping.status, ping.body), (200, json!({})));
    let user = Request::get("/_matrix/app/v1/users/@mueller:hub.local");
    insta::assert_json_snapshot!(app.wire.ask(with_token(user)).await, @r#"
    {
      "status": 404,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "not_found",
        "detail": "account or room not found",
        "request_id": "[that of the header]",
        "status": 404,
        "title": "Not Found",
        "type": "urn:messenger-service:problem:not_found"
      }
    }
    "#);
    let room = Request::get("/_matrix/app/v1/rooms/%23allgemein:hub.local");
    assert_eq!(app.wire.ask(with_token(room)).await.status, 404);
}

/// An error would make the homeserver repeat the transaction for ever.
#[tokio::test]
async fn malformed_json_in_one_event_does_not_hold_up_the_others() {
    let app = TestApp::new().await;
    let put = |n: usize| put(&n.to_string()).header("Authorization", format!("Bearer {TOKEN}"));
    let event = |n: usize, content: &str| {
        app.message(&format!("${n}"), &json!({ "content": "@" })).to_string().replace("\"@\"", content)
    };
    let deep = "[".repeat(50_000) + &"]".repeat(50_000);
    let contents = [
        r#"{"msgtype": "m.text", "body": "cut \ud83d"}"#,
        r#"{"msgtype": "m.text", "body": "b", "n": 1e400, "\udc00": 1}"#,
        &format!(r#"{{"msgtype": "m.text", "body": "c", "deep": {deep}}}"#),
        "1e400",
        r#"{"msgtype": "m.text", "body": "last"}"#,
    ];
    let events: Vec<_> = contents.iter().enumerate().map(|(n, content)| event(n, content)).collect();
    let body = format!("\u{feff}{{\"events\": [{}], \"\\ud83d\": 1e400}}", events.join(","));
    assert_eq!(app.wire.call(put(1), body).await.status, 200);
    let latin = event(7, r#"{"msgtype": "m.text", "body": "@"}"#).replace('@', "\u{1}");
    let latin = format!("{{\"events\": [{latin}], \"events\": [{latin}, {}]}}", event(8, contents[4]));
    let latin: Vec<u8> = latin.bytes().map(|byte| if byte == 1 { 0xe4 } else { byte }).collect();
    assert_eq!(app.wire.call(put(2), latin).await.status, 200);
    let bodies: Vec<_> = app.published().iter().map(|event| event["body"].clone()).collect();
    assert_eq!(bodies, ["cut \u{fffd}", "b", "c", "last", "\u{fffd}", "last"]);
}

#[tokio::test]
async fn wrong_tokens_of_an_address_are_limited_and_the_right_one_is_not() {
    let messenger = messenger().build();
    let ports = messenger.memory.ports(&messenger.homeserver, &messenger.clock);
    let variables = [("MATRIX_HS_TOKEN", TOKEN), ("LIMIT_FAILURES_PER_ADDRESS", "2")];
    let wire = Wire::configured(routes(), ports, &variables);
    let call = async |token: &str| {
        let request = put("1").header("Authorization", format!("Bearer {token}"));
        wire.call(request, json!({ "events": [] }).to_string()).await.status
    };
    assert_eq!([call("a").await, call("b").await, call("c").await, call(TOKEN).await], [403, 403, 429, 200]);
}
