//! Containers come and go while clients read: no `GET` fails, and no notification is lost or doubled.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use messenger_core::lock;
use messenger_tests::{
    Client, Control, Stack, StreamRecorder, TestUser, client::service_token, control_of_deployment,
    wait_until,
};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const USERS: [&str; 6] = ["anna", "bert", "clara", "dora", "emil", "fritz"];
/// The pause between two requests of a client.
const PAUSE: Duration = Duration::from_millis(20);
/// The time in which a client reads before and after each act.
const CALM: Duration = Duration::from_secs(2);

/// The clients that read, and the satellite that sends.
struct Load {
    ends: Arc<AtomicBool>,
    /// While set, requests may fail: the only router restarts.
    router_restarts: Arc<AtomicBool>,
    reads: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
    sender: JoinHandle<Vec<i64>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_get_fails_and_no_notification_is_lost_or_doubled_while_containers_come_and_go() {
    let Some(control) = control_of_deployment() else { return };
    let stack = Stack::start().await;
    let client = stack.client();
    let users = client.provisioned_users(USERS).await;
    let recorder = StreamRecorder::start(&users[0]).await;
    // From now on, a poll of this reader returns all events.
    assert_eq!(users[1].get("/api/v1/events/poll").await.status, StatusCode::OK);
    let load = Load::start(&client, &users);
    come_and_go(&control, &load).await;
    let (ids, failures) = load.end().await;
    assert!(
        failures.is_empty(),
        "{} failures, first {:?}",
        failures.len(),
        &failures[..failures.len().min(10)]
    );
    let sent = |events: &[Value]| {
        let notifications = events.iter().filter(|event| event["type"] == "notification");
        notifications.filter_map(|event| event["notification_id"].as_i64()).collect::<Vec<_>>()
    };
    recorder.wait_until(|events| sent(events).len() >= ids.len()).await;
    assert_once(&ids, &sent(&recorder.events("notification")), "the stream");
    assert_once(&ids, &polled(&users[1]).await, "polls");
    assert_once(&ids, &logged(&client).await, "the log");
    assert_delivered(&client, &ids).await;
}

/// Scales, kills and restarts containers. Names each act if requests failed meanwhile.
async fn come_and_go(control: &Control, load: &Load) {
    load.observe("before", async {}).await;
    load.observe("rooms: 1 → 3", control.scale("rooms", 3)).await;
    control.measure("under load").await;
    load.observe("one of 3 rooms killed", control.kill("rooms")).await;
    load.observe("rooms: 3 → 1", control.scale("rooms", 1)).await;
    load.observe("worker restarted", control.restart("worker")).await;
    load.observe("PostgreSQL restarted", control.restart("postgres")).await;
    load.router_restarts.store(true, Ordering::SeqCst);
    control.restart("router").await;
    load.router_restarts.store(false, Ordering::SeqCst);
    load.observe("router restarted", async {}).await;
}

impl Load {
    fn start(client: &Client, users: &[TestUser]) -> Self {
        let (ends, router_restarts) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (reads, failures) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let readers = users.iter().map(|user| {
            let (user, satellite) = (user.clone(), client.clone());
            let (ends, excused) = (ends.clone(), router_restarts.clone());
            let (reads, failures) = (reads.clone(), failures.clone());
            tokio::spawn(async move {
                while !ends.load(Ordering::SeqCst) {
                    let rooms = user.request(Method::GET, "/api/v1/rooms");
                    let log = satellite.request(Method::GET, "/api/v1/notifications/log?limit=20");
                    for request in [rooms, log.header("X-Service-Token", service_token())] {
                        let was_excused = excused.load(Ordering::SeqCst);
                        let failure = read(request).await;
                        reads.fetch_add(1, Ordering::SeqCst);
                        let is_excused = was_excused || excused.load(Ordering::SeqCst);
                        lock(&failures).extend(failure.filter(|_| !is_excused));
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            })
        });
        let readers = readers.collect();
        let (client, sending) = (client.clone(), ends.clone());
        let sender = tokio::spawn(async move {
            let mut ids = Vec::new();
            while !sending.load(Ordering::SeqCst) {
                ids.push(send(&client, ids.len()).await);
                tokio::time::sleep(PAUSE * 5).await;
            }
            ids
        });
        Self { ends, router_restarts, reads, failures, readers, sender }
    }

    /// Lets the clients read during and after an act, and prints the number of reads and failures.
    async fn observe(&self, act: &str, acting: impl Future<Output = ()>) {
        let (reads, failures) = (self.reads.load(Ordering::SeqCst), lock(&self.failures).len());
        acting.await;
        tokio::time::sleep(CALM).await;
        // On a busy machine a read may take longer than that.
        wait_until("the clients read", async || self.reads.load(Ordering::SeqCst) > reads).await;
        let reads = self.reads.load(Ordering::SeqCst) - reads;
        let new = lock(&self.failures)[failures..].to_vec();
        println!("{act}: {reads} reads, {} failures {:?}", new.len(), new.first());
    }

    /// Ends the load. Returns the ids of the accepted notifications, and the failures of the readers.
    async fn end(self) -> (Vec<i64>, Vec<String>) {
        self.ends.store(true, Ordering::SeqCst);
        join_all(self.readers).await;
        let ids = self.sender.await.expect("the satellite");
        (ids, lock(&self.failures).clone())
    }
}

/// Makes a request. Returns the failure.
async fn read(request: RequestBuilder) -> Option<String> {
    match request.send().await {
        Ok(response) if response.status() == StatusCode::OK => None,
        Ok(response) => {
            let (path, status) = (response.url().path().to_owned(), response.status());
            Some(format!("{path}: {status} {}", response.text().await.unwrap_or_default()))
        }
        Err(error) => Some(format!("{error:?}")),
    }
}

/// Sends a notification until it is accepted, each time with the same key. Returns its id.
async fn send(client: &Client, n: usize) -> i64 {
    let body = json!({ "source_app": "load", "event_type": "e", "title": n.to_string() });
    loop {
        let key = format!("load-{n}");
        let response = client.notification(&body, "?wait=0", Some(&key)).send().await;
        if let Ok(response) = response
            && response.status() == StatusCode::CREATED
            && let Ok(accepted) = response.json::<Value>().await
            && let Some(id) = accepted["id"].as_i64()
        {
            return id;
        }
        tokio::time::sleep(PAUSE * 5).await;
    }
}

/// Returns the notifications of all events since the first poll.
async fn polled(user: &TestUser) -> Vec<i64> {
    let mut ids = Vec::new();
    loop {
        let page = user.get("/api/v1/events/poll").await.body;
        let events = page.as_array().expect("a bare array");
        if events.is_empty() {
            return ids;
        }
        let notifications = events.iter().filter(|event| event["type"] == "notification");
        ids.extend(notifications.filter_map(|event| event["notification_id"].as_i64()));
    }
}

/// Returns all notifications of the log, page by page.
async fn logged(client: &Client) -> Vec<i64> {
    let mut ids = Vec::new();
    loop {
        let path = format!("/api/v1/notifications/log?limit=200&offset={}", ids.len());
        let page = client.get_as_satellite(&path).await.body;
        let notifications = page["notifications"].as_array().expect("a list");
        if notifications.is_empty() {
            return ids;
        }
        ids.extend(notifications.iter().filter_map(|notification| notification["id"].as_i64()));
    }
}

/// Waits until each notification is in its room.
async fn assert_delivered(client: &Client, ids: &[i64]) {
    for id in ids {
        let path = format!("/api/v1/notifications/{id}");
        wait_until("the notification is sent", async || {
            client.get_as_satellite(&path).await.body["status"] == "sent"
        })
        .await;
    }
}

fn assert_once(sent: &[i64], found: &[i64], place: &str) {
    let (mut sent, mut found) = (sent.to_vec(), found.to_vec());
    sent.sort_unstable();
    found.sort_unstable();
    assert!(!sent.is_empty());
    let missing: Vec<_> = sent.iter().filter(|id| found.binary_search(id).is_err()).collect();
    let doubled: Vec<_> = found.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert!(missing.is_empty() && doubled.is_empty(), "{place}: missing {missing:?}, doubled {doubled:?}");
    assert_eq!(found.len(), sent.len(), "{place}");
}
