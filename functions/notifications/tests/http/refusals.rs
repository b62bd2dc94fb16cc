//! Each class of error, in full shape.

use axum::http::Request;
use messenger_runtime::testing::SERVICE_TOKEN;
use serde_json::json;

use crate::{get, notification, post, send, test_app};

#[tokio::test]
async fn a_request_without_a_token_is_401_and_names_the_header() {
    let (_messenger, wire) = test_app();
    // Without credentials the answer does not reveal problems of the body.
    let answer = wire.call(Request::post("/api/v1/notifications/send"), "no JSON").await;
    insta::assert_json_snapshot!(answer, @r#"
    {
      "status": 401,
      "headers": {
        "content-type": "application/problem+json",
        "www-authenticate": "Bearer"
      },
      "body": {
        "code": "service_token_missing",
        "detail": "the header X-Service-Token is missing: it must be the value of MESSENGER_SERVICE_TOKEN",
        "request_id": "[that of the header]",
        "status": 401,
        "title": "Unauthorized",
        "type": "urn:messenger-service:problem:service_token_missing"
      }
    }
    "#);
}

#[tokio::test]
async fn a_wrong_token_is_403() {
    let (_messenger, wire) = test_app();
    let body = notification(&json!({})).to_string();
    let wrong = Request::post("/api/v1/notifications/send").header("X-Service-Token", "wrong");
    insta::assert_json_snapshot!(wire.call(wrong, body.clone()).await, @r#"
    {
      "status": 403,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "service_token_wrong",
        "detail": "the service token is wrong: it must be the value of MESSENGER_SERVICE_TOKEN",
        "request_id": "[that of the header]",
        "status": 403,
        "title": "Forbidden",
        "type": "urn:messenger-service:problem:service_token_wrong"
      }
    }
    "#);
    for token in [&SERVICE_TOKEN.as_bytes()[1..], b"\xff\xfe", b" "] {
        let request = Request::post("/api/v1/notifications/send").header("X-Service-Token", token);
        assert_eq!(wire.call(request, body.clone()).await.status, 403, "{token:?}");
    }
}

#[tokio::test]
async fn another_tenant_is_403() {
    let (messenger, wire) = test_app();
    insta::assert_json_snapshot!(send(&wire, &json!({ "tenant_id": 2 })).await, @r#"
    {
      "status": 403,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "tenant_not_allowed",
        "detail": "this service token may not send for tenant 2, only for 1",
        "request_id": "[that of the header]",
        "status": 403,
        "title": "Forbidden",
        "type": "urn:messenger-service:problem:tenant_not_allowed"
      }
    }
    "#);
    assert_eq!(messenger.memory.events(), []);
}

#[tokio::test]
async fn a_tenant_that_is_no_number_is_a_wrong_field() {
    let (_messenger, wire) = test_app();
    for tenant in [json!("eins"), json!({ "id": 1 }), json!(1.5), json!(true)] {
        let answer = send(&wire, &json!({ "tenant_id": tenant })).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["pointer"]),
            (422, &json!("/tenant_id")),
            "{tenant}"
        );
    }
}

