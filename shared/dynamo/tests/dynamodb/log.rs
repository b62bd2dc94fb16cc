//! The events of the tests, and the view of their readers.

use messenger_core::{
    event::{Audience, Event, NewEvent},
    id::Position,
    port::Feed,
};
use messenger_testkit::{
    fixtures,
    log::{self, event},
};

/// Returns events of one writer.
pub(crate) fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|n| event(0, n)).collect()
}

/// Returns audience and payload of an event.
pub(crate) fn line(event: &Event) -> String {
    log::line(&event.audience, &event.payload)
}

/// Returns audience and payload of an event that is to be appended.
pub(crate) fn new_line(event: &NewEvent) -> String {
    log::line(&event.audience, &event.payload)
}

/// Reads all events, and checks that their positions follow without a gap.
pub(crate) async fn read_all(feed: &dyn Feed) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    let mut cursor = Position(0);
    loop {
        let page = feed.next(cursor, 100).await.expect("a page");
        for event in &page {
            assert_eq!(event.position.0, cursor.0 + 1);
            cursor = event.position;
        }
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Reads all events of audiences, in pages.
pub(crate) async fn read_audiences(feed: &dyn Feed, audiences: &[Audience], limit: i64) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    let mut cursor = Position(0);
    loop {
        let page = feed.after(cursor, &fixtures::all_of(audiences), limit).await.expect("a page");
        let Some(last) = page.last() else { return all };
        cursor = last.position;
        all.extend(page);
    }
}
