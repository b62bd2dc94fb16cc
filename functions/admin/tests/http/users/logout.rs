//! Administrators log users out.

use std::time::Duration;

use http::{Method, Request, StatusCode, header::AUTHORIZATION};
use messenger_core::port::Clock as _;
use messenger_runtime::{
    App,
    testing::{EXPIRY, HUB_SECRET_KEY, Wire, signed},
};
use messenger_testkit::sse::Reader;
use serde_json::{Value, json};

use super::{
    act_on, admin, audit,
    external_access::{password, works},
    path, provision, shown, signed_in,
};
use crate::fixture::{Site, token};

const ME: &str = "/api/v1/users/me";
const SOON: Duration = Duration::from_secs(20);

async fn log_out(site: &Site, user: &str) -> Value {
    let answer = site.call(&admin(), &Method::POST, &path(user, "/logout"), None).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// Returns a token of this service that is issued now.
fn local_token(site: &Site, app: &App, user: &str) -> String {
    let issued_at = site.clock.now().as_microsecond();
    #[expect(clippy::cast_precision_loss, reason = "microseconds of this age are exact")]
    let claims = json!({
        "iss": "messenger-service", "sub": user, "iat": issued_at as f64 / 1e6, "exp": EXPIRY, "role": "user",
        "tenant_id": 1, "display_name": user,
    });
    signed(&claims, &app.config.secret_key)
}

/// Returns the status, and the code of a refusal, of a call with a token.
async fn call(wire: &Wire, token: &str) -> (u16, Value) {
    let answer = wire.ask(Request::get(ME).header(AUTHORIZATION, format!("Bearer {token}"))).await;
    (answer.status, answer.body["code"].clone())
}

/// Waits until a call is answered like this.
async fn becomes(wire: &Wire, token: &str, expected: (u16, Value)) {
    let wait = async {
        while call(wire, token).await != expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("it is answered so in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_this_service_from_before_a_logout_are_void_in_every_process() {
    let site = Site::start().await;
    let processes = [site.beside(), site.beside()];
    let wires = processes.each_ref().map(|app| Wire::of(messenger_users::routes(), app));
    let (old, others) =
        (local_token(&site, &processes[0], "anna"), local_token(&site, &processes[0], "bert"));
    for wire in &wires {
        for token in [&old, &others] {
            assert_eq!(call(wire, token).await, (200, Value::Null));
        }
    }
    log_out(&site, "anna").await;
    let revoked = (401, json!("token_revoked"));
    for wire in &wires {
        becomes(wire, &old, revoked.clone()).await;
        assert_eq!(call(wire, &others).await, (200, Value::Null), "others stay signed in");
        assert_eq!(
            call(wire, &token("anna", "user", 1)).await,
            (200, Value::Null),
            "the Hub owns its tokens"
        );
        assert_eq!(call(wire, &old).await, revoked, "a sign-in with the Hub revives no token");
    }
    site.clock.advance(Duration::from_millis(1));
    let new = local_token(&site, &processes[0], "anna");
    for wire in &wires {
        assert_eq!(call(wire, &new).await, (200, Value::Null), "a token from after the logout is valid");
    }
    let fresh = Wire::of(messenger_users::routes(), &site.beside());
    assert_eq!(call(&fresh, &old).await, revoked, "a new process knows it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_this_service_without_a_time_of_issue_is_void_after_a_logout() {
    let site = Site::start().await;
    let app = site.beside();
    let wire = Wire::of(messenger_users::routes(), &app);
    let claims = json!({ "iss": "messenger-service", "sub": "anna", "exp": EXPIRY, "tenant_id": 1 });
    let token = signed(&claims, &app.config.secret_key);
    assert_eq!(call(&wire, &token).await, (200, Value::Null));
    log_out(&site, "anna").await;
    becomes(&wire, &token, (401, json!("token_revoked"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_the_streams_of_the_user_and_of_nobody_else() {
    let site = Site::start().await;
    let app = site.beside();
    let wire = Wire::of(messenger_events::routes(), &app);
    let open = async |user: &str, last_event_id: Option<&str>| {
        let mut request = Request::get(format!("/api/v1/events/stream?token={}", token(user, "user", 1)));
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = wire.open(request, "").await;
        assert_eq!(response.status(), StatusCode::OK);
        Reader::new(response.into_body().into_data_stream())
    };
    let (mut anna, mut bert) = (open("anna", None).await, open("bert", None).await);
    assert_eq!(anna.next().await.expect("a block").kind(), "connected");
    assert_eq!(bert.next().await.expect("a block").kind(), "connected");
    log_out(&site, "anna").await;
    let last = tokio::time::timeout(SOON, anna.next()).await.expect("in time").expect("a block");
    assert_eq!(last.kind(), "access_withdrawn");
    assert!(anna.next().await.is_none(), "the stream has ended");
    let mut again = open("anna", last.id.as_deref()).await;
    assert_eq!(again.next().await.expect("a block").kind(), "connected", "the Hub's token opens another one");
    let quiet =
        tokio::time::timeout(Duration::from_millis(300), futures::future::join(bert.next(), again.next()));
    assert!(quiet.await.is_err(), "the other streams go on, and resuming does not repeat the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_opened_with_an_outdated_user_does_not_begin() {
    let site = Site::start().await;
    let app = site.beside();
    let anna = app.messenger.users();
    let user = anna.sign_in(messenger_testkit::fixtures::identity("anna")).await.expect("signed in");
    let outdated =
        messenger_core::user::Caller { user, expires_at: "2100-01-01T00:00:00Z".parse().expect("a time") };
    log_out(&site, "anna").await;
    let streams = app.with_broker().streams();
    let refused = streams.subscribe(&outdated, None).await.err().expect("refused");
    assert_eq!(refused.code(), "token_revoked");
    let since = messenger_core::cursor::Since::Cursor("0".to_owned());
    let refused = streams.poll(&outdated, &since, Duration::ZERO).await.expect_err("refused");
    assert_eq!(refused.code(), "token_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_logs_other_clients_out_and_keeps_them_enabled() {
    let site = Site::start().await;
    signed_in(&site, "anna").await;
    provision(&site).await;
    assert_eq!(log_out(&site, "anna").await.get("external_access"), None, "there are no other clients");
    let enabled = Some(json!({ "enabled": true }));
    site.call(&admin(), &Method::POST, &path("anna", "/external-access"), enabled).await;
    let first = password(&site).await;
    let etag = format!("\"{}\"", shown(&site, "anna").await["version"]);
    let answer = act_on(&site, &Method::POST, &path("anna", "/logout"), &etag, None).await;
    assert_eq!((answer.status, &answer.body["external_access"]), (200, &json!("done")));
    assert_eq!(answer.body["external_client_enabled"], true);
    assert!(!works(&site, &first));
    let second = password(&site).await;
    assert!(first != second && works(&site, &second));
    site.homeserver.switch_off();
    assert_eq!(log_out(&site, "anna").await["external_access"], "pending");
    site.homeserver.switch_on();
    site.client().await.execute("update external_access set revoke_due = now()", &[]).await.expect("due");
    site.messenger.external_clients().revoke_due().await.expect("revoked");
    assert!(!works(&site, &second));
    let log = audit(&site).await;
    assert_eq!(log.len(), 4, "{log:?}");
    assert_eq!((&log[0][0], &log[0][1]), (&json!("user.logout"), &json!("anna")));
    assert_eq!(log[3][2], json!({ "logged_out_at": null }));
    let at = log[0][2]["logged_out_at"].as_str().expect("a time");
    assert!(at.len() == "2026-01-31T12:00:00.000000Z".len() && at.ends_with('Z'), "{at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_poll_of_a_logged_out_user_ends() {
    let site = Site::start().await;
    let app = site.beside();
    let wire = Wire::of(messenger_poll::routes(), &app);
    let hub_token = signed(
        &json!({ "sub": "anna", "role": "user", "tenant_id": 1, "iss": "aesystek-hub", "exp": EXPIRY }),
        HUB_SECRET_KEY,
    );
    let poll = async |wait: u32| {
        let path = format!("/api/v1/events/poll?cursor=0&wait={wait}&token={hub_token}");
        wire.ask(Request::get(path)).await
    };
    assert_eq!(poll(0).await.body, json!([]));
    let waiting = async { tokio::time::timeout(SOON, poll(25)).await.expect("it ends in time") };
    let act = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        log_out(&site, "anna").await
    };
    let (answer, _) = tokio::join!(waiting, act);
    assert_eq!((answer.status, &answer.body["code"]), (401, &json!("token_revoked")));
    let page = poll(0).await;
    assert_eq!((page.status, &page.body[0]["type"]), (200, &json!("access_withdrawn")));
}
