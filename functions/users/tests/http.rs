//! Users, on the wire.

use axum::http::Request;
use messenger_core::id::TenantId;
use messenger_runtime::testing::{EXPIRY, HUB_SECRET_KEY, TestResponse, Wire, bearer, signed};
use messenger_testkit::{TestMessenger, messenger};
use messenger_users::routes;
use serde_json::json;

fn test_app() -> (TestMessenger, Wire) {
    let messenger = messenger().build();
    let wire = Wire::new(routes(), &messenger);
    (messenger, wire)
}

async fn get(wire: &Wire, path: &str) -> TestResponse {
    wire.ask(Request::get(path).header("Authorization", bearer("mueller"))).await
}

#[tokio::test]
async fn the_caller_gets_their_own_user() {
    let (_messenger, wire) = test_app();
    insta::assert_json_snapshot!(get(&wire, "/api/v1/users/me").await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "display_name": "Name von mueller",
        "external_client_enabled": false,
        "hub_user_id": "mueller",
        "matrix_user_id": "@mueller:hub.local",
        "role": "user"
      }
    }
    "#);
}

#[tokio::test]
async fn a_token_with_only_the_required_claims_is_that_of_a_viewer() {
    let (_messenger, wire) = test_app();
    let claims = json!({ "sub": "Müller_1", "iss": "aesystek-hub", "exp": EXPIRY });
    let token = format!("bearer {}", signed(&claims, HUB_SECRET_KEY));
    let answer = wire.ask(Request::get("/api/v1/users/me").header("Authorization", token)).await;
    insta::assert_json_snapshot!(answer.body, @r#"
    {
      "display_name": "Müller_1",
      "external_client_enabled": false,
      "hub_user_id": "Müller_1",
      "matrix_user_id": "@_m=c3=bcller__1:hub.local",
      "role": "viewer"
    }
    "#);
}

#[tokio::test]
async fn other_users_are_found_by_name_or_id_and_show_only_these() {
    let (messenger, wire) = test_app();
    for id in ["mueller", "schmidt", "Émile", "ämil"] {
        messenger.caller(id, TenantId(1)).await;
    }
    messenger.caller("emilie", TenantId(2)).await;
    insta::assert_json_snapshot!(get(&wire, "/api/v1/users?q=MIL").await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": [
        {
          "display_name": "ämil",
          "hub_user_id": "ämil",
          "matrix_user_id": "@=c3=a4mil:hub.local"
        },
        {
          "display_name": "Émile",
          "hub_user_id": "Émile",
          "matrix_user_id": "@=c3=89mile:hub.local"
        }
      ]
    }
    "#);
    let everybody = get(&wire, "/api/v1/users").await;
    assert_eq!(everybody.body.as_array().map(Vec::len), Some(3));
    let first = get(&wire, "/api/v1/users?q=&limit=1").await;
    assert_eq!(first.body.as_array().map(Vec::len), Some(1));
    assert_eq!(get(&wire, "/api/v1/users?q=%25").await.body, json!([]), "no pattern of a database");
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let (_messenger, wire) = test_app();
    let long = "x".repeat(256);
    insta::assert_json_snapshot!(get(&wire, &format!("/api/v1/users?limit=201&q={long}")).await, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "invalid_request",
        "detail": "?q: must have at most 255 characters, has 256; ?limit: must be a whole number from 1 to 200, is `201`",
        "errors": [
          {
            "message": "must have at most 255 characters, has 256",
            "pointer": "?q"
          },
          {
            "message": "must be a whole number from 1 to 200, is `201`",
            "pointer": "?limit"
          }
        ],
        "request_id": "[that of the header]",
        "status": 422,
        "title": "Unprocessable Entity",
        "type": "urn:messenger-service:problem:invalid_request"
      }
    }
    "#);
    for path in
        ["/api/v1/users?limit=0", "/api/v1/users?limit=", "/api/v1/users?limit=5.0", "/api/v1/users?q=%00"]
    {
        assert_eq!(get(&wire, path).await.status, 422, "{path}");
    }
}

#[tokio::test]
async fn without_a_token_it_is_401() {
    let (_messenger, wire) = test_app();
    insta::assert_json_snapshot!(wire.ask(Request::get("/api/v1/users/me")).await, @r#"
    {
      "status": 401,
      "headers": {
        "content-type": "application/problem+json",
        "www-authenticate": "Bearer"
      },
      "body": {
        "code": "token_missing",
        "detail": "the user's token is missing: send it as `Authorization: Bearer <JWT>`",
        "request_id": "[that of the header]",
        "status": 401,
        "title": "Unauthorized",
        "type": "urn:messenger-service:problem:token_missing"
      }
    }
    "#);
    // A token in the URL, which ends up in logs and histories, does not count here.
    let in_url = format!("/api/v1/users?token={}", &bearer("mueller")["Bearer ".len()..]);
    for request in [
        Request::get(in_url),
        Request::get("/api/v1/users").header("Authorization", "Basic bWF4OnNlY3JldA=="),
        Request::get("/api/v1/users").header("Authorization", "Bearer "),
        Request::get("/api/v1/users").header("Authorization", b"Bearer \xff".as_slice()),
    ] {
        let answer = wire.ask(request).await;
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!("token_missing")));
    }
}

