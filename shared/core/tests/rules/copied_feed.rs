//! A process whose copy of the event log is behind: a cursor of a process that is ahead stays valid, and none of
//! the events up to it comes again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use messenger_core::{
    Messenger, Ports, Result,
    audiences::Audiences,
    cursor::{Gap, PollPage, Since, Span},
    event::{Audience, Event, NewEvent},
    id::Position,
    port::Feed,
};
use messenger_testkit::{TestMessenger, fixtures, messenger, sse::Reader};

const ALL: Audience = Audience::Tenant(fixtures::TENANT);

/// A copy of a log that has its events up to a position.
struct Behind {
    log: Arc<dyn Feed>,
    position: AtomicI64,
}

impl Behind {
    fn shown(&self, events: Vec<Event>) -> Vec<Event> {
        let position = self.position.load(Ordering::SeqCst);
        events.into_iter().filter(|event| event.position.0 <= position).collect()
    }
}

#[async_trait]
impl Feed for Behind {
    async fn append(&self, events: &[NewEvent]) -> Result<usize> {
        self.log.append(events).await
    }

    async fn after(&self, cursor: Position, audiences: &Audiences, limit: i64) -> Result<Vec<Event>> {
        Ok(self.shown(self.log.after(cursor, audiences, limit).await?))
    }

    async fn next(&self, cursor: Position, limit: i64) -> Result<Vec<Event>> {
        Ok(self.shown(self.log.next(cursor, limit).await?))
    }

    async fn span(&self) -> Result<Span> {
        let span = self.log.span().await?;
        Ok(Span { head: Position(span.head.0.min(self.position.load(Ordering::SeqCst))), ..span })
    }

    async fn is_assigned(&self, position: Position) -> Result<bool> {
        self.log.is_assigned(position).await
    }

    async fn wait_beyond(&self, _: Position, patience: Duration) {
        tokio::time::sleep(patience.min(Duration::from_millis(50))).await;
    }
}

/// Returns a process that reads a copy with the events up to a position.
fn behind(messenger: &TestMessenger, position: i64) -> (Messenger, Arc<Behind>) {
    let ports = Ports::from(messenger);
    let feed = Arc::new(Behind { log: ports.feed.clone(), position: position.into() });
    (Messenger::new(&Ports { feed: feed.clone(), ..ports }, messenger.settings().clone()), feed)
}

async fn publish(messenger: &TestMessenger, bodies: &[&str]) {
    let events: Vec<_> = bodies.iter().map(|body| fixtures::event(ALL, body)).collect();
    messenger.ports.feed.append(&events).await.expect("appended");
}

fn bodies(page: &PollPage) -> Vec<String> {
    let json: Vec<serde_json::Value> = serde_json::from_str(&page.json()).expect("a JSON array");
    json.iter().map(|event| event["body"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_poll_from_a_process_that_is_ahead_gets_each_event_once() {
    let messenger = messenger().build();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    publish(&messenger, &["1", "2", "3"]).await;
    let (service, feed) = behind(&messenger, 1);
    let poll = async |service: &Messenger, since: Since| {
        service.streams().poll(&caller, &since, Duration::ZERO).await.expect("a page")
    };
    let reader = || Since::Reader(String::new());
    assert_eq!(poll(&messenger, reader()).await.cursor, Position(3));
    for since in [Since::Cursor("3".to_owned()), reader()] {
        let page = poll(&service, since).await;
        assert_eq!((bodies(&page).len(), page.gap, page.cursor), (0, None, Position(3)));
    }
    publish(&messenger, &["4"]).await;
    feed.position.store(4, Ordering::SeqCst);
    assert_eq!(bodies(&poll(&service, Since::Cursor("3".to_owned())).await), ["4"]);
    assert_eq!(bodies(&poll(&service, reader()).await), ["4"]);
    assert_eq!(poll(&service, Since::Cursor("9".to_owned())).await.gap, Some(Gap::Unknown));
}

#[tokio::test(start_paused = true)]
async fn a_stream_from_a_process_that_is_ahead_gets_each_event_once() {
    let messenger = messenger().build();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    publish(&messenger, &["1", "2", "3"]).await;
    let (service, feed) = behind(&messenger, 1);
    let broker = service.broker().clone();
    let running = tokio::spawn(async move { broker.run().await });
    let stream = service.streams().subscribe(&caller, Some("3")).await.expect("a stream");
    let mut stream = Reader::new(stream);
    publish(&messenger, &["4"]).await;
    feed.position.store(4, Ordering::SeqCst);
    let events = stream.within(Duration::from_secs(3)).await;
    let messages = events.iter().filter(|event| event.kind() == "new_message");
    assert_eq!(messages.map(|event| event.json()["body"].clone()).collect::<Vec<_>>(), ["4"]);
    assert!(!events.iter().any(|event| event.kind() == "reset"));
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_stream_from_a_process_that_is_behind_carries_nothing_from_before_a_join() {
    let messenger = messenger().build();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let room = fixtures::room("!1");
    let of_room = |body: &str| fixtures::event(Audience::Room(fixtures::TENANT, room.clone()), body);
    publish(&messenger, &["1"]).await;
    messenger.ports.feed.append(&[of_room("2: before")]).await.expect("appended");
    messenger.ports.memberships.add(fixtures::TENANT, &room, caller.user.id()).await.expect("joined at 3");
    messenger.ports.feed.append(&[of_room("4: after")]).await.expect("appended");
    let (service, feed) = behind(&messenger, 1);
    let broker = service.broker().clone();
    let running = tokio::spawn(async move { broker.run().await });
    let error =
        service.streams().subscribe(&caller, None).await.map(drop).expect_err("it is behind the join");
    assert_eq!(error.code(), "not_ready");
    let (stream, ()) = tokio::join!(service.streams().subscribe(&caller, None), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        feed.position.store(2, Ordering::SeqCst);
    });
    feed.position.store(4, Ordering::SeqCst);
    let events = Reader::new(stream.expect("a stream")).within(Duration::from_secs(3)).await;
    let messages = events.iter().filter(|event| event.kind() == "new_message");
    assert_eq!(messages.map(|event| event.json()["body"].clone()).collect::<Vec<_>>(), ["4: after"]);
    running.abort();
}
