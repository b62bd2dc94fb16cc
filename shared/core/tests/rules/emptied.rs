//! Redacted text is nowhere any more: not in replays, polls, the memory of any process, or answers to retries.

use std::time::Duration;

use messenger_core::{
    cursor::Since,
    id::{EventId, MatrixUserId, RoomId},
    live::event_stream::EventStream,
    message::MessageContent,
    user::Caller,
};
use messenger_testkit::{
    TestMessenger, fixtures, messenger,
    sse::{Reader, SseEvent},
};
use serde_json::json;

use crate::in_general_room;

const SECRET: &str = "my password";

struct Stand {
    messenger: TestMessenger,
    anna: Caller,
    room: RoomId,
}

fn anna() -> MatrixUserId {
    MatrixUserId::new("@anna:hub.local")
}

impl Stand {
    async fn new() -> Self {
        let messenger = messenger().build();
        let (anna, room) = in_general_room(&messenger, "anna").await;
        Self { messenger, anna, room }
    }

    async fn hears(&self, event: &EventId) {
        let told = self.messenger.homeserver.room_event(&self.room, event);
        self.messenger.receive(vec![told]).await.expect("received");
    }

    async fn says(&self, body: &str) -> EventId {
        let event = self.messenger.homeserver.send_text(&self.room, &anna(), body);
        self.hears(&event).await;
        event
    }

    async fn edits(&self, of: &EventId, body: &str) -> EventId {
        let content = json!({
            "msgtype": "m.text", "body": "*", "m.new_content": { "msgtype": "m.text", "body": body },
            "m.relates_to": { "rel_type": "m.replace", "event_id": of },
        });
        let event = self.messenger.homeserver.send_event(&self.room, &anna(), "m.room.message", content);
        self.hears(&event).await;
        event
    }

    async fn redacts(&self, of: &EventId) {
        let event = self.messenger.homeserver.redact(&self.room, &anna(), of);
        self.hears(&event).await;
    }

    /// Returns the end of the log. Processes that follow it by now remember what comes later.
    async fn cursor(&self) -> String {
        caught_up().await;
        self.messenger.ports.feed.span().await.expect("a span").head.to_string()
    }

    /// Returns the replay of a stream of this process from a cursor.
    async fn replayed(&self, process: &TestMessenger, cursor: &str) -> Vec<SseEvent> {
        let event_stream: EventStream =
            process.streams().subscribe(&self.anna, Some(cursor)).await.expect("a stream");
        let events = Reader::new(event_stream).within(Duration::from_secs(2)).await;
        events.into_iter().filter(|event| event.id.is_some() && event.kind() != "connected").collect()
    }

    async fn polled(&self) -> String {
        let since = Since::Cursor("0".to_owned());
        self.messenger.streams().poll(&self.anna, &since, Duration::ZERO).await.expect("a page").json()
    }
}

/// Lets each process that follows read what is new.
async fn caught_up() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}

fn holds(events: &[SseEvent], text: &str) -> bool {
    events.iter().any(|event| event.data.contains(text))
}

