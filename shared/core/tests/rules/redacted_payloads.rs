//! Redacted text is removed from replays, polls, the memory of every process, and answers to retries.

use std::time::Duration;

use messenger_core::{
    cursor::Since,
    id::{EventId, MatrixUserId, RoomId},
    live::event_stream::EventStream,
    message::OutgoingMessage,
    user::Caller,
};
use messenger_testkit::{
    TestMessenger, fixtures, messenger,
    sse::{Reader, SseEvent},
};
use serde_json::json;

use crate::in_general_room;

const SECRET: &str = "my password";

struct Fixture {
    messenger: TestMessenger,
    anna: Caller,
    room: RoomId,
}

fn anna() -> MatrixUserId {
    MatrixUserId::new("@anna:hub.local")
}

impl Fixture {
    async fn new() -> Self {
        let messenger = messenger().build();
        let (anna, room) = in_general_room(&messenger, "anna").await;
        Self { messenger, anna, room }
    }

    async fn receive(&self, event: &EventId) {
        let pushed = self.messenger.homeserver.room_event(&self.room, event);
        self.messenger.ingest().receive(vec![pushed]).await.expect("received");
    }

    async fn send_text(&self, body: &str) -> EventId {
        let event = self.messenger.homeserver.send_text(&self.room, &anna(), body);
        self.receive(&event).await;
        event
    }

    async fn edit(&self, of: &EventId, body: &str) -> EventId {
        let content = json!({
            "msgtype": "m.text", "body": "*", "m.new_content": { "msgtype": "m.text", "body": body },
            "m.relates_to": { "rel_type": "m.replace", "event_id": of },
        });
        let event = self.messenger.homeserver.send_event(&self.room, &anna(), "m.room.message", content);
        self.receive(&event).await;
        event
    }

    async fn redact(&self, of: &EventId) {
        let event = self.messenger.homeserver.redact(&self.room, &anna(), of);
        self.receive(&event).await;
    }

    /// Returns the head of the log. Processes with a broker remember all later events.
    async fn cursor(&self) -> String {
        catch_up().await;
        self.messenger.ports.feed.span().await.expect("a span").head.to_string()
    }

    /// Returns the events that a stream of this process replays from a cursor.
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

/// Lets the broker of each process read new events.
async fn catch_up() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}

fn holds(events: &[SseEvent], text: &str) -> bool {
    events.iter().any(|event| event.data.contains(text))
}

