//! Event streams: the preamble, the replay, live events, and the final frame.

use std::time::Duration;

use messenger_core::{
    cursor::Since,
    event::Audience,
    id::{Position, RoomId},
    live::event_stream::EventStream,
    user::Caller,
};
use messenger_testkit::{
    TestMessenger, fixtures, messenger,
    sse::{Reader, SseEvent},
};

use crate::{NO_WAIT, pass};

const ALL: Audience = Audience::Tenant(fixtures::TENANT);

async fn open(messenger: &TestMessenger, caller: &Caller, cursor: Option<&str>) -> Reader<EventStream> {
    let mut stream = Reader::new(messenger.streams().subscribe(caller, cursor).await.expect("a stream"));
    assert_eq!(stream.next().await.expect("an event").kind(), "connected");
    stream
}

async fn publish(messenger: &TestMessenger, audience: Audience, body: &str) {
    messenger.ports.feed.append(&[fixtures::event(audience, body)]).await.expect("appended");
}

/// Returns the bodies of the messages that arrive within two seconds.
async fn received(stream: &mut Reader<EventStream>) -> Vec<String> {
    let events = stream.within(Duration::from_secs(2)).await;
    let real = events.iter().filter(|event| event.kind() == "new_message");
    real.map(|event| event.json()["body"].as_str().expect("a body").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_stream_begins_with_retry_its_cursor_and_connected() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    publish(&messenger, ALL, "before").await;
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let mut event_stream = messenger.streams().subscribe(&caller, None).await.expect("a stream");
    let preamble = event_stream.next().await.expect("first bytes");
    let expected = "retry: 3000\nid: 1\n\
        data: {\"app_version\":\"0.1.0\",\"cursor\":1,\"server_time\":\"2026-01-01T06:00:00.000000Z\",\
        \"token_expires_at\":\"2026-01-01T07:00:00.000000Z\",\"type\":\"connected\"}\n\n";
    assert_eq!(String::from_utf8_lossy(&preamble), expected);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_counted_for_its_tenant_while_it_is_open() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let foreign = messenger.caller("otto", fixtures::OTHER_TENANT).await;
    let streams = [open(&messenger, &anna, None).await, open(&messenger, &anna, None).await];
    let other = open(&messenger, &foreign, None).await;
    let open = || messenger.streams().open_by_tenant();
    assert_eq!(open(), [(fixtures::TENANT, 2), (fixtures::OTHER_TENANT, 1)]);
    let since = Since::Cursor("0".to_owned());
    messenger.streams().poll(&anna, &since, Duration::from_secs(1)).await.expect("a page");
    assert_eq!(open(), [(fixtures::TENANT, 2), (fixtures::OTHER_TENANT, 1)], "a poll is no stream");
    drop((streams, other));
    assert_eq!(open(), [(fixtures::TENANT, 0), (fixtures::OTHER_TENANT, 0)]);
}

#[tokio::test(start_paused = true)]
async fn the_preamble_arrives_at_once() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let start = tokio::time::Instant::now();
    open(&messenger, &caller, None).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_stream_receives_later_events() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    publish(&messenger, ALL, "before").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut stream = open(&messenger, &caller, None).await;
    messenger.send(fixtures::draft("Hallo"), NO_WAIT).await;
    let event = stream.next_without_keepalives().await.expect("an event");
    assert_eq!(
        (event.event.as_str(), event.id.as_deref(), event.kind().as_str()),
        ("", Some("2"), "notification")
    );
    let fields = event.json();
    assert_eq!((&fields["title"], &fields["source_app"]), (&"Hallo".into(), &"inventory".into()));
    assert_eq!((&fields["target_type"], &fields["priority"]), (&"general".into(), &"normal".into()));
    assert_eq!(fields["notification_id"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_replays_the_events_behind_its_cursor() {
    for remembered in [true, false] {
        let messenger = messenger().build();
        if remembered {
            // A running broker remembers events; a process that starts later reads the log.
            std::mem::forget(messenger.run_broker());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let caller = messenger.caller("anna", fixtures::TENANT).await;
        for n in 1..=6 {
            publish(
                &messenger,
                if n == 4 { Audience::Tenant(fixtures::OTHER_TENANT) } else { ALL },
                &n.to_string(),
            )
            .await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let _broker = (!remembered).then(|| messenger.run_broker());
        let mut stream = open(&messenger, &caller, Some("2")).await;
        publish(&messenger, ALL, "7").await;
        assert_eq!(received(&mut stream).await, ["3", "5", "6", "7"], "remembered: {remembered}");
        assert_eq!(stream.decoder.last_id, "7");
    }
}

#[tokio::test(start_paused = true)]
async fn events_that_a_process_no_longer_remembers_are_read_from_the_log() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let large = "x".repeat(100_000);
    for _ in 0..200 {
        publish(&messenger, ALL, &large).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    for cursor in [0, 20, 40, 199] {
        let mut stream = open(&messenger, &caller, Some(&cursor.to_string())).await;
        assert_eq!(received(&mut stream).await.len(), 200 - cursor, "from {cursor}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_at_the_head_replays_nothing() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    publish(&messenger, ALL, "1").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for cursor in ["1", " 1 ", "01"] {
        let mut stream = open(&messenger, &caller, Some(cursor)).await;
        assert_eq!(stream.decoder.last_id, "1");
        assert_eq!(received(&mut stream).await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_of_another_process_is_no_gap() {
    let messenger = messenger().build();
    let behind = messenger.another_process();
    let broker = behind.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(broker);
    for n in 1..=4 {
        publish(&messenger, ALL, &n.to_string()).await;
    }
    let mut stream = open(&behind, &caller, Some("2")).await;
    let _broker = behind.run_broker();
    assert_eq!(received(&mut stream).await, ["3", "4"], "neither a gap nor a repeat");
}

#[tokio::test(start_paused = true)]
async fn keepalives_come_at_least_every_twenty_seconds_and_move_no_cursor() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    publish(&messenger, ALL, "1").await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(open(&messenger, &caller, Some("0")).await);
    }
    for stream in &mut streams {
        stream.within(Duration::from_millis(100)).await;
        for _ in 0..5 {
            let next = tokio::time::timeout(Duration::from_secs(20), stream.next()).await;
            let event = next.expect("in time").expect("an event");
            assert_eq!((event.kind().as_str(), event.id, event.last_id.as_str()), ("keepalive", None, "1"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_token_expires() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let later = Caller { expires_at: caller.expires_at + Duration::from_mins(1), ..caller.clone() };
    let mut stream = open(&messenger, &caller, None).await;
    let mut other = open(&messenger, &later, None).await;
    pass(&messenger, Duration::from_hours(1)).await;
    let ended = stream.next_without_keepalives().await.expect("a final frame");
    assert_eq!((ended.kind().as_str(), ended.id), ("token_expired", None));
    assert_eq!(stream.next().await, None);
    publish(&messenger, ALL, "x").await;
    assert_eq!(received(&mut other).await, ["x"], "the other stream continues");
    assert_eq!(messenger.broker().connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_each_stream_with_its_own_retry_time() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(open(&messenger, &caller, None).await);
    }
    publish(&messenger, ALL, "last").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    messenger.broker().shut_down();
    let mut retries = Vec::new();
    for stream in &mut streams {
        let events: Vec<SseEvent> = stream.within(Duration::from_secs(1)).await;
        assert_eq!(
            events.iter().filter(|event| event.kind() == "new_message").count(),
            1,
            "pending events are written"
        );
        let retry = stream.decoder.retry.expect("a time");
        let last = events.last().expect("an event");
        assert_eq!(last.json(), serde_json::json!({ "type": "reconnect", "retry_ms": retry }));
        assert_eq!(last.id, None, "the final frame moves no cursor");
        retries.push(retry);
    }
    assert!(retries.iter().all(|retry| (500..=5000).contains(retry)), "{retries:?}");
    retries.sort_unstable();
    retries.dedup();
    assert!(retries.len() > 10, "clients do not reconnect at the same time");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_is_disconnected() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let stream = open(&messenger, &caller, None).await;
    assert_eq!(messenger.broker().connections(), 1);
    drop(stream);
    assert_eq!(messenger.broker().connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_a_rooms_events_from_the_join_to_the_leave() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let room = RoomId::new("!1");
    let in_room = || Audience::Room(fixtures::TENANT, room.clone());
    let mut stream = open(&messenger, &caller, None).await;
    for n in 0..3 {
        publish(&messenger, in_room(), "not mine").await;
        messenger.ports.memberships.add(fixtures::TENANT, &room, caller.user.id()).await.expect("added");
        publish(&messenger, in_room(), &n.to_string()).await;
        messenger.ports.memberships.remove(fixtures::TENANT, &room, caller.user.id()).await.expect("removed");
        publish(&messenger, in_room(), "no longer mine").await;
    }
    assert_eq!(received(&mut stream).await, ["0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_waits_until_the_log_can_be_read() {
    let messenger = messenger().build();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    messenger.memory.switch_off();
    assert!(
        messenger.streams().subscribe(&caller, None).await.is_err(),
        "it fails at once during a database outage"
    );
    messenger.memory.switch_on();
    let subscriber = messenger.clone();
    let waiting = tokio::spawn(async move { subscriber.streams().subscribe(&caller, None).await.is_ok() });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished());
    let _broker = messenger.run_broker();
    assert!(waiting.await.expect("it ends"));
    assert_eq!(messenger.ports.feed.span().await.expect("a span").head, Position(0));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_moves_receives_no_more_events_of_the_old_tenant() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let mut stream = open(&messenger, &caller, None).await;
    let others = messenger.caller("bert", fixtures::TENANT).await;
    let mut other = open(&messenger, &others, None).await;
    messenger.caller("anna", fixtures::OTHER_TENANT).await;
    publish(&messenger, ALL, "not for Anna").await;
    assert_eq!(received(&mut other).await, ["not for Anna"]);
    let left = stream.within(Duration::from_secs(30)).await;
    assert_eq!(left.last().map(SseEvent::kind).as_deref(), Some("access_withdrawn"));
    assert!(stream.next().await.is_none(), "the stream has ended");
}
