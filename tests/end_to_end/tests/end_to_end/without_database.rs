//! Streams and polls of processes without `DATABASE_URL`, which read DynamoDB alone.

use std::time::Duration;

use messenger_devstack::service::Service;
use messenger_tests::{
    Client, Plan, Stack, TestUser,
    client::{fetch, in_seconds, secret_key, signed, token},
    event_store::dynamodb,
    is_skipped_on_deployment, is_skipped_on_lambda, wait_until,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_mins(1);

/// A service, and its `events` and `poll` without a database.
struct Alone {
    stack: Stack,
    /// Clients of the processes without a database.
    events: Client,
    poll: Client,
    _processes: [Service; 2],
}

impl Alone {
    async fn start(homeserver: bool) -> Self {
        let plan = Plan { homeserver, environment: dynamodb(), ..Plan::default() };
        let stack = Stack::start_with(plan).await;
        let (events, first) = stack.start_without_database("messenger-events").await;
        let (poll, second) = stack.start_without_database("messenger-poll").await;
        let (events, poll) = (Client::new(&events), Client::new(&poll));
        wait_until("the processes read the copy", async || {
            events.get("/readyz").await.status == StatusCode::OK
                && poll.get("/readyz").await.status == StatusCode::OK
        })
        .await;
        Self { stack, events, poll, _processes: [first, second] }
    }

    /// Signs a user in, and waits until the copy has them. Returns the user of `events`.
    async fn signed_in(&self, user: &TestUser) -> TestUser {
        assert_eq!(user.get("/api/v1/users/me").await.status, StatusCode::OK);
        wait_until("the copy has the user", async || self.status_and_code(&user.token, "0").await.0 == 200)
            .await;
        let mut alone = self.events.user(&user.id);
        alone.token.clone_from(&user.token);
        alone
    }

    /// Polls without a database. Returns status and code.
    async fn status_and_code(&self, token: &str, cursor: &str) -> (u16, String) {
        let path = format!("/api/v1/events/poll?cursor={cursor}");
        let answer = fetch(self.poll.request(Method::GET, &path).bearer_auth(token)).await;
        (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Returns the values of a field in all events of a user.
    async fn polled(&self, token: &str, field: &str) -> Vec<String> {
        let request = self.poll.request(Method::GET, "/api/v1/events/poll?cursor=0").bearer_auth(token);
        let page = fetch(request).await.body;
        let events = page.as_array().expect("a page").iter();
        events.filter_map(|event| event[field].as_str().map(str::to_owned)).collect()
    }
}

fn numbered(n: usize) -> Value {
    json!({ "source_app": "a", "event_type": "e", "title": n.to_string() })
}

/// Returns a token of Anna's from the Hub, issued this many seconds ago.
fn issued(ago: i64, tenant: i64) -> String {
    token(&json!({
        "sub": "anna", "role": "user", "tenant_id": tenant, "display_name": "Anna", "iss": "aesystek-hub",
        "iat": in_seconds(-ago), "exp": in_seconds(3600),
    }))
}

/// Encodes a room id as one segment of a path.
fn segment(id: &str) -> String {
    let bytes: Vec<_> = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}

fn is_skipped() -> bool {
    is_skipped_on_deployment("it starts processes") || is_skipped_on_lambda("its functions have a database")
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_without_a_database_stream_resume_and_poll() {
    if is_skipped() {
        return;
    }
    let alone = Alone::start(false).await;
    let client = alone.stack.client();
    let stranger = client.user("mueller");
    let request =
        alone.poll.request(Method::GET, "/api/v1/events/poll?cursor=now").bearer_auth(&stranger.token);
    let refused = fetch(request).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("not_ready"))
    );
    assert!(refused.headers.contains_key("retry-after"));
    let user = alone.signed_in(&stranger).await;
    let mut last = user.stream(None).await.last_id().to_owned();
    let mut seen = Vec::new();
    for round in 0..3 {
        for n in 0..5 {
            client.notify_with(&numbered(round * 10 + n), "?wait=0", None).await;
        }
        let mut stream = user.stream(Some(&last)).await;
        for n in 5..10 {
            client.notify_with(&numbered(round * 10 + n), "?wait=0", None).await;
        }
        while seen.len() < (round + 1) * 10 {
            let next = timeout(PATIENCE, stream.next()).await.expect("an event").json();
            seen.extend(next["title"].as_str().map(str::to_owned));
        }
        stream.last_id().clone_into(&mut last);
    }
    let expected: Vec<_> = (0..30).map(|n| n.to_string()).collect();
    assert_eq!(seen, expected);
    assert_eq!(alone.polled(&user.token, "title").await, expected);
    let waiting = alone.poll.request(Method::GET, &format!("/api/v1/events/poll?cursor={last}&wait=20"));
    let (page, _) = tokio::join!(fetch(waiting.bearer_auth(&user.token)), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.notify_with(&numbered(30), "?wait=0", None).await
    });
    assert_eq!(page.body[0]["title"], "30");
    let without_cursor =
        fetch(alone.poll.request(Method::GET, "/api/v1/events/poll").bearer_auth(&user.token)).await;
    assert_eq!(without_cursor.status, StatusCode::UNPROCESSABLE_ENTITY);
    let began =
        fetch(alone.poll.request(Method::GET, "/api/v1/events/poll?cursor=now").bearer_auth(&user.token))
            .await;
    assert_eq!(began.body[0]["type"], "reset");
    assert!(began.headers.contains_key("x-next-cursor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_cookie_opens_a_stream_without_a_database() {
    if is_skipped() {
        return;
    }
    let alone = Alone::start(false).await;
    let user = alone.signed_in(&alone.stack.client().user("mueller")).await;
    let session = alone.stack.client().request(Method::POST, "/auth/session").bearer_auth(&user.token);
    let cookie = fetch(session).await.headers["set-cookie"].to_str().expect("a cookie").to_owned();
    let cookie = cookie.split(';').next().expect("a value").to_owned();
    let poll = alone.poll.request(Method::GET, "/api/v1/events/poll?cursor=0").header("Cookie", cookie);
    assert_eq!(fetch(poll).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_get_the_messages_of_their_rooms_from_the_join_to_the_leave() {
    if is_skipped() {
        return;
    }
    let alone = Alone::start(true).await;
    let client = alone.stack.client();
    let [anna, bert] = client.provisioned_users(["anna", "bert"]).await;
    let streamed = alone.signed_in(&bert).await;
    let created = anna.post("/api/v1/rooms", &json!({ "name": "Projekt", "invite_users": [] })).await;
    let room = created.body["matrix_room_id"].as_str().expect("a room").to_owned();
    let say = async |body: &str| {
        let message = json!({ "room_id": room, "body": body, "msg_type": "m.text", "txn_id": body });
        assert!(anna.post("/api/v1/messages/send", &message).await.status.is_success(), "{body}");
    };
    let mut stream = streamed.stream(None).await;
    let in_room = format!("/api/v1/rooms/{}", segment(&room));
    say("before the join").await;
    // Homeservers push messages: the stream orders them by their arrival here.
    let heard = alone.signed_in(&anna).await;
    heard.stream(Some("0")).await.next_of("new_message").await;
    let invited = anna.post(&format!("{in_room}/invite"), &json!({ "hub_user_id": "bert" })).await;
    assert!(invited.status.is_success(), "{}", invited.body);
    bert.post(&format!("{in_room}/join"), &json!({})).await;
    stream.next_of("room_joined").await;
    say("for bert").await;
    assert_eq!(stream.next_of("new_message").await["body"], "for bert");
    let left = bert.post(&format!("{in_room}/leave"), &json!({})).await;
    assert!(left.status.is_success(), "{}", left.body);
    stream.next_of("room_left").await;
    say("after the leave").await;
    // It follows all messages in the log.
    client.notify_with(&numbered(1), "?wait=0", None).await;
    let rest = stream.next_of("notification").await;
    assert_eq!(rest["title"], "1", "{rest}");
    let bodies = alone.polled(&bert.token, "body").await;
    assert!(bodies.is_empty(), "a room that was left shows nothing: {bodies:?}");
    let annas = alone.polled(&anna.token, "body").await;
    assert_eq!(annas, ["before the join", "for bert", "after the leave"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_streams_and_tokens_without_a_database() {
    if is_skipped() {
        return;
    }
    let alone = Alone::start(false).await;
    let client = alone.stack.client();
    let boss = client.user_with_role("boss", "admin", 1);
    let hub = issued(100, 1);
    let login = client.request(Method::POST, "/auth/hub-login").json(&json!({ "hub_token": hub }));
    let mut anna = client.user("anna");
    anna.token = fetch(login).await.body["access_token"].as_str().expect("a token").to_owned();
    let user = alone.signed_in(&anna).await;
    let mut stream = user.stream(None).await;
    let logged_out = boss.post("/api/v1/admin/users/anna/logout", &json!({})).await;
    assert_eq!(logged_out.status, StatusCode::OK, "{}", logged_out.body);
    client.notify_with(&numbered(1), "?wait=0", None).await;
    stream.next_of("access_withdrawn").await;
    // The rights were copied before the event.
    assert_eq!(alone.status_and_code(&anna.token, "0").await, (401, "token_revoked".to_owned()));
    assert!(user.try_stream(Some("0")).await.is_err());
    assert_eq!(alone.status_and_code(&hub, "0").await.0, 200, "the Hub's token signs in again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_user_loses_the_former_tenant_without_a_database() {
    if is_skipped() {
        return;
    }
    let alone = Alone::start(false).await;
    let client = alone.stack.client();
    let (old, new) = (issued(100, 1), issued(50, 2));
    let mut anna = client.user("anna");
    anna.token.clone_from(&old);
    let user = alone.signed_in(&anna).await;
    let mut stream = user.stream(None).await;
    // Nobody has stored the newer token: it neither shows the one tenant nor the other.
    assert_eq!(alone.status_and_code(&new, "0").await, (503, "not_ready".to_owned()));
    let me = fetch(client.request(Method::GET, "/api/v1/users/me").bearer_auth(&new)).await;
    assert_eq!(me.status, StatusCode::OK);
    client.notify_with(&numbered(1), "?wait=0", None).await;
    stream.next_of("access_withdrawn").await;
    assert_eq!(alone.status_and_code(&old, "0").await, (401, "token_superseded".to_owned()));
    assert!(user.try_stream(Some("0")).await.is_err());
    assert_eq!(alone.status_and_code(&new, "0").await.0, 200);
    let titles = alone.polled(&new, "title").await;
    assert!(titles.is_empty(), "the notification is of the former tenant: {titles:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_user_reads_nothing_new_while_no_relay_works() {
    if is_skipped() {
        return;
    }
    let mut alone = Alone::start(false).await;
    let client = alone.stack.client();
    let boss = client.user_with_role("boss", "admin", 1);
    let hub = issued(100, 1);
    let ours = signed(
        &json!({
            "sub": "anna", "role": "user", "tenant_id": 1, "display_name": "Anna", "iss": "messenger-service",
            "iat": in_seconds(-100), "hub_iat": in_seconds(-100), "exp": in_seconds(3600),
        }),
        secret_key(),
    );
    let mut anna = client.user("anna");
    anna.token = hub;
    alone.signed_in(&anna).await;
    client.notify_with(&numbered(1), "?wait=0", None).await;
    wait_until("the first one is copied", async || alone.polled(&ours, "title").await == ["1"]).await;
    alone.stack.kill_worker();
    boss.post("/api/v1/admin/users/anna/logout", &json!({})).await;
    client.notify_with(&numbered(2), "?wait=0", None).await;
    let mut user = alone.events.user("anna");
    user.token.clone_from(&ours);
    let mut stream = user.stream(Some("0")).await;
    let events = stream.within(Duration::from_secs(5)).await;
    let titles: Vec<_> =
        events.iter().filter_map(|event| event.json()["title"].as_str().map(str::to_owned)).collect();
    assert_eq!(titles, ["1"]);
    alone.stack.start_worker();
    wait_until("the logout is copied", async || alone.status_and_code(&ours, "0").await.0 == 401).await;
}
