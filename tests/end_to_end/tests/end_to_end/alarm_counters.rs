//! Alarms that are reported often: one message, few edits, and no report is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use messenger_tests::{
    AlarmMessages, Begun, Client, Reports, Stack, Unread,
    client::{fetch, service_token},
    eventually, is_conduit, is_skipped_on_deployment, rounds, wait_until,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, sleep_until},
};

/// The longest time until the last edit of a counter.
const LAST_EDIT: Duration = Duration::from_mins(4);

/// The number of reports, and the pause between two of them.
const REPORTS: usize = 40;
const PAUSE: Duration = Duration::from_millis(220);

#[tokio::test]
async fn forty_reports_within_ten_seconds_are_one_unread_message_with_few_edits() {
    let stack = Stack::start().await;
    let client = stack.client();
    let [anna] = client.provisioned_users(["anna"]).await;
    let element = stack.matrix("anna").await;
    let room = element.rooms(1).await.remove(0);
    let mut unread = Unread::of(&element, &room).await;
    let reports = Reports::of(&client, "press-7:oil");

    let begun = Instant::now();
    let Begun { alarm: id, report: first, root, .. } = reports.begin().await;
    assert_eq!(unread.after(&element, &root).await, 1, "the root message is unread");
    let mut numbers = vec![json!(first)];
    for _ in 1..REPORTS {
        numbers.push(reports.send(&json!({})).await["id"].clone());
        sleep(PAUSE).await;
    }
    println!("{REPORTS} reports took {:?}", begun.elapsed());
    assert_eq!(anna.alarm(id).await["occurrences"], REPORTS);

    let messages = eventually(async || {
        let messages = AlarmMessages::of(element.messages(&room).await, id);
        messages.text().contains(&format!("{REPORTS}×")).then_some(messages)
    })
    .await;
    let [roots, edits, rings] = [&messages.roots, &messages.edits, &messages.rings].map(Vec::len);
    println!("{roots} root message, {edits} edits, {rings} rings");
    assert!(roots == 1 && edits <= 4 && rings == 0, "{messages:#?}");
    assert_eq!(messages.root(), root);
    let last = messages.edits.last().expect("an edit")["event_id"].as_str().expect("an event id");
    assert_eq!(unread.after(&element, last).await, 1, "edits are not unread messages");
    if !is_conduit() {
        assert_eq!(element.notified().await, [root.as_str()], "edits do not notify");
    }

    wait_until("all reports are sent", async || {
        let log = client.get_as_satellite("/api/v1/notifications/log?limit=100").await.body;
        let rows = log["notifications"].as_array().expect("rows");
        let mut logged: Vec<&Value> = rows.iter().map(|row| &row["id"]).collect();
        logged.reverse();
        assert!(logged.iter().copied().eq(&numbers), "each report has a row: {logged:?}");
        rows.iter().all(|row| row["status"] == "sent" && row["matrix_event_id"] == root.as_str())
    })
    .await;
}

/// The size of a batch, and the batches of a second.
const BATCH: usize = 100;
const BATCHES: usize = 20;
/// The seconds of the burst.
const SECONDS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_reports_a_second_are_counted_exactly_and_delay_nobody() {
    if is_skipped_on_deployment("it reads the database") {
        return;
    }
    let stack = Stack::start().await;
    let client = stack.client();
    let [anna] = client.provisioned_users(["anna"]).await;
    let reports = Reports::of(&client, "press-7:oil");
    let Begun { alarm: id, room, .. } = reports.begin().await;

    let others = Others::start(&client);
    let seconds = rounds(SECONDS);
    let begun = Instant::now();
    let mut calls = JoinSet::new();
    for n in 0..seconds * BATCHES {
        calls.spawn(send_batch(client.clone(), reports.body(&json!({}))));
        let next = Duration::from_secs(1) * u32::try_from(n + 1).expect("few")
            / u32::try_from(BATCHES).expect("few");
        sleep_until(begun + next).await;
    }
    calls.join_all().await;
    let total = seconds * BATCHES * BATCH + 1;
    println!("{total} reports were accepted within {:?}", begun.elapsed());
    assert_eq!(anna.alarm(id).await["occurrences"], total);

    let bot = stack.matrix_bot().await;
    let all_sent = "select count(*)::text from notifications where title = $1 and status <> 'sent'";
    let deadline = Instant::now() + LAST_EDIT;
    let messages = loop {
        let messages = AlarmMessages::of(bot.messages(&room).await, id);
        let unsent = stack.query(all_sent, "Öldruck zu niedrig").await;
        if messages.text().contains(&format!("{total}×")) && unsent.as_deref() == Some("0") {
            break messages;
        }
        assert!(Instant::now() < deadline, "{unsent:?} reports are not sent: {}", messages.text());
        sleep(Duration::from_millis(200)).await;
    };
    let events = messages.roots.len() + messages.edits.len() + messages.rings.len();
    println!(
        "the room has {events} events of the alarm; the slowest other call took {:?}",
        others.end().await
    );
    assert!(messages.roots.len() == 1 && events <= 10, "{messages:#?}");
    assert_eq!(anna.journal(id).await.len(), total, "each report is in the journal once");
}

async fn send_batch(client: Client, body: Value) {
    let request = client
        .request(Method::POST, "/api/v1/notifications/batch")
        .header("X-Service-Token", service_token())
        .json(&json!({ "notifications": vec![body; BATCH] }));
    let response = fetch(request).await;
    assert_eq!(response.status, StatusCode::OK, "{}", response.body);
    let results = response.body["results"].as_array().expect("results");
    assert!(results.len() == BATCH && results.iter().all(|result| result["status"] == 201), "{results:?}");
}

/// Calls for other notifications during a burst.
struct Others {
    ends: Arc<AtomicBool>,
    calls: JoinHandle<Duration>,
}

impl Others {
    fn start(client: &Client) -> Self {
        let ends = Arc::<AtomicBool>::default();
        let (client, end) = (client.clone(), ends.clone());
        let calls = tokio::spawn(async move {
            let mut slowest = Duration::ZERO;
            while !end.load(Ordering::SeqCst) {
                let body = json!({ "source_app": "mes", "event_type": "e", "title": "Auftrag fertig" });
                let begun = Instant::now();
                let response = client.notify_with(&body, "?wait=0", None).await;
                assert_eq!(response.status, StatusCode::CREATED, "{}", response.body);
                slowest = slowest.max(begun.elapsed());
                sleep(Duration::from_millis(50)).await;
            }
            slowest
        });
        Self { ends, calls }
    }

    /// Returns the time of the slowest call.
    async fn end(self) -> Duration {
        self.ends.store(true, Ordering::SeqCst);
        self.calls.await.expect("all calls succeed")
    }
}
