//! Acts of people on alarms with other Matrix clients, such as Element on a phone.

use messenger_tests::{
    AlarmMessages, EventStream, Matrix, Reports, Stack, TestUser, eventually, is_skipped_on_deployment,
    wait_until,
};
use serde_json::{Value, json};
use tokio::time::Instant;

/// An alarm in the general room, and a colleague who looks at it in the web.
struct Site {
    stack: Stack,
    reports: Reports,
    bert: TestUser,
    stream: EventStream,
    room: String,
    id: i64,
}

impl Site {
    /// Signs Anna and Bert in, and reports a fault.
    async fn start() -> Self {
        let stack = Stack::start().await;
        let client = stack.client();
        let [_, bert] = client.provisioned_users(["anna", "bert"]).await;
        let stream = bert.stream(None).await;
        let reports = Reports::of(&client, "press-7:oil");
        let begun = reports.begin().await;
        let mut site = Self { stack, reports, bert, stream, room: begun.room, id: begun.alarm };
        site.published("active_unack").await;
        site
    }

    /// Returns the next published alarm in this state.
    async fn published(&mut self, state: &str) -> Value {
        loop {
            let alarm = self.stream.next_of("alarm").await["alarm"].clone();
            if alarm["state"] == state {
                return alarm;
            }
        }
    }

    async fn messages(&self, client: &Matrix) -> AlarmMessages {
        AlarmMessages::of(client.messages(&self.room).await, self.id)
    }