#[tokio::test(start_paused = true)]
async fn a_redacted_message_is_replayed_empty_by_every_process() {
    let stand = Stand::new().await;
    // One process hears of it, another only follows the log, and a third begins afterwards.
    let event_stream = stand.messenger.another_process();
    let _brokers = [stand.messenger.run_broker(), event_stream.run_broker()];
    let cursor = stand.cursor().await;
    let message = stand.says(SECRET).await;
    stand.edits(&message, "my password, again").await;
    stand.says("something else").await;
    caught_up().await;
    for process in [&stand.messenger, &event_stream] {
        assert!(holds(&stand.replayed(process, &cursor).await, SECRET));
    }
    let before = stand.replayed(&event_stream, &cursor).await;
    let before: Vec<_> = before.into_iter().map(|event| event.id).collect();
    stand.redacts(&message).await;
    caught_up().await;
    let late = stand.messenger.another_process();
    let _broker = late.run_broker();
    for process in [&stand.messenger, &event_stream, &late] {
        let events = stand.replayed(process, &cursor).await;
        assert!(!holds(&events, SECRET) && holds(&events, "something else"));
        let ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
        assert_eq!(ids[..ids.len() - 1], before[..], "no cursor is lost");
        let emptied = events.iter().find(|event| event.kind() == "new_message").expect("it is told").json();
        assert_eq!((&emptied["event_id"], &emptied["body"]), (&json!(message), &json!("")));
        assert_eq!(emptied["redacted"], true);
    }
    let page = stand.polled().await;
    assert!(!page.contains(SECRET) && page.contains("something else"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn what_is_newer_than_a_redacted_message_is_still_remembered() {
    let stand = Stand::new().await;
    let _broker = stand.messenger.run_broker();
    caught_up().await;
    let message = stand.says(SECRET).await;
    let cursor = stand.cursor().await;
    stand.says("newer").await;
    stand.redacts(&message).await;
    caught_up().await;
    let mut event_stream =
        stand.messenger.streams().subscribe(&stand.anna, Some(&cursor)).await.expect("a stream");
    let preamble = event_stream.next().await.expect("first bytes");
    assert!(String::from_utf8_lossy(&preamble).contains("newer"));
}

#[tokio::test(start_paused = true)]
async fn a_redacted_edit_is_replayed_empty_and_the_rest_is_not() {
    let stand = Stand::new().await;
    let _broker = stand.messenger.run_broker();
    let cursor = stand.cursor().await;
    let message = stand.says("hello").await;
    let edit = stand.edits(&message, SECRET).await;
    caught_up().await;
    assert!(holds(&stand.replayed(&stand.messenger, &cursor).await, SECRET));
    stand.redacts(&edit).await;
    caught_up().await;
    let events = stand.replayed(&stand.messenger, &cursor).await;
    assert!(!holds(&events, SECRET));
    let last = events.last().expect("an event").json();
    assert_eq!((&last["type"], &last["body"]), (&json!("message_edited"), &json!("hello")));
}

#[tokio::test(start_paused = true)]
async fn what_is_redacted_before_push_brings_it_is_never_told() {
    let stand = Stand::new().await;
    let _broker = stand.messenger.run_broker();
    let said = MessageContent::text(SECRET, "m.text");
    let sent = stand.messenger.service.send(&stand.anna, &stand.room, said, Some("1")).await.expect("sent");
    stand.redacts(&sent.event_id).await;
    // Push does not come: it is read from the room, where it is empty.
    caught_up().await;
    stand.messenger.drain_background().await;
    assert!(!stand.polled().await.contains(SECRET));
    assert_eq!(stand.messenger.rooms().list(&stand.anna).await.expect("rooms")[0].last_message, None);
    // And a push that was on its way, as it was said.
    let late = stand.messenger.homeserver.send_text(&stand.room, &anna(), SECRET);
    let told = stand.messenger.homeserver.room_event(&stand.room, &late);
    stand.redacts(&late).await;
    stand.messenger.another_process().ingest().receive(vec![told]).await.expect("received");
    assert!(!stand.polled().await.contains(SECRET));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_not_answered_with_what_was_redacted() {
    let stand = Stand::new().await;
    let say = async |body: &str| {
        let said = MessageContent::text(body, "m.text");
        stand.messenger.service.send(&stand.anna, &stand.room, said, Some("1")).await.expect("sent")
    };
    let sent = say(SECRET).await;
    stand.hears(&sent.event_id).await;
    assert_eq!(say("another text").await.body, SECRET, "the same transaction says the same");
    stand.redacts(&sent.event_id).await;
    let again = say("another text").await;
    assert_eq!((&again.event_id, again.body.as_str()), (&sent.event_id, "another text"));
}

#[tokio::test(start_paused = true)]
async fn a_notification_keeps_its_text() {
    let stand = Stand::new().await;
    let sent =
        stand.messenger.send(fixtures::draft("stock is low"), Duration::from_secs(3)).await.notification;
    let event = sent.event.expect("sent");
    stand.hears(&event).await;
    stand.redacts(&event).await;
    assert!(stand.polled().await.contains("stock is low"), "the text belongs to the satellite");
}
