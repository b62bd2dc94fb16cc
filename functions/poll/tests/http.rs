//! Polling, on the wire.

use std::time::Duration;

use axum::http::Request;
use messenger_core::{event::Audience, id::TenantId, notification::Draft};
use messenger_poll::routes;
use messenger_runtime::testing::{TestResponse, Wire, bearer, session_cookie, token};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::json;

const NOW: Duration = Duration::ZERO;

fn test_app() -> (TestMessenger, Wire) {
    let messenger = messenger().build();
    let wire = Wire::new(routes(), &messenger);
    (messenger, wire)
}

async fn poll(wire: &Wire, query: &str) -> TestResponse {
    wire.ask(Request::get(format!("/api/v1/events/poll?token={}{query}", token("mueller")))).await
}

#[tokio::test]
async fn a_page_is_a_bare_array_with_the_next_cursor_in_a_header() {
    let (messenger, wire) = test_app();
    insta::assert_json_snapshot!(poll(&wire, "").await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json",
        "x-next-cursor": "0"
      },
      "body": []
    }
    "#);
    let draft =
        Draft { body: Some("Kühlmittel niedrig".to_owned()), ..fixtures::machine(42, "CNC-01 gestoppt") };
    messenger.send(draft, Duration::from_secs(1)).await;
    messenger.send(fixtures::dm("mueller", "Freigabe"), NOW).await;
    messenger.send(fixtures::dm("schmidt", "Nichts für Müller"), NOW).await;
    let page = poll(&wire, "").await;
    insta::assert_json_snapshot!(page, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json",
        "x-next-cursor": "3"
      },
      "body": [
        {
          "body": "Kühlmittel niedrig",
          "created_at": "2026-01-01T06:00:00.000000Z",
          "entity_id": 42,
          "entity_type": "machine",
          "event_type": "stock_low",
          "id": 1,
          "notification_id": 1,
          "priority": "normal",
          "room_id": null,
          "source_app": "inventory",
          "target_type": "entity_room",
          "title": "CNC-01 gestoppt",
          "type": "notification"
        },
        {
          "event_id": "$event1",
          "id": 2,
          "notification_id": 1,
          "room_id": "!room1",
          "type": "notification_sent"
        },
        {
          "body": null,
          "created_at": "2026-01-01T06:00:00.000000Z",
          "event_type": "stock_low",
          "id": 3,
          "notification_id": 2,
          "priority": "normal",
          "room_id": null,
          "source_app": "inventory",
          "target_type": "dm",
          "title": "Freigabe",
          "type": "notification"
        }
      ]
    }
    "#);
    let again = poll(&wire, "").await;
    assert_eq!(
        (&again.body, &again.all_headers["x-next-cursor"]),
        (&json!([]), &page.all_headers["x-next-cursor"])
    );
}

#[tokio::test]
async fn the_token_may_be_in_the_header_which_takes_precedence() {
    let (_messenger, wire) = test_app();
    let by_header = Request::get("/api/v1/events/poll").header("Authorization", bearer("mueller"));
    assert_eq!(wire.ask(by_header).await.status, 200);
    let both = Request::get("/api/v1/events/poll?token=none").header("Authorization", bearer("mueller"));
    assert_eq!(wire.ask(both).await.status, 200);
    let other_scheme = Request::get(format!("/api/v1/events/poll?token={}", token("mueller")))
        .header("Authorization", "Basic bWF4OnNlY3JldA==");
    assert_eq!(wire.ask(other_scheme).await.status, 200, "a proxy's own credentials are none of ours");
}

#[tokio::test]
async fn a_cursor_of_the_client_and_named_readers_do_not_affect_each_other() {
    let (messenger, wire) = test_app();
    poll(&wire, "").await;
    poll(&wire, "&client=b").await;
    messenger.send(fixtures::draft("1"), NOW).await;
    for query in ["&cursor=0", "&cursor=0", "", "&client=b"] {
        let page = poll(&wire, query).await;
        assert_eq!(
            (&page.body[0]["title"], &page.all_headers["x-next-cursor"]),
            (&json!("1"), &"1".parse().expect("a header"))
        );
    }
}

