//! Alarms while the homeserver cannot be reached.

use std::time::Duration;

use messenger_tests::{AlarmMessages, Part, Reports, Stack, wait_until};
use serde_json::json;
use tokio::time::Instant;

/// The time for a call that waits up to two seconds, on a busy machine.
const BUDGET: Duration = Duration::from_secs(10);
/// The number of reports during the outage.
const REPORTS: usize = 20;

#[tokio::test]
async fn alarms_live_on_without_the_homeserver_and_the_room_is_right_afterwards() {
    let mut stack = Stack::start().await;
    let client = stack.client();
    let [anna, bert] = client.provisioned_users(["anna", "bert"]).await;
    let (known, new) = (Reports::of(&client, "press-7:oil"), Reports::of(&client, "press-8:oil"));
    let room = known.begin().await.room;
    let mut stream = bert.stream(None).await;
    stack.stop(Part::Homeserver).await;

    let (mut slowest, mut ids) = (Duration::ZERO, Vec::new());
    for reports in [&known, &new] {
        let mut id = None;
        for n in 0..REPORTS {
            let begun = Instant::now();
            let query = if n < 2 { "?wait=2" } else { "?wait=0" };
            let answer = reports.send_with(&json!({}), query).await;
            slowest = slowest.max(begun.elapsed());
            assert_eq!(answer["status"], "pending", "{answer}");
            id = answer["alarm"]["id"].as_i64();
        }
        let id = id.expect("an id");
        for (act, state) in [("ack", "active_ack"), ("unack", "active_unack"), ("ack", "active_ack")] {
            let begun = Instant::now();
            let answer = anna.act(id, act, &json!({ "episode": 1 })).await;
            slowest = slowest.max(begun.elapsed());
            assert_eq!(answer["changed"], true, "{answer}");
            assert_eq!(bert.alarm(id).await["state"], state, "the web shows it");
            while stream.next_of("alarm").await["alarm"]["state"] != state {}
        }
        ids.push(id);
    }
    println!("the slowest call took {slowest:?}");
    assert!(slowest < BUDGET, "{slowest:?}");

    stack.start_again(Part::Homeserver).await;
    let returned = Instant::now();
    let bot = stack.matrix_bot().await;
    for (id, occurrences) in [(ids[0], REPORTS + 1), (ids[1], REPORTS)] {
        let texts = ["quittiert von Name von anna".to_owned(), format!("{occurrences}×")];
        wait_until("the room shows the alarm", async || {
            let messages = AlarmMessages::of(bot.messages(&room).await, id);
            texts.iter().all(|text| messages.text().contains(text))
        })
        .await;
        println!("alarm {id} is right {:?} after the return", returned.elapsed());
    }
    let (known, new) = (ids[0], ids[1]);
    let messages = bot.messages(&room).await;
    for (id, edits_max) in [(known, 2), (new, 1)] {
        let messages = AlarmMessages::of(messages.clone(), id);
        let [roots, edits, rings] = [&messages.roots, &messages.edits, &messages.rings].map(Vec::len);
        println!("alarm {id}: {roots} root message, {edits} edits, {rings} rings");
        assert!(roots == 1 && edits <= edits_max && rings == 0, "{messages:#?}");
    }
    wait_until("all reports are sent", async || {
        let log = client.get_as_satellite("/api/v1/notifications/log?limit=100").await.body;
        let rows = log["notifications"].as_array().expect("rows");
        rows.len() == 2 * REPORTS + 1 && rows.iter().all(|row| row["status"] == "sent")
    })
    .await;
}
