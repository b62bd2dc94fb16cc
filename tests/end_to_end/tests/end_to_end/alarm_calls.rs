//! Calls about alarms: forty reports are one alarm, which people acknowledge and satellites end.

use std::time::Duration;

use futures::future::join_all;
use messenger_tests::{EventStream, Stack};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// The longest that an effect may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

fn report(fields: &Value) -> Value {
    let mut body = json!({
        "source_app": "fertigungs-app", "event_type": "alarm", "title": "Öldruck", "dedup_key": "press-7",
        "ack_required": true,
    });
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    body
}

/// Reads a stream until its alarm has a state. Returns that alarm.
async fn until_state(stream: &mut EventStream, state: &str) -> Value {
    loop {
        let alarm = stream.next_of("alarm").await["alarm"].clone();
        if alarm["state"] == state {
            return alarm;
        }
    }
}

#[tokio::test]
async fn forty_reports_at_once_are_one_alarm_that_is_acknowledged_and_ends() {
    let stack = Stack::start().await;
    let client = stack.client();
    let [anna, bert] = client.provisioned_users(["anna", "bert"]).await;
    let mut stream = bert.stream(None).await;
    let body = report(&json!({}));
    let answers = join_all((0..40).map(|_| client.notify_with(&body, "?wait=0", None))).await;
    let first = answers.iter().filter(|answer| answer.body["alarm"]["deduplicated"] == false);
    assert_eq!((answers.len(), first.count()), (40, 1), "{:?}", answers[0].body);
    let id = &answers[0].body["alarm"]["id"];
    let path = format!("/api/v1/alarms/{id}");
    let alarm = anna.get(&path).await.body;
    assert_eq!((&alarm["occurrences"], &alarm["state"]), (&json!(40), &json!("active_unack")));
    assert_eq!(stream.next_of("notification").await["alarm_id"], *id);
    let log = client.get_as_satellite("/api/v1/notifications/log?limit=100").await.body;
    assert_eq!(log["notifications"].as_array().map(Vec::len), Some(40));

    let acked = anna.post(&format!("{path}/ack"), &json!({ "episode": 1, "comment": "komme" })).await.body;
    assert_eq!(
        (&acked["changed"], &acked["alarm"]["acked_by"]["hub_user_id"]),
        (&json!(true), &json!("anna"))
    );
    assert_eq!(until_state(&mut stream, "active_ack").await, acked["alarm"], "the event has the alarm");
    let resolve =
        json!({ "source_app": "fertigungs-app", "dedup_key": "press-7", "event_action": "resolve" });
    let resolved = client.notify_with(&resolve, "?wait=0", None).await.body;
    assert_eq!(resolved["alarm"]["state"], "normal", "{resolved}");
    until_state(&mut stream, "normal").await;

    let journal = bert.get(&format!("{path}/journal?limit=500")).await.body;
    let entries = journal["entries"].as_array().expect("entries");
    let causes: Vec<_> = entries.iter().map(|entry| entry["cause"].as_str().expect("a cause")).collect();
    assert_eq!((causes.len(), &causes[..3]), (42, &["resolve", "acknowledge", "trigger"][..]));
    let deadline = Instant::now() + PATIENCE;
    while client.get_as_satellite(&format!("/api/v1/notifications/{}", answers[39].body["id"])).await.body["status"]
        != "sent"
    {
        assert!(Instant::now() < deadline, "the message does not show all reports");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_first_report_is_answered_when_its_message_stands_in_the_room() {
    let stack = Stack::start().await;
    let client = stack.client();
    let [anna] = client.provisioned_users(["anna"]).await;
    let sent = client.notify(&report(&json!({}))).await.body;
    assert_eq!((&sent["status"], sent["matrix_event_id"].is_string()), (&json!("sent"), true), "{sent}");
    let inbox = anna.get("/api/v1/notifications/inbox").await.body;
    client.notify_with(&report(&json!({})), "?wait=0", None).await;
    let later = anna.get("/api/v1/notifications/inbox").await.body;
    assert_eq!((&inbox["notifications"][0]["notification_id"], &inbox), (&sent["id"], &later));
}