    /// Waits until stream, web, journal and room show an act of Anna, and prints the time of each.
    async fn seen(&mut self, client: &Matrix, act: &str, cause: &str, state: &str, text: &str) {
        let begun = Instant::now();
        let published = self.published(state).await;
        let in_stream = begun.elapsed();
        assert_eq!(self.bert.alarm(self.id).await, published, "the web shows the published alarm");
        let journal = self.bert.journal(self.id).await;
        let entry = journal.last().expect("an entry");
        assert_eq!((&entry["cause"], &entry["via"]), (&json!(cause), &json!("matrix")), "{entry}");
        assert_eq!((&entry["hub_user_id"], &entry["outcome"]), (&json!("anna"), &json!("applied")));
        assert_eq!((&entry["display_name"], &entry["state"]), (&json!("Name von anna"), &json!(state)));
        assert!(entry["matrix_event_id"].is_string() && entry["at"].is_string(), "{entry}");
        if state == "active_ack" {
            let by = &published["acked_by"];
            assert_eq!((&by["hub_user_id"], &by["via"]), (&json!("anna"), &json!("matrix")), "{by}");
        }
        wait_until(text, async || self.messages(client).await.text().contains(text)).await;
        println!("{act}: in the stream after {in_stream:?}, in the room after {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn reactions_and_replies_of_another_client_are_seen_by_all() {
    let mut site = Site::start().await;
    let element = site.stack.matrix("anna").await;
    let message = site.messages(&element).await.root().to_owned();

    let room = site.room.clone();
    let reaction = element.react(&room, &message, "✅").await;
    site.seen(&element, "✅ on the root", "acknowledge", "active_ack", "quittiert von Name von anna").await;
    element.redact(&room, &reaction).await;
    site.seen(&element, "✅ taken back", "unacknowledge", "active_unack", "❗ unquittiert").await;

    site.reports.send(&json!({ "priority": "urgent" })).await;
    let ring = eventually(async || {
        let messages = site.messages(&element).await;
        messages.rings.first().map(|ring| ring["event_id"].as_str().expect("an event id").to_owned())
    })
    .await;
    element.react(&room, &ring, "👍🏽").await;
    site.seen(&element, "👍 on the ring", "acknowledge", "active_ack", "quittiert von Name von anna").await;
    let unacked = site.bert.act(site.id, "unack", &json!({ "episode": 1 })).await;
    assert_eq!(unacked["alarm"]["state"], "active_unack", "{unacked}");

    site.published("active_unack").await;
    element.reply(&room, &message, "Quittiert!").await;
    site.seen(&element, "reply", "acknowledge", "active_ack", "quittiert von Name von anna").await;
    element.reply(&room, &ring, "erledigt").await;
    site.seen(&element, "reply to the ring", "resolve", "normal", "behoben von Name von anna").await;
    let messages = site.messages(&element).await;
    assert_eq!((messages.roots.len(), messages.rings.len()), (1, 1), "{messages:#?}");
}

#[tokio::test]
async fn an_act_of_a_viewer_is_refused_and_told_once() {
    let mut site = Site::start().await;
    let vera = site.stack.client().user_with_role("vera", "viewer", 1);
    vera.wait_until_provisioned().await;
    let (element, room) = (site.stack.matrix("vera").await, site.room.clone());
    let message = site.messages(&element).await.root().to_owned();
    element.react(&room, &message, "✅").await;
    element.reply(&room, &message, "ok").await;
    let of_anna = site.stack.matrix("anna").await;
    of_anna.reply(&room, &message, "schaue nach").await;
    // Events of a room are ingested in their order: the acts of the viewer are done.
    let mut journal = Vec::new();
    wait_until("the comment is in the journal", async || {
        journal = site.bert.journal(site.id).await;
        journal.last().is_some_and(|entry| entry["cause"] == "comment")
    })
    .await;
    assert!(journal.iter().all(|entry| entry["cause"] != "acknowledge" || entry["outcome"] == "refused"));
    assert_eq!(site.bert.alarm(site.id).await["state"], "active_unack");
    let told = |messages: Vec<Value>| {
        let bodies =
            messages.into_iter().filter_map(|one| one["content"]["body"].as_str().map(str::to_owned));
        bodies.filter(|body| body.contains("darf Alarme nur lesen")).count()
    };
    wait_until("a notice", async || told(element.messages(&room).await) > 0).await;
    of_anna.react(&room, &message, "✅").await;
    site.published("active_ack").await;
    assert_eq!(told(element.messages(&room).await), 1, "one notice for one person");
}

#[tokio::test]
async fn a_reaction_to_the_fault_of_yesterday_does_not_acknowledge_that_of_today() {
    if is_skipped_on_deployment("it moves times in the database") {
        return;
    }
    let mut site = Site::start().await;
    let (element, room) = (site.stack.matrix("anna").await, site.room.clone());
    let yesterday = site.messages(&element).await.root().to_owned();
    site.bert.act(site.id, "resolve", &json!({})).await;
    site.published("normal").await;
    let move_back = "update alarm_episodes set started_at = started_at - interval '1 day', \
                     active_since = active_since - interval '1 day', cleared_at = cleared_at - interval '1 day', \
                     acked_at = acked_at - interval '1 day', ended_at = ended_at - interval '1 day' \
                     where alarm_id = $1::text::bigint returning number::text";
    assert_eq!(site.stack.query(move_back, &site.id.to_string()).await.as_deref(), Some("1"));

    let begun = site.reports.begin().await;
    assert_eq!((begun.alarm, begun.episode), (site.id, 2));
    let today = begun.root;
    assert_ne!(today, yesterday, "another episode has another root message");
    site.published("active_unack").await;
    element.react(&room, &yesterday, "✅").await;
    element.reply(&room, &yesterday, "erledigt").await;
    let refused = eventually(async || {
        let journal = site.bert.journal(site.id).await;
        let refused: Vec<_> = journal.into_iter().filter(|entry| entry["outcome"] == "refused").collect();
        (refused.len() == 2).then_some(refused)
    })
    .await;
    assert!(refused.iter().all(|entry| entry["reason"] == "episode_over"), "{refused:?}");
    let alarm = site.bert.alarm(site.id).await;
    assert_eq!((&alarm["state"], &alarm["episode"]), (&json!("active_unack"), &json!(2)), "{alarm}");
    element.react(&room, &today, "✅").await;
    site.seen(&element, "✅ on the fault of today", "acknowledge", "active_ack", "quittiert von").await;
}
