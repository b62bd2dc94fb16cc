//! A slow reader is disconnected; it loses no event and does not affect other readers.

use std::time::Duration;

use messenger_core::{event::Audience, live::event_stream::EventStream, user::Caller};
use messenger_testkit::{TestMessenger, fixtures, messenger, sse::Reader};

const EVENTS: usize = 400;

/// Appends more than the send buffer of a reader holds: 400 events of 4 KB.
async fn flood(messenger: &TestMessenger) {
    for n in 0..EVENTS {
        let body = format!("{n} {}", "x".repeat(4096));
        let event = fixtures::event(Audience::Tenant(fixtures::TENANT), &body);
        messenger.ports.feed.append(&[event]).await.expect("appended");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
}

async fn open(messenger: &TestMessenger, caller: &Caller, cursor: Option<&str>) -> Reader<EventStream> {
    Reader::new(messenger.streams().subscribe(caller, cursor).await.expect("a stream"))
}

/// Returns the numbers of the events that arrive until the stream ends or is silent.
async fn numbers(stream: &mut Reader<EventStream>) -> Vec<usize> {
    let events = stream.within(Duration::from_secs(1)).await;
    let messages = events.iter().filter(|event| event.kind() == "new_message");
    messages
        .map(|event| event.json()["body"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_disconnected_and_resumes_from_its_cursor() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let mut slow = open(&messenger, &caller, None).await;
    flood(&messenger).await;
    assert_eq!(messenger.broker().connections(), 0, "the send buffer is bounded");
    let mut read = numbers(&mut slow).await;
    assert_eq!(slow.next().await, None, "the stream has ended");
    let cursor = slow.decoder.last_id.clone();
    let mut again = open(&messenger, &caller, Some(&cursor)).await;
    read.extend(numbers(&mut again).await);
    assert_eq!(read, (0..EVENTS).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_does_not_slow_others_down() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let (anna, bert) =
        (messenger.caller("anna", fixtures::TENANT).await, messenger.caller("bert", fixtures::TENANT).await);
    let _slow = open(&messenger, &anna, None).await;
    let mut quick = open(&messenger, &bert, None).await;
    let reading = tokio::spawn(async move {
        let mut read = 0;
        while read < EVENTS {
            let event = quick.next_without_keepalives().await.expect("the stream continues");
            read += usize::from(event.kind() == "new_message");
        }
    });
    flood(&messenger).await;
    assert!(reading.is_finished(), "the quick reader has read all events");
    assert_eq!(messenger.broker().connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_reads_in_bursts_is_not_disconnected() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let mut stream = open(&messenger, &caller, None).await;
    for round in 0..20 {
        let events: Vec<_> = (0..90)
            .map(|n| {
                fixtures::event(Audience::Tenant(fixtures::TENANT), &format!("{n} {}", "x".repeat(4096)))
            })
            .collect();
        messenger.ports.feed.append(&events).await.expect("appended");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(numbers(&mut stream).await.len(), 90, "round {round}");
    }
}