#[tokio::test]
async fn another_method_is_405() {
    let (_messenger, wire) = test_app();
    let answer = wire.ask(Request::delete("/api/v1/users/me")).await;
    assert_eq!((answer.status, &answer.body["code"]), (405, &json!("method_not_allowed")));
    assert_eq!(answer.all_headers["allow"], "GET,HEAD");
}

#[tokio::test]
async fn without_the_database_it_is_503_and_without_the_homeserver_all_works() {
    let (messenger, wire) = test_app();
    messenger.homeserver.switch_off();
    assert_eq!(get(&wire, "/api/v1/users/me").await.status, 200);
    messenger.memory.switch_off();
    insta::assert_json_snapshot!(get(&wire, "/api/v1/users").await, @r#"
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

/// Returns a token of the Hub for Müller with these claims changed.
fn hub_token(changes: &serde_json::Value) -> String {
    let mut claims =
        json!({ "sub": "mueller", "role": "user", "tenant_id": 1, "iss": "aesystek-hub", "exp": EXPIRY });
    for (name, value) in changes.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    signed(&claims, HUB_SECRET_KEY)
}

async fn login(wire: &Wire, token: &str) -> TestResponse {
    let body = json!({ "hub_token": token }).to_string();
    wire.call(Request::post("/auth/hub-login").header("Content-Type", "application/json"), body).await
}

async fn me(wire: &Wire, token: &str) -> TestResponse {
    wire.ask(Request::get("/api/v1/users/me").header("Authorization", format!("Bearer {token}"))).await
}

#[tokio::test]
async fn an_old_hub_token_changes_nothing_and_opens_no_former_tenant() {
    let (messenger, wire) = test_app();
    let old = hub_token(&json!({ "role": "admin", "iat": 1_700_000_000 }));
    assert_eq!(me(&wire, &old).await.body["role"], "admin");
    let ours = json!({ "sub": "mueller", "tenant_id": 1, "iss": "messenger-service", "exp": EXPIRY });
    let ours = signed(&ours, "messenger-dev-secret");
    assert_eq!(
        me(&wire, &hub_token(&json!({ "role": "viewer", "iat": 1_700_000_001.5 }))).await.body["role"],
        "viewer"
    );
    for token in [&old, &ours] {
        assert_eq!(me(&wire, token).await.body["role"], "viewer");
    }
    assert_eq!(login(&wire, &old).await.status, 200);
    let moved = hub_token(&json!({ "tenant_id": 2, "iat": 1_700_000_002 }));
    assert_eq!(me(&wire, &moved).await.status, 200);
    for answer in [me(&wire, &old).await, login(&wire, &old).await, me(&wire, &ours).await] {
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!("token_superseded")));
        assert_eq!(answer.all_headers["www-authenticate"], "Bearer");
    }
    // The same holds in a new process.
    let process = messenger.another_process();
    let other = Wire::new(routes(), &process);
    assert_eq!(me(&other, &old).await.body["code"], "token_superseded");
}

#[tokio::test]
async fn without_single_sign_on_each_endpoint_answers_sso_disabled() {
    let messenger = messenger().build();
    let off = [("HUB_SECRET_KEY", "")];
    let wire = Wire::configured(routes(), &messenger, &off);
    for (answer, status) in
        [(me(&wire, &hub_token(&json!({}))).await, 401), (login(&wire, &hub_token(&json!({}))).await, 403)]
    {
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!("sso_disabled")));
        assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.contains("HUB_SECRET_KEY")));
    }
}

#[tokio::test]
async fn a_seeded_user_is_signed_in_in_development_and_nowhere_else() {
    let messenger = messenger().build();
    let body = json!({ "hub_user_id": "chef" }).to_string();
    let post = || Request::post("/auth/development").header("Content-Type", "application/json");
    let development = [("ENVIRONMENT", "development")];
    let wire = Wire::configured(routes(), &messenger, &development);
    let issued = wire.call(post(), body.clone()).await;
    let token = format!("Bearer {}", issued.body["hub_token"].as_str().unwrap_or_default());
    let me = wire.ask(Request::get("/api/v1/users/me").header("Authorization", token)).await;
    assert_eq!((me.body["hub_user_id"].as_str(), me.body["role"].as_str()), (Some("chef"), Some("admin")));
    let unknown = wire.call(post(), json!({ "hub_user_id": "mallory" }).to_string()).await;
    assert_eq!(unknown.status, 404);

    let elsewhere = Wire::configured(routes(), &messenger, &[("ENVIRONMENT", ""), ("HOST", "127.0.0.1")]);
    assert_eq!(elsewhere.call(post(), body).await.status, 404);
    assert_eq!(elsewhere.ask(Request::get("/auth/development")).await.status, 404);
}
