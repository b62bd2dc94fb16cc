//! Reading a room's history page by page, whatever lies between the messages and happens between the pages.

use messenger_core::{
    Result,
    id::{EventId, MatrixUserId, RoomId},
    message::History,
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::json;

use crate::ready_caller;

/// Anna, in a room in which she has said the numbers from 0 on with another client.
struct Stand {
    messenger: TestMessenger,
    anna: Caller,
    room: RoomId,
    said: Vec<EventId>,
}

impl Stand {
    async fn of(messages: usize) -> Self {
        let messenger = messenger().build();
        let anna = ready_caller(&messenger, "anna").await;
        let room = messenger.memberships.of(fixtures::TENANT, anna.user.id()).await.expect("rooms").remove(0);
        let said = (0..messages)
            .map(|n| messenger.homeserver.send_text(&room, &elsewhere(), &n.to_string()))
            .collect();
        Self { messenger, anna, room, said }
    }

    async fn page(&self, from: Option<&str>, limit: usize) -> Result<History> {
        self.messenger.history().page(&self.anna, &self.room, from, limit).await
    }

    fn redact(&self, n: usize) {
        self.messenger.homeserver.redact(&self.room, &elsewhere(), &self.said[n]);
    }

    fn noise(&self, events: usize) {
        for _ in 0..events {
            self.messenger.homeserver.send_event(&self.room, &elsewhere(), "com.example.noise", json!({}));
        }
    }
}

fn elsewhere() -> MatrixUserId {
    MatrixUserId::new("@anna:hub.local")
}

fn bodies(page: &History) -> Vec<&str> {
    page.messages.iter().map(|message| message.body.as_str()).collect()
}

#[tokio::test]
async fn a_message_that_is_redacted_between_two_pages_cuts_nothing_off() {
    let stand = Stand::of(7).await;
    let first = stand.page(None, 3).await.expect("a page");
    assert_eq!(bodies(&first), ["6", "5", "4"]);
    // The boundary itself, its neighbours, and more is said meanwhile.
    for gone in [5, 4, 3] {
        stand.redact(gone);
    }
    stand.noise(150);
    let second = stand.page(first.end_token.as_deref(), 2).await.expect("a page");
    assert_eq!((bodies(&second), second.has_more), (vec!["2", "1"], true));
    let last = stand.page(second.end_token.as_deref(), 2).await.expect("a page");
    assert_eq!((bodies(&last), last.has_more), (vec!["0"], false));
}

#[tokio::test]
async fn a_boundary_deep_in_a_page_is_found_by_a_reader_of_small_pages() {
    let stand = Stand::of(120).await;
    let first = stand.page(None, 90).await.expect("a page");
    stand.redact(30);
    let second = stand.page(first.end_token.as_deref(), 1).await.expect("a page");
    assert_eq!((bodies(&second), second.has_more), (vec!["29"], true));
}

#[tokio::test]
async fn thousands_of_other_events_are_crossed_in_steps() {
    let stand = Stand::of(1).await;
    stand.noise(3000);
    stand.messenger.homeserver.send_text(&stand.room, &elsewhere(), "new");
    let (mut read, mut token, mut steps) = (Vec::new(), None, 0);
    loop {
        let before = stand.messenger.homeserver.calls();
        let page = stand.page(token.as_deref(), 50).await.expect("a page");
        let calls = stand.messenger.homeserver.calls() - before;
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
async fn a_token_of_another_room_is_no_end_of_this_one() {
    let stand = Stand::of(3).await;
    let page = stand.page(None, 1).await.expect("a page");
    let token = page.end_token.expect("more");
    let foreign = token.replace(stand.said[2].as_str(), "$elsewhere");
    let refused = stand.page(Some(&foreign), 1).await.expect_err("no page");
    assert_eq!(refused.code(), "invalid_request");
}
