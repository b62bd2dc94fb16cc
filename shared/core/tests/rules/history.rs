//! Reading the history of a room page by page, whatever events are in between and happen meanwhile.

use messenger_core::{
    Result,
    id::{EventId, MatrixUserId, RoomId},
    message::History,
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::json;

use crate::ready_caller;

/// Anna in a room with her messages from another client: the numbers from 0 on.
struct Fixture {
    messenger: TestMessenger,
    anna: Caller,
    room: RoomId,
    sent: Vec<EventId>,
}

impl Fixture {
    async fn of(messages: usize) -> Self {
        let messenger = messenger().build();
        let anna = ready_caller(&messenger, "anna").await;
        let room =
            messenger.ports.memberships.of(fixtures::TENANT, anna.user.id()).await.expect("rooms").remove(0);
        let sent = (0..messages)
            .map(|n| messenger.homeserver.send_text(&room, &anna_id(), &n.to_string()))
            .collect();
        Self { messenger, anna, room, sent }
    }

    async fn page(&self, from: Option<&str>, limit: usize) -> Result<History> {
        self.messenger.history().page(&self.anna, &self.room, from, limit).await
    }

    fn redact(&self, n: usize) {
        self.messenger.homeserver.redact(&self.room, &anna_id(), &self.sent[n]);
    }

    fn noise(&self, events: usize) {
        for _ in 0..events {
            self.messenger.homeserver.send_event(&self.room, &anna_id(), "com.example.noise", json!({}));
        }
    }
}

fn anna_id() -> MatrixUserId {
    MatrixUserId::new("@anna:hub.local")
}

fn bodies(page: &History) -> Vec<&str> {
    page.messages.iter().map(|message| message.body.as_str()).collect()
}

#[tokio::test]
async fn a_message_redacted_between_two_pages_hides_no_other() {
    let fixture = Fixture::of(7).await;
    let first = fixture.page(None, 3).await.expect("a page");
    assert_eq!(bodies(&first), ["6", "5", "4"]);
    // The boundary and its neighbours are redacted, and more events arrive.
    for n in [5, 4, 3] {
        fixture.redact(n);
    }
    fixture.noise(150);
    let second = fixture.page(first.end_token.as_deref(), 2).await.expect("a page");
    assert_eq!((bodies(&second), second.has_more), (vec!["2", "1"], true));
    let last = fixture.page(second.end_token.as_deref(), 2).await.expect("a page");
    assert_eq!((bodies(&last), last.has_more), (vec!["0"], false));
}

#[tokio::test]
async fn a_boundary_deep_in_a_page_is_found_by_a_reader_of_small_pages() {
    let fixture = Fixture::of(120).await;
    let first = fixture.page(None, 90).await.expect("a page");
    fixture.redact(30);
    let second = fixture.page(first.end_token.as_deref(), 1).await.expect("a page");
    assert_eq!((bodies(&second), second.has_more), (vec!["29"], true));
}

#[tokio::test]
async fn thousands_of_other_events_are_crossed_in_steps() {
    let fixture = Fixture::of(1).await;
    fixture.noise(3000);
    fixture.messenger.homeserver.send_text(&fixture.room, &anna_id(), "new");
    let (mut read, mut token, mut steps) = (Vec::new(), None, 0);
    loop {
        let before = fixture.messenger.homeserver.calls();
        let page = fixture.page(token.as_deref(), 50).await.expect("a page");
        let calls = fixture.messenger.homeserver.calls() - before;
        assert!(calls <= 10, "{calls} calls for one page");
        read.extend(bodies(&page).into_iter().map(str::to_owned));
        assert_eq!(page.has_more, page.end_token.is_some());
        steps += 1;
        token = page.end_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(read, ["new", "0"]);
    assert!(steps <= 4, "{steps} pages: each crosses as much as it may");
}

#[tokio::test]
async fn a_page_token_of_another_room_is_refused() {
    let fixture = Fixture::of(3).await;
    let page = fixture.page(None, 1).await.expect("a page");
    let token = page.end_token.expect("more");
    let foreign = token.replace(fixture.sent[2].as_str(), "$other");
    let refused = fixture.page(Some(&foreign), 1).await.expect_err("no page");
    assert_eq!(refused.code(), "invalid_request");
}
