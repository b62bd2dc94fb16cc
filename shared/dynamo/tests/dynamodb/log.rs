//! The events of the tests, and what readers see of them.

use messenger_core::{
    event::{Audience, Event, Kind, NewEvent, Payload},
    id::{HubUserId, Position, TenantId},
    port::Feed,
};
use messenger_testkit::fixtures;
use serde_json::json;

/// Returns four audiences, of which the last is of another tenant.
pub(crate) fn audiences() -> Vec<Audience> {
    let user = |name: &str| Audience::User(TenantId(1), HubUserId::new(name));
    vec![Audience::Tenant(TenantId(1)), user("a"), user("b"), Audience::Tenant(TenantId(2))]
}

/// Returns the n-th event of a writer. Its audience is one of all.
pub(crate) fn event(writer: usize, n: usize) -> NewEvent {
    event_for(audiences().swap_remove((writer + n) % 4), writer, n)
}

/// Returns the n-th event of a writer for an audience.
pub(crate) fn event_for(audience: Audience, writer: usize, n: usize) -> NewEvent {
    let payload = Payload::of(&json!({ "writer": writer, "n": n })).expect("an object");
    NewEvent { audience, kind: Kind::NewMessage, room: None, payload, key: None }
}

/// Returns events of one writer.
pub(crate) fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|n| event(0, n)).collect()
}

/// Returns audience and payload of an event.
pub(crate) fn line(event: &Event) -> String {
    format!("{} {}", event.audience, event.payload.as_str())
}

/// Returns audience and payload of an event that is to be appended.
pub(crate) fn new_line(event: &NewEvent) -> String {
    format!("{} {}", event.audience, event.payload.as_str())
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
