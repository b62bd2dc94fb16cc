//! `kill -9` at random points, with outages of the homeserver: no report of an alarm is lost or counted twice, and
//! its message is one.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use messenger_core::{id::AlarmId, port::Alarms as _, rendering::alarm::AlarmMessage};
use messenger_store::{PgStore, StoreConfig};
use messenger_testkit::fixtures::TENANT;
use messenger_tests::{
    AlarmMessages, Client, Part, Reports, Stack, TestUser, is_skipped_on_deployment, rounds, wait_until,
};
use rand::Rng as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

/// The number of kills.
const ROUNDS: usize = 40;
/// The alarms, and the reports of each in a round.
const ALARMS: usize = 3;
const REPORTS: usize = 2;
/// The homeserver is away in one of so many rounds.
const OUTAGE: usize = 5;
/// The longest time until the last edit of a counter.
const LAST_EDIT: Duration = Duration::from_mins(4);

/// The number of entries that wait for an act of the service.
const WAITING: &str = "select ((select count(*) from alarm_inputs) \
    + (select count(*) from alarm_episodes where due is not null) \
    + (select count(*) from rings where state in ('waiting', 'sending')) \
    + (select count(*) from notifications where status not in ('sent', 'ignored')))::text where $1 = ''";

#[tokio::test(flavor = "multi_thread")]
async fn killed_processes_lose_and_double_no_report_of_an_alarm() {
    if is_skipped_on_deployment("it reads the database") {
        return;
    }
    let mut stack = Stack::start().await;
    let client = stack.client();
    let [anna] = client.provisioned_users(["anna"]).await;
    let faults: [Reports; ALARMS] = std::array::from_fn(|n| Reports::of(&client, &format!("press-{n}")));
    let mut alarms = [None; ALARMS];
    // The triggers of each alarm, and its further inputs, by the numbers of their notifications.
    let mut triggers: [BTreeMap<i64, usize>; ALARMS] = Default::default();
    let mut acts: [BTreeMap<i64, usize>; ALARMS] = Default::default();
    let rounds = rounds(ROUNDS);
    for round in 0..rounds {
        let mut calls = JoinSet::new();
        for (alarm, reports) in faults.iter().enumerate() {
            for n in 0..REPORTS {
                let (body, key) = (reports.body(&json!({})), format!("{round}.{alarm}.{n}"));
                calls.spawn(report_until_accepted(client.clone(), alarm, true, body, key));
            }
        }
        // One of the alarms is acknowledged, withdrawn, resolved or raised meanwhile.
        let alarm = round % ALARMS;
        let by_operator = alarms[alarm].filter(|_| round % 2 == 0).map(|id| {
            let act = ["ack", "unack", "resolve"][round / 2 % 3];
            tokio::spawn(act_until_answered(anna.clone(), id, act))
        });
        if round % 2 == 1 {
            let action = ["resolve", "acknowledge"][round / 2 % 2];
            let (body, key) = (faults[alarm].action(action), format!("act {round}"));
            calls.spawn(report_until_accepted(client.clone(), alarm, false, body, key));
        }
        kill(&mut stack, round).await;
        for call in calls.join_all().await {
            let of_alarm = if call.is_trigger { &mut triggers } else { &mut acts };
            assert!(of_alarm[call.alarm].insert(call.id, round).is_none(), "two calls got one notification");
            alarms[call.alarm] = alarms[call.alarm].or(call.alarm_id);
        }
        if let Some(by_operator) = by_operator {
            by_operator.await.expect("answered");
        }
    }
    wait_until_at_rest(&stack).await;
    for alarm in 0..ALARMS {
        let id = alarms[alarm].expect("an alarm");
        assert_eq!(triggers[alarm].len(), rounds * REPORTS);
        check(&stack, &anna, id, &triggers[alarm], &acts[alarm]).await;
    }
    let log = stack.log("messenger-worker");
    assert!(!log.contains("panicked"), "{log}");
}

/// Kills the service and the worker at a random moment, and starts them again. Now and then the homeserver is away
/// meanwhile.
async fn kill(stack: &mut Stack, round: usize) {
    let is_outage = round % OUTAGE == OUTAGE - 1;
    if is_outage {
        stack.kill(Part::Homeserver).await;
    }
    // From before the commit to after the homeserver's response.
    sleep(Duration::from_millis(rand::rng().random_range(0..150))).await;
    if !round.is_multiple_of(3) {
        stack.kill(Part::Worker).await;
    }
    if round % 3 != 1 {
        stack.kill(Part::Function("notifications")).await;
        stack.start_again(Part::Function("notifications")).await;
    }
    if !round.is_multiple_of(3) {
        stack.start_again(Part::Worker).await;
    }
    if is_outage {
        sleep(Duration::from_millis(rand::rng().random_range(0..1500))).await;
        stack.start_again(Part::Homeserver).await;
    }
}

/// An accepted report.
struct StoredReport {
    alarm: usize,
    is_trigger: bool,
    /// The number of the notification.
    id: i64,
    alarm_id: Option<i64>,
}

