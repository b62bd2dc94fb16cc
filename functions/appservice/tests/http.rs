//! What the homeserver tells us, on the wire.
#![expect(clippy::expect_used, reason = "what a test needs and does not get fails it")]

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

/// The door, and a room of ours: the general room, with mueller in it.
struct Stand {
    messenger: TestMessenger,
    wire: Wire,
    room: String,
}

impl Stand {
    async fn new() -> Self {
        let messenger = messenger().build();
        let ports = messenger.memory.ports(&messenger.homeserver, &messenger.clock);
        let wire = Wire::configured(routes(), ports, &[("MATRIX_HS_TOKEN", TOKEN)]);
        messenger.caller("mueller", TenantId(1)).await;
        messenger.work().await;
        let answer = messenger.send(fixtures::draft("Willkommen"), Duration::from_secs(1)).await;
        messenger.reconcile().begin("worker").await.expect("everything before is read");
        let room = answer.notification.room.expect("a room").to_string();
        Self { messenger, wire, room }
    }

    /// A message of mueller with these fields, which may be any.
    fn message(&self, id: &str, fields: &Value) -> Value {
        let mut event = json!({
            "type": "m.room.message", "event_id": id, "room_id": self.room, "sender": "@mueller:hub.local",
            "origin_server_ts": 1_767_250_800_123_i64, "content": { "msgtype": "m.text", "body": "Hallo" },
        });
        let fields = fields.as_object().expect("an object").clone();
        event.as_object_mut().expect("an object").extend(fields);
        event
    }

    async fn tell(&self, transaction: &str, events: &[Value]) -> TestResponse {
        let body = json!({ "events": events, "ephemeral": [], "txn_id": transaction }).to_string();
        self.wire.call(put(transaction).header("Authorization", format!("Bearer {TOKEN}")), body).await
    }

    /// What people in rooms are told.
    fn told(&self) -> Vec<Value> {
        let events = self.messenger.memory.events();
        let messages = events.iter().filter(|event| event.kind == Kind::NewMessage);
        messages.map(|event| serde_json::from_str(&event.json()).expect("JSON")).collect()
    }
}

fn put(transaction: &str) -> request::Builder {
    Request::put(format!("/_matrix/app/v1/transactions/{transaction}"))
}