#[tokio::test(start_paused = true)]
async fn a_redacted_message_is_replayed_empty_by_every_process() {
    let fixture = Fixture::new().await;
    // The first process receives the redaction, the second reads the log, and the third starts afterwards.
    let second = fixture.messenger.another_process();
    let _brokers = [fixture.messenger.run_broker(), second.run_broker()];
    let cursor = fixture.cursor().await;
    let message = fixture.send_text(SECRET).await;
    fixture.edit(&message, "my password, again").await;
    fixture.send_text("something else").await;
    catch_up().await;
    for process in [&fixture.messenger, &second] {
        assert!(holds(&fixture.replayed(process, &cursor).await, SECRET));
    }
    let before = fixture.replayed(&second, &cursor).await;
    let before: Vec<_> = before.into_iter().map(|event| event.id).collect();
    fixture.redact(&message).await;
    catch_up().await;
    let late = fixture.messenger.another_process();
    let _broker = late.run_broker();
    for process in [&fixture.messenger, &second, &late] {
        let events = fixture.replayed(process, &cursor).await;
        assert!(!holds(&events, SECRET) && holds(&events, "something else"));
        let ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
        assert_eq!(ids[..ids.len() - 1], before[..], "no cursor is lost");
        let emptied = events.iter().find(|event| event.kind() == "new_message").expect("the message").json();
        assert_eq!((&emptied["event_id"], &emptied["body"]), (&json!(message), &json!("")));
        assert_eq!(emptied["redacted"], true);
    }
    let page = fixture.polled().await;
    assert!(!page.contains(SECRET) && page.contains("something else"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn events_newer_than_a_redacted_message_are_still_remembered() {
    let fixture = Fixture::new().await;
    let _broker = fixture.messenger.run_broker();
    catch_up().await;
    let message = fixture.send_text(SECRET).await;
    let cursor = fixture.cursor().await;
    fixture.send_text("newer").await;
    fixture.redact(&message).await;
    catch_up().await;
    let mut event_stream =
        fixture.messenger.streams().subscribe(&fixture.anna, Some(&cursor)).await.expect("a stream");
    let preamble = event_stream.next().await.expect("first bytes");
    assert!(String::from_utf8_lossy(&preamble).contains("newer"));
}

#[tokio::test(start_paused = true)]
async fn a_redacted_edit_is_replayed_empty_and_its_message_is_not() {
    let fixture = Fixture::new().await;
    let _broker = fixture.messenger.run_broker();
    let cursor = fixture.cursor().await;
    let message = fixture.send_text("hello").await;
    let edit = fixture.edit(&message, SECRET).await;
    catch_up().await;
    assert!(holds(&fixture.replayed(&fixture.messenger, &cursor).await, SECRET));
    fixture.redact(&edit).await;
    catch_up().await;
    let events = fixture.replayed(&fixture.messenger, &cursor).await;
    assert!(!holds(&events, SECRET));
    let last = events.last().expect("an event").json();
    assert_eq!((&last["type"], &last["body"]), (&json!("message_edited"), &json!("hello")));
}

#[tokio::test(start_paused = true)]
async fn a_message_redacted_before_its_push_is_never_published() {
    let fixture = Fixture::new().await;
    let _broker = fixture.messenger.run_broker();
    let content = OutgoingMessage::text(SECRET, "m.text");
    let sent = fixture
        .messenger
        .service
        .messages()
        .send(&fixture.anna, &fixture.room, content, Some("1"))
        .await
        .expect("sent");
    fixture.redact(&sent.event_id).await;
    // Without a push the message is read from the room, where it is empty.
    catch_up().await;
    fixture.messenger.drain_background().await;
    assert!(!fixture.polled().await.contains(SECRET));
    assert_eq!(fixture.messenger.rooms().list(&fixture.anna).await.expect("rooms")[0].last_message, None);
    // A late push still has the text.
    let late = fixture.messenger.homeserver.send_text(&fixture.room, &anna(), SECRET);
    let pushed = fixture.messenger.homeserver.room_event(&fixture.room, &late);
    fixture.redact(&late).await;
    fixture.messenger.another_process().ingest().receive(vec![pushed]).await.expect("received");
    assert!(!fixture.polled().await.contains(SECRET));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_not_answered_with_what_was_redacted() {
    let fixture = Fixture::new().await;
    let send = async |body: &str| {
        let content = OutgoingMessage::text(body, "m.text");
        fixture
            .messenger
            .service
            .messages()
            .send(&fixture.anna, &fixture.room, content, Some("1"))
            .await
            .expect("sent")
    };
    let first = send(SECRET).await;
    fixture.receive(&first.event_id).await;
    assert_eq!(send(SECRET).await, first, "a retry returns the first message");
    fixture.redact(&first.event_id).await;
    let again = send("another text").await;
    assert_eq!((&again.event_id, again.body.as_str()), (&first.event_id, "another text"));
}

#[tokio::test(start_paused = true)]
async fn a_notification_keeps_its_text() {
    let fixture = Fixture::new().await;
    let first =
        fixture.messenger.send(fixtures::draft("stock is low"), Duration::from_secs(3)).await.notification;
    let event = first.event.expect("sent");
    fixture.receive(&event).await;
    fixture.redact(&event).await;
    assert!(fixture.polled().await.contains("stock is low"), "the text belongs to the satellite");
}
