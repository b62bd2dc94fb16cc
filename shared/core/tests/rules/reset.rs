//! Cursors from which a stream cannot resume: one `reset`, and then live events.

use std::time::Duration;

use messenger_core::{
    cursor::{Gap, Since},
    event::Audience,
    id::RoomId,
    live::event_stream::EventStream,
};
use messenger_testkit::{MessengerBuilder, TestMessenger, fixtures, messenger, sse::Reader};

const ALL: Audience = Audience::Tenant(fixtures::TENANT);

async fn publish(messenger: &TestMessenger, body: &str) {
    messenger.ports.feed.append(&[fixtures::event(ALL, body)]).await.expect("appended");
}

fn with_small_replay() -> MessengerBuilder {
    messenger().settings(|settings| settings.replay_max = 5)
}

/// Opens a stream from this cursor. Returns the reason of its reset, if it begins with one, and the stream.
async fn reset(messenger: &TestMessenger, cursor: &str) -> (Option<String>, Reader<EventStream>) {
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let mut stream =
        Reader::new(messenger.streams().subscribe(&caller, Some(cursor)).await.expect("a stream"));
    let connected = stream.next().await.expect("connected");
    assert_eq!(connected.kind(), "connected");
    let preamble = stream.within(Duration::from_millis(1)).await;
    let reset = preamble.iter().find(|event| event.kind() == "reset");
    if let Some(reset) = reset {
        let head = messenger.ports.feed.span().await.expect("a span").head.to_string();
        assert_eq!(reset.id.as_deref(), Some(head.as_str()), "the reader continues from the head");
        assert_eq!(connected.json()["cursor"].to_string(), head);
    }
    (reset.map(|event| event.json()["reason"].as_str().expect("a reason").to_owned()), stream)
}

/// Returns whether the stream delivers live events.
async fn continues(messenger: &TestMessenger, mut stream: Reader<EventStream>) -> bool {
    publish(messenger, "live").await;
    let events = stream.within(Duration::from_secs(2)).await;
    events.iter().filter(|event| event.data.contains("live")).count() == 1
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_is_no_position_is_unknown() {
    let messenger = with_small_replay().build();
    let _broker = messenger.run_broker();
    publish(&messenger, "x").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for cursor in ["", "abc", "-1", "1.5", "0x1", "99999999999999999999", "1;2", "١"] {
        let (reason, stream) = reset(&messenger, cursor).await;
        assert_eq!(reason.as_deref(), Some("unknown_position"), "{cursor}");
        assert!(continues(&messenger, stream).await, "{cursor}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_beyond_the_log_is_unknown_and_the_stream_is_live() {
    let messenger = with_small_replay().build();
    let _broker = messenger.run_broker();
    for cursor in ["2", "1000000", "9223372036854775807"] {
        let (reason, stream) = reset(&messenger, cursor).await;
        assert_eq!(reason.as_deref(), Some("unknown_position"), "{cursor}");
        assert!(continues(&messenger, stream).await, "{cursor}");
        messenger.pass(Duration::from_hours(24 * 30));
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_events_are_replayed_only_by_a_process_that_remembers_them() {
    for started_before in [true, false] {
        let messenger = with_small_replay().build();
        let broker = started_before.then(|| messenger.run_broker());
        tokio::time::sleep(Duration::from_secs(1)).await;
        publish(&messenger, "1").await;
        publish(&messenger, "2").await;
        messenger.pass(Duration::from_hours(24 * 8));
        publish(&messenger, "3").await;
        messenger.ports.maintenance.rotate(messenger.settings().event_retention).await.expect("rotated");
        let _broker = broker.or_else(|| Some(messenger.run_broker()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (reason, stream) = reset(&messenger, "1").await;
        assert_eq!(reason.as_deref(), (!started_before).then_some("expired"));
        assert!(continues(&messenger, stream).await);
        let (reason, stream) = reset(&messenger, "2").await;
        assert_eq!(reason, None, "no later event was dropped");
        assert!(continues(&messenger, stream).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_too_far_behind_is_reset() {
    for started_before in [true, false] {
        let messenger = with_small_replay().build();
        let broker = started_before.then(|| messenger.run_broker());
        tokio::time::sleep(Duration::from_secs(1)).await;
        for n in 1..=10 {
            publish(&messenger, &n.to_string()).await;
            messenger
                .ports
                .feed
                .append(&[fixtures::event(Audience::Tenant(fixtures::OTHER_TENANT), "")])
                .await
                .expect("appended");
        }
        let _broker = broker.or_else(|| Some(messenger.run_broker()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        for (cursor, expected) in [("0", Some("too_far_behind")), ("8", Some("too_far_behind")), ("9", None)]
        {
            let (reason, _) = reset(&messenger, cursor).await;
            assert_eq!(reason.as_deref(), expected, "{cursor}: only the reader's own events count");
        }
        let (_, stream) = reset(&messenger, "0").await;
        assert!(continues(&messenger, stream).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_has_just_joined_a_busy_room_is_not_too_far_behind() {
    let room = RoomId::new("!1");
    let said = async |messenger: &TestMessenger, body: &str| {
        let event = fixtures::event(Audience::Room(fixtures::TENANT, room.clone()), body);
        messenger.ports.feed.append(&[event]).await.expect("appended");
    };
    for started_before in [true, false] {
        let messenger = with_small_replay().build();
        let broker = started_before.then(|| messenger.run_broker());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let anna = messenger.caller("anna", fixtures::TENANT).await;
        for _ in 0..10 {
            said(&messenger, "before").await;
        }
        let memberships = &messenger.ports.memberships;
        memberships.add(fixtures::TENANT, &room, anna.user.id()).await.expect("added");
        for _ in 0..3 {
            said(&messenger, "since").await;
        }
        let _broker = broker.or_else(|| Some(messenger.run_broker()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let stream = messenger.streams().subscribe(&anna, Some("0")).await.expect("a stream");
        let replayed = Reader::new(stream).within(Duration::from_millis(1)).await;
        let kinds: Vec<_> = replayed.iter().map(|event| event.kind().clone()).collect();
        assert_eq!(kinds, ["connected", "room_joined", "new_message", "new_message", "new_message"]);
        let page = messenger.streams().poll(&anna, &Since::Cursor("0".into()), Duration::ZERO).await;
        let page = page.expect("a page");
        assert_eq!((page.gap, page.events.len()), (None, 4));
        said(&messenger, "one").await;
        said(&messenger, "too many").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (reason, _) = reset(&messenger, "0").await;
        assert_eq!(reason.as_deref(), Some("too_far_behind"));
        let page = messenger.streams().poll(&anna, &Since::Cursor("0".into()), Duration::ZERO).await;
        assert_eq!(page.expect("a page").gap, Some(Gap::TooFarBehind));
    }
}