/// Sends a report until it is accepted, as a client with an idempotency key does.
async fn report_until_accepted(
    client: Client,
    alarm: usize,
    is_trigger: bool,
    body: Value,
    key: String,
) -> StoredReport {
    loop {
        match client.try_notify(&body, "?wait=1", &key).await {
            Ok(response) if response.status == StatusCode::CREATED => {
                let id = response.body["id"].as_i64().expect("an id");
                let alarm_id = response.body["alarm"]["id"].as_i64();
                return StoredReport { alarm, is_trigger, id, alarm_id };
            }
            Ok(response) => assert!(
                response.status == StatusCode::CONFLICT || response.status.is_server_error(),
                "{} {}",
                response.status,
                response.body
            ),
            Err(_) => {}
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Acts on an alarm until the service answers.
async fn act_until_answered(user: TestUser, id: i64, act: &str) {
    loop {
        if let Ok(response) = user.try_post(&format!("/api/v1/alarms/{id}/{act}"), &json!({})).await
            && !response.status.is_server_error()
        {
            assert!(response.status.is_success() || response.status == StatusCode::CONFLICT, "{response:?}");
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until nothing of any alarm is left to do.
async fn wait_until_at_rest(stack: &Stack) {
    let begun = Instant::now();
    loop {
        let waiting = stack.query(WAITING, "").await;
        if waiting.as_deref() == Some("0") {
            println!("at rest after {:?}", begun.elapsed());
            return;
        }
        assert!(begun.elapsed() < LAST_EDIT, "{waiting:?} entries wait");
        sleep(Duration::from_millis(500)).await;
    }
}

/// Checks that each input is applied once, and that the one root message shows the state.
async fn check(
    stack: &Stack,
    user: &TestUser,
    id: i64,
    triggers: &BTreeMap<i64, usize>,
    acts: &BTreeMap<i64, usize>,
) {
    let (alarm, journal) = (user.alarm(id).await, user.journal(id).await);
    let mut applied: Vec<_> = journal.iter().filter_map(|entry| entry["notification_id"].as_i64()).collect();
    applied.sort_unstable();
    let mut accepted: Vec<_> = triggers.keys().chain(acts.keys()).copied().collect();
    accepted.sort_unstable();
    assert_eq!(applied, accepted, "each input is in the journal once");
    assert_eq!((&alarm["occurrences"], &alarm["episode"]), (&json!(triggers.len()), &json!(1)), "{alarm}");
    assert_eq!(journal.last().expect("an entry")["state"], alarm["state"], "journal and state agree");

    let room = alarm["room_id"].as_str().expect("a room");
    let messages = AlarmMessages::of(stack.matrix_bot().await.messages(room).await, id);
    assert_eq!(messages.roots.len(), 1, "{:#?}", messages.roots);
    let sent_rings = "select count(*)::text from rings where alarm_id = $1::text::bigint and state = 'sent'";
    let sent_rings = stack.query(sent_rings, &id.to_string()).await;
    assert_eq!(sent_rings, Some(messages.rings.len().to_string()), "each ring is one message");
    let (database_url, listen_url) = (stack.database_url().to_owned(), None);
    let connect_wait = Duration::from_secs(30);
    let store = PgStore::new(&StoreConfig { database_url, listen_url, pool_size: 1, connect_wait });
    let stored = store.expect("a store").find(TENANT, AlarmId(id)).await.expect("found").expect("an alarm");
    let episode = stored.episode.as_ref().expect("an episode");
    let time_zone = &TimeZone::get("Europe/Berlin").expect("a time zone");
    let state = AlarmMessage { alarm: stored.id, episode, time_zone, recipient: None }.root();
    println!(
        "alarm {id}: {} edits, {} rings, {}",
        messages.edits.len(),
        messages.rings.len(),
        messages.text()
    );
    assert_eq!(messages.shown(), &state, "the root message shows the state");
}

/// The moment between the answer of the homeserver and its storage is made long by a lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_counts_although_the_process_that_sent_the_root_message_was_killed() {
    if is_skipped_on_deployment("it locks the database") {
        return;
    }
    let mut stack = Stack::start().await;
    let client = stack.client();
    let [anna] = client.provisioned_users(["anna"]).await;
    let (element, bot) = (stack.matrix("anna").await, stack.matrix_bot().await);
    let room = element.rooms(1).await.remove(0);
    stack.kill(Part::Worker).await;
    let reports = Reports::of(&client, "press-7:oil");
    let id = reports.send(&json!({})).await["alarm"]["id"].as_i64().expect("an id");

    let blocker = messenger_postgres::connect(stack.database_url()).await.expect("the database");
    blocker.batch_execute("begin; select from feed_head for update").await.expect("a lock");
    stack.start_again(Part::Worker).await;
    let mut message = String::new();
    wait_until("the homeserver has the root message", async || {
        let messages = AlarmMessages::of(bot.messages(&room).await, id);
        if let [sent] = messages.roots.as_slice() {
            sent["event_id"].as_str().expect("an event id").clone_into(&mut message);
        }
        !message.is_empty()
    })
    .await;
    element.react(&room, &message, "✅").await;
    stack.kill(Part::Worker).await;
    // A statement that waits for a lock goes on without its client.
    let end = "select count(pg_terminate_backend(pid))::text from pg_stat_activity \
               where query like '%store_alarm_message%' and pid <> pg_backend_pid() and $1 = ''";
    stack.query(end, "").await;
    let stored = "select root_event from alarm_episodes where alarm_id = $1::text::bigint";
    assert_eq!(stack.query(stored, &id.to_string()).await, None, "the process did not store its result");
    blocker.batch_execute("rollback").await.expect("unlocked");

    stack.start_again(Part::Worker).await;
    wait_until("the alarm is acknowledged", async || anna.alarm(id).await["state"] == "active_ack").await;
    assert_eq!(anna.alarm(id).await["acked_by"]["via"], "matrix");
    wait_until("the room shows it", async || {
        let messages = AlarmMessages::of(bot.messages(&room).await, id);
        assert_eq!(messages.roots.len(), 1, "{:#?}", messages.roots);
        messages.text().contains("quittiert von Name von anna")
    })
    .await;
}
