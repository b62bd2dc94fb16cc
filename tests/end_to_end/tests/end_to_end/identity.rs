//! Identities across several processes and on a real homeserver.

use messenger_tests::{
    Client, Plan, Stack,
    client::{fetch, in_seconds, token},
    eventually, is_skipped_on_deployment, is_skipped_on_lambda, wait_until,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Returns a Hub token of Anna's that was issued this many seconds ago.
fn issued(ago: i64, tenant: i64, role: &str) -> String {
    token(&json!({
        "sub": "anna", "role": role, "tenant_id": tenant, "display_name": "Anna", "iss": "aesystek-hub",
        "iat": in_seconds(-ago), "exp": in_seconds(3600),
    }))
}

async fn call(
    client: &Client,
    method: Method,
    path: &str,
    token: &str,
) -> messenger_tests::client::TestResponse {
    let request = client.request(method, path).bearer_auth(token);
    fetch(request.json(&json!({ "name": "x" }))).await
}

#[tokio::test]
async fn a_moved_user_loses_the_former_tenant_in_every_process() {
    if is_skipped_on_deployment("it starts another process") {
        return;
    }
    let stack = Stack::start().await;
    let client = stack.client();
    let (url, _process) = stack.start_function("messenger-rooms").await;
    let rooms = Client::new(&url);
    client.user("bert").wait_until_provisioned().await;
    let machine = json!({
        "source_app": "x", "event_type": "e", "title": "x", "target_type": "entity_room", "entity_type": "machine",
        "entity_id": 1,
    });
    let machine = client.notify(&machine).await.body["matrix_room_id"].as_str().expect("a room").to_owned();
    let old = issued(100, 1, "user");
    let login = client.request(Method::POST, "/auth/hub-login").json(&json!({ "hub_token": old }));
    let ours = fetch(login).await.body["access_token"].as_str().expect("a token").to_owned();
    let mut anna = client.user("anna");
    anna.token.clone_from(&ours);
    anna.wait_until_provisioned().await;
    let mut stream = anna.stream(None).await;
    assert_eq!(call(&rooms, Method::GET, "/api/v1/rooms", &ours).await.status, StatusCode::OK);

    let moved = call(&client, Method::GET, "/api/v1/users/me", &issued(50, 2, "viewer")).await;
    assert_eq!((moved.status, &moved.body["role"]), (StatusCode::OK, &json!("viewer")));
    stream.next_of("access_withdrawn").await;
    let join = format!("/api/v1/rooms/{}/join", machine.replace('!', "%21").replace(':', "%3A"));
    // The move takes effect at once in this process, and with the notification in the other.
    for path in ["/api/v1/users/me", "/api/v1/events/poll?cursor=0"] {
        let refused = call(&client, Method::GET, path, &ours).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (StatusCode::UNAUTHORIZED, &json!("token_superseded"))
        );
    }
    assert!(anna.try_stream(Some("0")).await.is_err());
    for refused in [
        call(&rooms, Method::POST, &join, &ours).await,
        call(&rooms, Method::POST, "/api/v1/rooms", &ours).await,
        call(&rooms, Method::POST, "/api/v1/rooms/dm/bert", &ours).await,
    ] {
        assert!(refused.status.is_client_error(), "{} {}", refused.status, refused.body);
    }
    wait_until("our token is superseded", async || {
        call(&rooms, Method::GET, "/api/v1/rooms", &ours).await.body["code"] == "token_superseded"
    })
    .await;
    let again = call(&rooms, Method::GET, "/api/v1/rooms", &old).await;
    assert_eq!(again.body["code"], "token_superseded", "the Hub's old token is superseded, too");
    let matrix = stack.matrix_bot().await;
    let members = matrix.members(&machine).await;
    assert!(!members.iter().any(|member| member.starts_with("@anna:")), "{members:?}");
}