#[tokio::test]
async fn a_message_of_our_room_is_told_once_however_often_it_comes() {
    let stand = Stand::new().await;
    let message = stand.message("$1", &json!({}));
    insta::assert_json_snapshot!(stand.tell("1", &[message.clone(), message.clone()]).await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {}
    }
    "#);
    // The homeserver counts its transactions anew after a restart, and repeats them when an answer is lost.
    for transaction in ["1", "2"] {
        assert_eq!(stand.tell(transaction, std::slice::from_ref(&message)).await.status, 200);
    }
    insta::assert_json_snapshot!(stand.told(), @r#"
    [
      {
        "body": "Hallo",
        "event_id": "$1",
        "id": 3,
        "msg_type": "m.text",
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
async fn the_same_transaction_id_with_another_event_is_another_transaction() {
    let stand = Stand::new().await;
    for id in ["$1", "$2"] {
        assert_eq!(stand.tell("1", &[stand.message(id, &json!({}))]).await.status, 200);
    }
    assert_eq!(stand.told().len(), 2);
}

#[tokio::test]
async fn what_is_none_of_ours_is_passed_over_and_does_not_hold_up_the_rest() {
    let stand = Stand::new().await;
    let edit = json!({
        "msgtype": "m.text", "body": "* Hallo", "m.relates_to": { "rel_type": "m.replace", "event_id": "$1" },
    });
    let strange = [
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
    let mut events: Vec<_> = strange
        .iter()
        .enumerate()
        .map(|(n, fields)| stand.message(&format!("$strange{n}"), fields))
        .collect();
    events.extend([
        json!(null),
        json!("text"),
        json!({}),
        stand.message("$good", &json!({ "unsigned": { "age": 7 } })),
    ]);
    let before = stand.messenger.memory.events().len();
    assert_eq!(stand.tell("1", &events).await.status, 200);
    let told = stand.told();
    assert_eq!(told.iter().map(|event| &event["event_id"]).collect::<Vec<_>>(), ["$good"]);
    assert_eq!(stand.messenger.memory.events().len(), before + 2);
}

#[tokio::test]
async fn a_message_is_told_whatever_its_time_is() {
    let stand = Stand::new().await;
    let times = [json!(i64::MAX), json!(u64::MAX), json!(-1), json!(1.5e300), json!("soon"), json!(null)];
    let events = times.iter().enumerate();
    let events: Vec<_> =
        events.map(|(n, at)| stand.message(&format!("${n}"), &json!({ "origin_server_ts": at }))).collect();
    assert_eq!(stand.tell("1", &events).await.status, 200);
    let told: Vec<_> = stand.told().into_iter().map(|event| event["timestamp"].clone()).collect();
    let (first, last) = (json!("1970-01-01T00:00:00.000000Z"), json!("9999-12-30T22:00:00.000000Z"));
    assert_eq!(told, [&last, &last, &first, &last, &first, &first].map(Clone::clone));
}

/// Synapse takes events with up to 125 levels. They stand beside others, also in those that they replace.
#[tokio::test]
async fn an_event_that_is_nested_too_deeply_does_not_hold_up_the_rest() {
    let stand = Stand::new().await;
    let deep = (0..123).fold(json!("deep"), |inner, _| json!({ "a": inner }));
    let said = |more: &str| json!({ "msgtype": "m.text", "body": "Hallo", more: deep });
    let edit = json!({ "sender": "@mueller:hub.local", "content": said("m.new_content") });
    let events = [
        stand.message("$deep", &json!({ "content": { "msgtype": "m.text", "body": "x", "a": [[[deep]]] } })),
        stand.message("$edited", &json!({ "unsigned": { "m.relations": { "m.replace": edit } } })),
        stand.message("$good", &json!({})),
    ];
    assert_eq!(stand.tell("1", &events).await.status, 200);
    let told = stand.told();
    let told: Vec<_> = told.iter().map(|event| &event["event_id"]).collect();
    assert_eq!(told, ["$deep", "$edited", "$good"]);
    let (status, typing) = told_in_passing(&stand, &json!({ "ephemeral": [[[[[deep]]]]] })).await;
    assert_eq!((status, typing), (200, Vec::new()));
}

#[tokio::test]
async fn what_a_database_cannot_store_is_taken_out() {
    let stand = Stand::new().await;
    let content = json!({ "msgtype": "m.\u{0}text", "body": "a\u{0}b\u{0}" });
    assert_eq!(stand.tell("1", &[stand.message("$1", &json!({ "content": content }))]).await.status, 200);
    let told = stand.told();
    assert_eq!((&told[0]["body"], &told[0]["msg_type"]), (&json!("ab"), &json!("m.text")));
}

#[tokio::test]
async fn an_id_that_no_database_can_store_is_passed_over() {
    let stand = Stand::new().await;
    let nul = |field: &str| stand.message("$1", &json!({ field: "a\u{0}b" }));
    assert_eq!(stand.tell("1", &[nul("event_id"), nul("room_id"), nul("sender")]).await.status, 200);
    assert_eq!(stand.told(), [Value::Null; 0]);
}

#[tokio::test]
async fn somebody_of_another_server_is_named_by_their_whole_id() {
    let stand = Stand::new().await;
    stand.tell("1", &[stand.message("$1", &json!({ "sender": "@anna:other.example" }))]).await;
    assert_eq!(stand.told()[0]["sender_display_name"], "@anna:other.example");
}

#[tokio::test]
async fn who_comes_and_goes_is_told() {
    let stand = Stand::new().await;
    let schmidt = stand.messenger.caller("schmidt", TenantId(1)).await.user;
    stand
        .messenger
        .ports
        .users
        .record_account(&schmidt, Account::Ours, Duration::ZERO)
        .await
        .expect("stored");
    let member = |id: &str, membership: &str| {
        let content = json!({ "membership": membership });
        stand.message(
            id,
            &json!({ "type": "m.room.member", "state_key": "@schmidt:hub.local", "content": content }),
        )
    };
    let before = stand.messenger.memory.events().len();
    assert_eq!(stand.tell("1", &[member("$1", "join"), member("$2", "leave")]).await.status, 200);
    let events: Vec<_> =
        stand.messenger.memory.events()[before..].iter().map(messenger_core::event::Event::json).collect();
    insta::assert_snapshot!(events.join("\n"), @r#"
    {"id":3,"type":"room_joined","room":{"display_name":"Allgemein","encrypted":false,"entity_id":null,"entity_type":null,"last_message":"[inventory] Willkommen","last_message_ts":"2026-01-01T06:00:01.000000Z","matrix_room_id":"!room1","room_type":"general","topic":null,"unread_count":0},"room_id":"!room1"}
    {"id":4,"type":"room_left","room":{"display_name":"Allgemein","encrypted":false,"entity_id":null,"entity_type":null,"last_message":"[inventory] Willkommen","last_message_ts":"2026-01-01T06:00:01.000000Z","matrix_room_id":"!room1","room_type":"general","topic":null,"unread_count":0},"room_id":"!room1"}
    "#);
}

/// Tells a transaction with these fields beside its events. Returns the status, and the `data:` of what people who
/// listen are told of it.
async fn told_in_passing(stand: &Stand, fields: &Value) -> (u16, Vec<String>) {
    let mueller = stand.messenger.caller("mueller", TenantId(1)).await;
    let _broker = stand.messenger.run_broker();
    let mut stream =
        Reader::new(stand.messenger.streams().subscribe(&mueller, None).await.expect("a stream"));
    let mut body = json!({ "events": [] });
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    let request = put("1").header("Authorization", format!("Bearer {TOKEN}"));
    let answer = stand.wire.call(request, body.to_string()).await;
    let events = stream.within(Duration::from_millis(200)).await;
    let told = events.into_iter().filter(|event| event.kind() == "typing");
    (answer.status, told.map(|event| event.data).collect())
}

fn typing(room: &str, users: &[&str]) -> Value {
    json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": users } })
}

#[tokio::test]
async fn who_types_is_told_once_though_it_is_said_under_two_names() {
    let said = json!([
        { "type": "m.presence", "sender": "@mueller:hub.local", "content": { "presence": "online" } },
        typing("!room1", &["@mueller:hub.local"]),
        { "type": "m.receipt", "room_id": "!room1", "content": { "$1": { "m.read": {} } } },
    ]);
    let unstable = "de.sorunome.msc2409.ephemeral";
    for fields in [
        json!({ "ephemeral": said, unstable: said }),
        json!({ "ephemeral": said }),
        json!({ unstable: said }),
        json!({ "ephemeral": [], unstable: said }),
    ] {
        let stand = Stand::new().await;
        let before = stand.messenger.memory.events();
        let (status, told) = told_in_passing(&stand, &fields).await;
        assert_eq!(status, 200);
        insta::allow_duplicates! {
            insta::assert_snapshot!(told.join("\n"), @r#"{"type":"typing","room_id":"!room1","users":[{"matrix_user_id":"@mueller:hub.local","hub_user_id":"mueller","display_name":"mueller"}],"timeout_ms":60000}"#);
        }
        assert_eq!(stand.messenger.memory.events(), before, "nothing of it is kept");
    }
}

#[tokio::test]
async fn what_is_read_elsewhere_is_read_here_once_its_message_is_known() {
    let stand = Stand::new().await;
    stand.messenger.caller("meier", TenantId(1)).await;
    stand.messenger.work().await;
    let receipt = |kind: &str| {
        let read = json!({ "$1": { kind: { "@meier:hub.local": { "ts": 1 } } } });
        json!({ "type": "m.receipt", "room_id": "!room1", "content": read })
    };
    // The message in the same transaction, and the same receipt under both names of the list.
    let said = json!([{ "type": "m.presence" }, receipt("m.read.private"), receipt("m.read")]);
    let body = json!({
        "events": [stand.message("$1", &json!({}))], "ephemeral": said, "de.sorunome.msc2409.ephemeral": said,
    });
    let request = || put("1").header("Authorization", format!("Bearer {TOKEN}"));
    assert_eq!(stand.wire.call(request(), body.to_string()).await.status, 200);
    let (room, meier) = (fixtures::room("!room1"), fixtures::user("meier"));
    assert_eq!(stand.messenger.memory.unread(&room, &meier), 0);
    let (events, audience) = (stand.messenger.memory.events(), Audience::User(TenantId(1), meier));
    let unread = events.iter().filter(|event| event.kind == Kind::Unread && event.audience == audience);
    assert_eq!(unread.count(), 1);
}

#[tokio::test]
async fn what_is_strange_in_passing_is_passed_over() {
    let room = "!room1";
    let good = typing(room, &["@mueller:hub.local"]);
    for (strange, is_told) in [
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
        let stand = Stand::new().await;
        let message = stand.message("$1", &json!({}));
        let (status, told) =
            told_in_passing(&stand, &json!({ "events": [message], "ephemeral": strange })).await;
        assert_eq!((status, told.len()), (200, usize::from(is_told)), "{strange}");
        assert_eq!(stand.told().len(), 1, "it does not hold up the rest");
    }
}

#[tokio::test]
async fn nothing_ephemeral_makes_the_homeserver_come_again() {
    let stand = Stand::new().await;
    stand.messenger.memory.switch_off();
    let read = json!({ "$1": { "m.read": { "@mueller:hub.local": {} } } });
    let read = json!({ "type": "m.receipt", "room_id": "!room1", "content": read });
    let body = json!({ "events": [], "ephemeral": [typing("!room1", &["@mueller:hub.local"]), read] });
    let request = put("1").header("Authorization", format!("Bearer {TOKEN}"));
    assert_eq!(stand.wire.call(request, body.to_string()).await.status, 200);
}

#[tokio::test]
async fn the_token_may_stand_in_the_header_or_in_the_query() {
    let stand = Stand::new().await;
    let empty = "{\"events\":[]}";
    let in_query = put("1?access_token=the%20homeserver%27s+token");
    assert_eq!(stand.wire.call(in_query, empty).await.status, 200);
    let in_header = put("2").header("Authorization", format!("Bearer {TOKEN}"));
    assert_eq!(stand.wire.call(in_header, empty).await.status, 200);
}

#[tokio::test]
async fn nobody_else_can_tell_us_anything() {
    let stand = Stand::new().await;
    let body = json!({ "events": [stand.message("$1", &json!({}))] }).to_string();
    insta::assert_json_snapshot!(stand.wire.call(put("1"), body.clone()).await, @r#"
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
    insta::assert_json_snapshot!(stand.wire.call(wrong, body.clone()).await, @r#"
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
        assert_eq!(stand.wire.call(request, body.clone()).await.status, 403);
    }
    for path in ["/_matrix/app/v1/users/@x:hub.local", "/_matrix/app/v1/rooms/%23x:hub.local"] {
        assert_eq!(stand.wire.ask(Request::get(path)).await.status, 401);
    }
    assert_eq!(stand.wire.ask(Request::post("/_matrix/app/v1/ping")).await.status, 401);
    assert_eq!(stand.told(), [Value::Null; 0]);
}

#[tokio::test]
async fn what_is_no_transaction_is_422() {
    let stand = Stand::new().await;
    let put = || put("1").header("Authorization", format!("Bearer {TOKEN}"));
    insta::assert_json_snapshot!(stand.wire.call(put(), "{\"events\": [").await, @r#"
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
        let answer = stand.wire.call(put(), body).await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!("invalid_json")), "{body}");
    }
    assert_eq!(
        stand.wire.ask(Request::get("/_matrix/app/v1/transactions/1")).await.all_headers["allow"],
        "PUT"
    );
}

#[tokio::test]
async fn a_transaction_may_be_larger_than_other_requests() {
    let stand = Stand::new().await;
    let long = json!({ "content": { "msgtype": "m.text", "body": "x".repeat(60_000) } });
    let events: Vec<_> = (0..100).map(|n| stand.message(&format!("${n}"), &long)).collect();
    assert_eq!(stand.tell("1", &events).await.status, 200);
    assert_eq!(stand.told().len(), 100);
    let too_much = put("2").header("Authorization", format!("Bearer {TOKEN}"));
    let answer = stand.wire.call(too_much, vec![b' '; (16 << 20) + 1]).await;
    assert_eq!((answer.status, &answer.body["code"]), (413, &json!("body_too_large")));
}

#[tokio::test]
async fn without_the_database_the_homeserver_is_asked_to_come_again() {
    let stand = Stand::new().await;
    let message = stand.message("$1", &json!({}));
    stand.messenger.memory.switch_off();
    let answer = stand.tell("1", std::slice::from_ref(&message)).await;
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("database_unavailable")));
    stand.messenger.memory.switch_on();
    assert_eq!(stand.tell("1", &[message]).await.status, 200);
    assert_eq!(stand.told().len(), 1);
}

#[tokio::test]
async fn the_homeservers_questions_are_answered() {
    let stand = Stand::new().await;
    let with_token = |request: request::Builder| request.header("Authorization", format!("Bearer {TOKEN}"));
    let ping = Request::post("/_matrix/app/v1/ping");
    let ping = stand.wire.call(with_token(ping), "{\"transaction_id\":\"t\"}").await;
    assert_eq!((ping.status, ping.body), (200, json!({})));
    let user = Request::get("/_matrix/app/v1/users/@mueller:hub.local");
    insta::assert_json_snapshot!(stand.wire.ask(with_token(user)).await, @r#"
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
    assert_eq!(stand.wire.ask(with_token(room)).await.status, 404);
}

/// However odd one event is, the homeserver is not asked to repeat the transaction, and the others count.
#[tokio::test]
async fn json_as_no_server_should_write_it_costs_no_event_that_can_be_read() {
    let stand = Stand::new().await;
    let put = |n: usize| put(&n.to_string()).header("Authorization", format!("Bearer {TOKEN}"));
    let event = |n: usize, content: &str| {
        stand.message(&format!("${n}"), &json!({ "content": "@" })).to_string().replace("\"@\"", content)
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
    assert_eq!(stand.wire.call(put(1), body).await.status, 200);
    let latin = event(7, r#"{"msgtype": "m.text", "body": "@"}"#).replace('@', "\u{1}");
    let latin = format!("{{\"events\": [{latin}], \"events\": [{latin}, {}]}}", event(8, contents[4]));
    let latin: Vec<u8> = latin.bytes().map(|byte| if byte == 1 { 0xe4 } else { byte }).collect();
    assert_eq!(stand.wire.call(put(2), latin).await.status, 200);
    let told: Vec<_> = stand.told().iter().map(|event| event["body"].clone()).collect();
    assert_eq!(told, ["cut \u{fffd}", "b", "c", "last", "\u{fffd}", "last"]);
}

#[tokio::test]
async fn wrong_tokens_of_an_address_are_counted_and_the_homeserver_is_not_kept_out() {
    let messenger = messenger().build();
    let ports = messenger.memory.ports(&messenger.homeserver, &messenger.clock);
    let variables = [("MATRIX_HS_TOKEN", TOKEN), ("LIMIT_FAILURES_PER_ADDRESS", "2")];
    let wire = Wire::configured(routes(), ports, &variables);
    let ask = async |token: &str| {
        let request = put("1").header("Authorization", format!("Bearer {token}"));
        wire.call(request, json!({ "events": [] }).to_string()).await.status
    };
    assert_eq!([ask("a").await, ask("b").await, ask("c").await, ask(TOKEN).await], [403, 403, 429, 200]);
}