#[tokio::test]
async fn another_method_is_405_with_the_allowed_methods() {
    let (_messenger, wire) = test_app();
    insta::assert_json_snapshot!(wire.ask(get("/api/v1/notifications/send")).await, @r#"
    {
      "status": 405,
      "headers": {
        "allow": "POST",
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "method_not_allowed",
        "detail": "this path has other methods: see the header Allow",
        "request_id": "[that of the header]",
        "status": 405,
        "title": "Method Not Allowed",
        "type": "urn:messenger-service:problem:method_not_allowed"
      }
    }
    "#);
    let delete = Request::delete("/api/v1/notifications/1").header("X-Service-Token", SERVICE_TOKEN);
    assert_eq!(wire.ask(delete).await.all_headers["allow"], "GET,HEAD");
}

#[tokio::test]
async fn an_unknown_path_is_404() {
    let (_messenger, wire) = test_app();
    insta::assert_json_snapshot!(wire.ask(get("/api/v1/notifications")).await, @r#"
    {
      "status": 404,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "not_found",
        "detail": "there is nothing at this path",
        "request_id": "[that of the header]",
        "status": 404,
        "title": "Not Found",
        "type": "urn:messenger-service:problem:not_found"
      }
    }
    "#);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let (_messenger, wire) = test_app();
    insta::assert_json_snapshot!(wire.call(post(""), "x".repeat((1 << 20) + 1)).await, @r#"
    {
      "status": 413,
      "headers": {
        "connection": "close",
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "body_too_large",
        "detail": "the request's body is too large",
        "request_id": "[that of the header]",
        "status": 413,
        "title": "Payload Too Large",
        "type": "urn:messenger-service:problem:body_too_large"
      }
    }
    "#);
    // A body of the largest size is read.
    let most = format!("{}{}", notification(&json!({})), " ".repeat(1 << 20));
    assert_eq!(wire.call(post(""), most[..1 << 20].to_owned()).await.status, 201);
}

#[tokio::test]
async fn another_content_type_is_415() {
    let (_messenger, wire) = test_app();
    let request = Request::post("/api/v1/notifications/send")
        .header("X-Service-Token", SERVICE_TOKEN)
        .header("Content-Type", "application/x-www-form-urlencoded");
    insta::assert_json_snapshot!(wire.call(request, "title=t").await, @r#"
    {
      "status": 415,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "unsupported_media_type",
        "detail": "send `Content-Type: application/json`; a file, as `multipart/form-data`",
        "request_id": "[that of the header]",
        "status": 415,
        "title": "Unsupported Media Type",
        "type": "urn:messenger-service:problem:unsupported_media_type"
      }
    }
    "#);
}

#[tokio::test]
async fn all_wrong_fields_are_named_at_once_with_a_remedy() {
    let (_messenger, wire) = test_app();
    let wrong = json!({
        "source_app": null, "event_type": " ", "title": "t\u{0}", "body": 7, "target_type": "entity_room",
        "entity_id": 1.5, "priority": "asap", "idempotency_key": [],
    });
    insta::assert_json_snapshot!(wire.call(post("?wait=11"), wrong.to_string()).await, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "invalid_request",
        "detail": "?wait: must be a number of seconds from 0 to 10, is `11`; source_app: is required: text of 1 to 100 characters; event_type: must not be blank; title: must not contain the character U+0000; body: must be text, is a number; entity_id: must be a whole number of at most 64 bits, or text; entity_type: is required for `entity_room`: the kind of thing, as in `machine`; priority: must be `low`, `normal`, `high` or `urgent`, is `asap`; idempotency_key: must be text, is a list",
        "errors": [
          {
            "message": "must be a number of seconds from 0 to 10, is `11`",
            "pointer": "?wait"
          },
          {
            "message": "is required: text of 1 to 100 characters",
            "pointer": "/source_app"
          },
          {
            "message": "must not be blank",
            "pointer": "/event_type"
          },
          {
            "message": "must not contain the character U+0000",
            "pointer": "/title"
          },
          {
            "message": "must be text, is a number",
            "pointer": "/body"
          },
          {
            "message": "must be a whole number of at most 64 bits, or text",
            "pointer": "/entity_id"
          },
          {
            "message": "is required for `entity_room`: the kind of thing, as in `machine`",
            "pointer": "/entity_type"
          },
          {
            "message": "must be `low`, `normal`, `high` or `urgent`, is `asap`",
            "pointer": "/priority"
          },
          {
            "message": "must be text, is a list",
            "pointer": "/idempotency_key"
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
async fn an_unknown_target_has_a_code_of_its_own() {
    let (_messenger, wire) = test_app();
    insta::assert_json_snapshot!(send(&wire, &json!({ "target_type": "everybody" })).await, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "invalid_target",
        "detail": "target_type: must be `general`, `entity_room`, `dm` or `service_room`, is `everybody`",
        "errors": [
          {
            "message": "must be `general`, `entity_room`, `dm` or `service_room`, is `everybody`",
            "pointer": "/target_type"
          }
        ],
        "request_id": "[that of the header]",
        "status": 422,
        "title": "Unprocessable Entity",
        "type": "urn:messenger-service:problem:invalid_target"
      }
    }
    "#);
}

#[tokio::test]
async fn the_fields_of_a_target_are_required() {
    let (_messenger, wire) = test_app();
    let entity = send(&wire, &json!({ "target_type": "entity_room" })).await;
    let dm = send(&wire, &json!({ "target_type": "dm" })).await;
    insta::assert_json_snapshot!([&entity.body["errors"], &dm.body["errors"]], @r#"
    [
      [
        {
          "message": "is required for `entity_room`: the kind of thing, as in `machine`",
          "pointer": "/entity_type"
        },
        {
          "message": "is required for `entity_room`: a whole number, or text",
          "pointer": "/entity_id"
        }
      ],
      [
        {
          "message": "is required for `dm`: a Hub user id",
          "pointer": "/target_user"
        }
      ]
    ]
    "#);
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_as_such() {
    let (_messenger, wire) = test_app();
    insta::assert_json_snapshot!(wire.call(post(""), "{\"title\": ").await, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "invalid_json",
        "detail": "the body is no JSON: EOF while parsing a value at line 1 column 10",
        "errors": [
          {
            "message": "the body is no JSON: EOF while parsing a value at line 1 column 10",
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
    let deep = "[".repeat(100_000);
    for broken in [&b""[..], b"[]", b"null", b"\"\xff\"", b"{\"title\": \"\\ud80\"}", deep.as_bytes()] {
        let answer = wire.call(post(""), broken.to_vec()).await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!("invalid_json")), "{}", answer.body);
    }
}

#[tokio::test]
async fn without_the_database_it_is_503_with_retry_after() {
    let (messenger, wire) = test_app();
    messenger.memory.switch_off();
    insta::assert_json_snapshot!(send(&wire, &json!({})).await, @r#"
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
    for path in ["/api/v1/notifications/log", "/api/v1/notifications/1"] {
        let answer = wire.ask(get(path)).await;
        assert_eq!((answer.status, &answer.body["code"]), (503, &json!("database_unavailable")));
        assert_eq!(answer.all_headers["retry-after"], "2");
    }
}