#[tokio::test]
async fn a_changed_role_counts_in_every_process() {
    if is_skipped_on_deployment("it starts another process") {
        return;
    }
    let stack = Stack::start_with(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let client = stack.client();
    let (url, _process) = stack.start_function("messenger-users").await;
    let other = Client::new(&url);
    // A token counts once it was accepted: a service that is too busy returns 503.
    let me = async |client: &Client, token: &str| {
        eventually(async || {
            let response = call(client, Method::GET, "/api/v1/users/me", token).await;
            let is_busy = response.status == StatusCode::SERVICE_UNAVAILABLE;
            assert!(is_busy || response.status == StatusCode::OK, "{} {}", response.status, response.body);
            (!is_busy).then(|| response.body["role"].clone())
        })
        .await
    };
    let (old, new) = (issued(100, 1, "admin"), issued(50, 1, "viewer"));
    for client in [&client, &other, &client, &other] {
        assert_eq!(me(client, &old).await, "admin");
    }
    let mut anna = client.user("anna");
    anna.token.clone_from(&old);
    let mut stream = anna.stream(None).await;
    assert_eq!(me(&client, &new).await, "viewer");
    assert_eq!(stream.next_of("role_changed").await["role"], "viewer");
    assert_eq!(me(&client, &old).await, "viewer");
    wait_until("the role is viewer", async || me(&other, &old).await == "viewer").await;
    // Concurrent tokens lead to the same identity in any order.
    let tokens: Vec<_> = (0..20).map(|n| issued(40 - n, 1, if n == 19 { "user" } else { "admin" })).collect();
    let shown =
        tokens.iter().enumerate().map(|(n, token)| me(if n % 2 == 0 { &client } else { &other }, token));
    futures::future::join_all(shown).await;
    wait_until("the role is user", async || {
        me(&client, &old).await == "user" && me(&other, &tokens[0]).await == "user"
    })
    .await;
}

#[tokio::test]
async fn a_foreign_account_is_never_used() {
    if is_skipped_on_deployment("it reads the logs of its processes") {
        return;
    }
    let stack = Stack::start().await;
    let client = stack.client();
    let foreign = stack.foreign_matrix("boss").await;
    let devices = foreign.devices().await;
    client.user("bert").wait_until_provisioned().await;
    let boss = client.user_with_role("boss", "admin", 1);
    let state = async || stack.query("select account_state from users where hub_user_id = $1", "boss").await;
    assert_eq!(boss.get("/api/v1/users/me").await.status, StatusCode::OK);
    wait_until("the account is taken", async || state().await.as_deref() == Some("taken")).await;
    let calls: [(&str, Value); 2] =
        [("/api/v1/rooms", json!({ "name": "x" })), ("/api/v1/rooms/dm/bert", json!({}))];
    for (path, body) in calls {
        let refused = boss.post(path, &body).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (StatusCode::CONFLICT, &json!("matrix_account_taken"))
        );
        let detail = refused.body["detail"].as_str().expect("a detail");
        assert!(detail.contains("MATRIX_RESERVED_LOCALPARTS"), "{detail}");
    }
    boss.stream(None).await;
    assert_eq!(foreign.devices().await, devices, "no device of the service");
    assert_eq!(foreign.rooms(0).await, [""; 0]);
    let log = stack.log("messenger-worker");
    assert_eq!(log.matches("was not made by this service").count(), 1, "{log}");
}

#[tokio::test]
async fn the_log_states_at_start_whether_single_sign_on_is_on() {
    if is_skipped_on_deployment("it configures the service") {
        return;
    }
    if is_skipped_on_lambda("it reads the router's log") {
        return;
    }
    let plan = |key: &str| Plan {
        homeserver: false,
        worker: false,
        environment: vec![("HUB_SECRET_KEY".to_owned(), key.to_owned())],
        ..Plan::default()
    };
    for (key, state) in [("a key of the Hub that the tests have", "is on"), ("", "is off")] {
        let stack = Stack::start_with(plan(key)).await;
        let log = stack.log("messenger-router");
        assert!(log.contains(&format!("single sign-on {state}")), "{log}");
    }
}

#[tokio::test]
async fn a_logged_out_user_signs_in_again_with_the_hub_at_once() {
    if is_skipped_on_deployment("it starts another process") {
        return;
    }
    let stack = Stack::start().await;
    let client = stack.client();
    let (url, _process) = stack.start_function("messenger-rooms").await;
    let rooms = Client::new(&url);
    let boss = client.user_with_role("boss", "admin", 1);
    let hub = issued(100, 1, "user");
    let sign_in = async || {
        let login = client.request(Method::POST, "/auth/hub-login").json(&json!({ "hub_token": hub }));
        fetch(login).await.body["access_token"].as_str().expect("a token").to_owned()
    };
    let status = async |token: &str| call(&rooms, Method::GET, "/api/v1/rooms", token).await.status;
    let mut anna = client.user("anna");
    for _ in 0..3 {
        anna.token = sign_in().await;
        let mut stream = anna.stream(None).await;
        assert_eq!(status(&anna.token).await, StatusCode::OK);
        let logged_out = boss.post("/api/v1/admin/users/anna/logout", &json!({})).await;
        assert_eq!(logged_out.status, StatusCode::OK, "{}", logged_out.body);
        let new = sign_in().await;
        stream.next_of("access_withdrawn").await;
        wait_until("the other process refuses the token", async || {
            status(&anna.token).await == StatusCode::UNAUTHORIZED
        })
        .await;
        let refused = call(&client, Method::GET, "/api/v1/users/me", &anna.token).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (StatusCode::UNAUTHORIZED, &json!("token_revoked"))
        );
        for token in [&new, &hub] {
            assert_eq!(status(token).await, StatusCode::OK);
        }
    }
}