#[tokio::test]
async fn each_gap_is_answered_with_its_reason_and_the_next_cursor() {
    let messenger = messenger().settings(|settings| settings.replay_max = 2).build();
    let wire = Wire::configured(routes(), &messenger, &[("REPLAY_MAX", "2")]);
    for n in 0..3 {
        messenger.send(fixtures::draft(&n.to_string()), NOW).await;
    }
    let mut lines = Vec::new();
    for cursor in ["0", "4", "-1", "abc"] {
        let page = poll(&wire, &format!("&cursor={cursor}")).await;
        lines.push(format!(
            "{cursor:3} {} {} {:?}",
            page.status, page.body, page.all_headers["x-next-cursor"]
        ));
    }
    messenger.pass(Duration::from_hours(24));
    messenger.ports.maintenance.rotate(Duration::from_hours(1)).await.expect("the log is rotated");
    let page = poll(&wire, "&cursor=1").await;
    lines.push(format!("old {} {} {:?}", page.status, page.body, page.all_headers["x-next-cursor"]));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    0   200 [{"reason":"too_far_behind","type":"reset"}] "3"
    4   200 [{"reason":"unknown_position","type":"reset"}] "3"
    -1  200 [{"reason":"unknown_position","type":"reset"}] "3"
    abc 200 [{"reason":"unknown_position","type":"reset"}] "3"
    old 200 [{"reason":"expired","type":"reset"}] "3"
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_with_the_first_event_or_with_its_wait() {
    let (messenger, wire) = test_app();
    poll(&wire, "").await;
    let begun = tokio::time::Instant::now();
    assert_eq!(poll(&wire, "&wait=25").await.body, json!([]));
    assert_eq!(begun.elapsed().as_secs(), 25);
    let begun = tokio::time::Instant::now();
    let (page, ()) = tokio::join!(poll(&wire, "&wait=25"), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let of_others = fixtures::event(Audience::Tenant(TenantId(2)), "Nicht für uns");
        messenger.ports.feed.append(&[of_others]).await.expect("it is appended");
        tokio::time::sleep(Duration::from_secs(3)).await;
        messenger.send(fixtures::draft("endlich"), NOW).await;
    });
    assert_eq!(page.body[0]["title"], "endlich");
    assert!((6..8).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let (_messenger, wire) = test_app();
    let long = "x".repeat(101);
    let answer = poll(&wire, &format!("&wait=25.1&client={long}&cursor={long}")).await;
    insta::assert_json_snapshot!(answer, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "invalid_request",
        "detail": "?wait: must be a number of seconds from 0 to 25, is `25.1`; ?client: must have at most 100 characters, has 101; ?cursor: must have at most 100 characters, has 101",
        "errors": [
          {
            "message": "must be a number of seconds from 0 to 25, is `25.1`",
            "pointer": "?wait"
          },
          {
            "message": "must have at most 100 characters, has 101",
            "pointer": "?client"
          },
          {
            "message": "must have at most 100 characters, has 101",
            "pointer": "?cursor"
          }
        ],
        "request_id": "[that of the header]",
        "status": 422,
        "title": "Unprocessable Entity",
        "type": "urn:messenger-service:problem:invalid_request"
      }
    }
    "#);
}

#[tokio::test]
async fn without_a_good_token_it_is_401() {
    let (_messenger, wire) = test_app();
    insta::assert_json_snapshot!(wire.ask(Request::get("/api/v1/events/poll")).await, @r#"
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
    let bad = wire.ask(Request::get("/api/v1/events/poll?token=abc")).await;
    insta::assert_json_snapshot!(bad, @r#"
    {
      "status": 401,
      "headers": {
        "content-type": "application/problem+json",
        "www-authenticate": "Bearer"
      },
      "body": {
        "code": "token_invalid",
        "detail": "the token is not a JWT: three parts in Base64url with dots between them are needed",
        "request_id": "[that of the header]",
        "status": 401,
        "title": "Unauthorized",
        "type": "urn:messenger-service:problem:token_invalid"
      }
    }
    "#);
}

#[tokio::test]
async fn the_session_cookie_reads_a_page_for_pages_of_the_service() {
    let (_messenger, wire) = test_app();
    let get = || Request::get("/api/v1/events/poll").header("Cookie", session_cookie("mueller"));
    assert_eq!(wire.ask(get()).await.status, 200);
    let elsewhere = wire.ask(get().header("Sec-Fetch-Site", "same-site")).await;
    assert_eq!((elsewhere.status, &elsewhere.body["code"]), (403, &json!("origin_not_allowed")));
}

#[tokio::test]
async fn without_the_database_it_is_503() {
    let (messenger, wire) = test_app();
    poll(&wire, "").await;
    messenger.memory.switch_off();
    insta::assert_json_snapshot!(poll(&wire, "").await, @r#"
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

#[tokio::test]
async fn each_unicode_form_of_a_readers_name_is_the_same_reader() {
    let (messenger, wire) = test_app();
    poll(&wire, "&client=Halle-%C3%9C").await;
    messenger.send(fixtures::draft("one"), NOW).await;
    assert_eq!(poll(&wire, "&client=%20Halle-U%CC%88%20").await.body.as_array().map(Vec::len), Some(1));
    assert_eq!(poll(&wire, "&client=Halle-%C3%9C").await.body, json!([]));
}
