//! Polling the event log page by page.

use std::time::Duration;

use messenger_core::{
    cursor::{Gap, PollPage, Since},
    event::Audience,
    id::{Position, RoomId},
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use tokio::time::Instant;

use crate::pass;

const ALL: Audience = Audience::Tenant(fixtures::TENANT);
const NOW: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(25);

fn reader(name: &str) -> Since {
    Since::Reader(name.to_owned())
}

fn cursor(text: &str) -> Since {
    Since::Cursor(text.to_owned())
}

async fn publish(messenger: &TestMessenger, body: &str) {
    messenger.ports.feed.append(&[fixtures::event(ALL, body)]).await.expect("appended");
}

async fn poll(messenger: &TestMessenger, caller: &Caller, since: Since) -> PollPage {
    messenger.streams().poll(caller, &since, NOW).await.expect("a page")
}

fn bodies(page: &PollPage) -> Vec<String> {
    let json: Vec<serde_json::Value> = serde_json::from_str(&page.json()).expect("a JSON array");
    json.iter().map(|event| event["body"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_poll_starts_at_the_head() {
    let messenger = messenger().build();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    publish(&messenger, "before").await;
    let first = poll(&messenger, &caller, reader("")).await;
    assert_eq!((first.json().as_str(), first.gap, first.cursor), ("[]", None, Position(1)));
    publish(&messenger, "after").await;
    assert_eq!(bodies(&poll(&messenger, &caller, reader("")).await), ["after"]);
    assert_eq!(bodies(&poll(&messenger, &caller, reader("")).await), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_page_is_a_bare_array_of_events_with_their_ids() {
    let messenger = messenger().build();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    publish(&messenger, "Größe \"5\"").await;
    let page = poll(&messenger, &caller, cursor("0")).await;
    assert_eq!(page.json(), r#"[{"id":1,"type":"new_message","body":"Größe \"5\""}]"#);
}

#[tokio::test(start_paused = true)]
async fn readers_do_not_take_events_from_each_other() {
    let messenger = messenger().build();
    let (anna, bert) =
        (messenger.caller("anna", fixtures::TENANT).await, messenger.caller("bert", fixtures::TENANT).await);
    for caller in [&anna, &bert] {
        for name in ["", "tablet"] {
            poll(&messenger, caller, reader(name)).await;
        }
    }
    publish(&messenger, "x").await;
    for caller in [&anna, &bert] {
        for name in ["", "tablet"] {
            assert_eq!(
                bodies(&poll(&messenger.another_process(), caller, reader(name)).await),
                ["x"],
                "{name}"
            );
        }
    }
    assert_eq!(bodies(&poll(&messenger, &anna, cursor("0")).await), ["x"]);
}

#[tokio::test(start_paused = true)]
async fn a_stateless_poll_continues_from_the_given_cursor() {
    let messenger = messenger().build();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    for n in 1..=4 {
        publish(&messenger, &n.to_string()).await;
    }
    for _ in 0..2 {
        let page = poll(&messenger, &caller, cursor("2")).await;
        assert_eq!((bodies(&page), page.cursor), (vec!["3".to_owned(), "4".to_owned()], Position(4)));
    }
    assert_eq!(bodies(&poll(&messenger, &caller, reader("")).await), [""; 0], "no cursor was stored");
}

#[tokio::test(start_paused = true)]
async fn events_of_others_move_the_cursor_too() {
    let messenger = messenger().build();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let foreign = fixtures::event(Audience::Tenant(fixtures::OTHER_TENANT), "foreign");
    messenger.ports.feed.append(&[foreign.clone(), foreign.clone()]).await.expect("appended");
    let page = poll(&messenger, &caller, cursor("0")).await;
    assert_eq!((page.json().as_str(), page.cursor), ("[]", Position(2)));
    publish(&messenger, "mine").await;
    messenger.ports.feed.append(&[foreign]).await.expect("appended");
    let page = poll(&messenger, &caller, cursor("2")).await;
    assert_eq!((bodies(&page), page.cursor), (vec!["mine".to_owned()], Position(4)));
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_one_reset_to_the_head() {
    let messenger = messenger().settings(|settings| settings.replay_max = 3).build();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    publish(&messenger, "old").await;
    messenger.pass(Duration::from_hours(24 * 8));
    for _ in 0..4 {
        publish(&messenger, "young").await;
    }
    messenger.ports.maintenance.rotate(messenger.settings().event_retention).await.expect("rotated");
    let gaps = [
        ("x", Gap::Unknown, "unknown_position"),
        ("-1", Gap::Unknown, "unknown_position"),
        ("6", Gap::Unknown, "unknown_position"),
        ("0", Gap::Expired, "expired"),
        ("1", Gap::TooFarBehind, "too_far_behind"),
    ];
    for (text, gap, reason) in gaps {
        let page = poll(&messenger, &caller, cursor(text)).await;
        assert_eq!((page.gap, page.cursor), (Some(gap), Position(5)), "{text}");
        assert_eq!(page.json(), format!(r#"[{{"type":"reset","reason":"{reason}"}}]"#));
    }
    assert_eq!(poll(&messenger, &caller, cursor("2")).await.events.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stored_cursor_of_another_log_starts_at_the_head() {
    let messenger = messenger().build();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    messenger
        .ports
        .cursors
        .store(fixtures::TENANT, caller.user.id(), "", Position(999))
        .await
        .expect("stored");
    assert_eq!(poll(&messenger, &caller, reader("")).await.json(), "[]");
    publish(&messenger, "x").await;
    assert_eq!(bodies(&poll(&messenger, &caller, reader("")).await), ["x"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_returns_when_an_event_arrives() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    poll(&messenger, &caller, reader("")).await;
    let (polling, start) = (messenger.clone(), Instant::now());
    let waiting =
        tokio::spawn(
            async move { polling.streams().poll(&caller, &reader(""), LONG).await.expect("a page") },
        );
    tokio::time::sleep(Duration::from_secs(17)).await;
    assert!(!waiting.is_finished(), "a keepalive does not end the poll");
    messenger
        .ports
        .feed
        .append(&[fixtures::event(Audience::Tenant(fixtures::OTHER_TENANT), "foreign")])
        .await
        .expect("appended");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!waiting.is_finished(), "an event of others does not end the poll");
    publish(&messenger, "x").await;
    let page = waiting.await.expect("it returns");
    assert_eq!((bodies(&page), page.cursor), (vec!["x".to_owned()], Position(2)));
    assert!(start.elapsed() < Duration::from_secs(21), "{:?}", start.elapsed());
    assert_eq!(messenger.broker().connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_returns_at_once_if_there_are_events() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    publish(&messenger, "x").await;
    let start = Instant::now();
    let page = messenger.streams().poll(&caller, &cursor("0"), LONG).await.expect("a page");
    assert_eq!((bodies(&page), start.elapsed()), (vec!["x".to_owned()], NOW));
    assert!(
        messenger.streams().poll(&caller, &cursor("nonsense"), LONG).await.expect("a page").gap.is_some()
    );
    assert_eq!(start.elapsed(), NOW);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_returns_empty_at_its_timeout() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let start = Instant::now();
    let page = messenger.streams().poll(&caller, &reader(""), LONG).await.expect("a page");
    assert_eq!(page.json(), "[]");
    assert!(
        start.elapsed() >= LONG && start.elapsed() < LONG + Duration::from_millis(10),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_receives_a_join_during_its_wait() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let (polling, user) = (messenger.clone(), caller.user.id().clone());
    let waiting =
        tokio::spawn(
            async move { polling.streams().poll(&caller, &reader(""), LONG).await.expect("a page") },
        );
    tokio::time::sleep(Duration::from_secs(1)).await;
    messenger.ports.memberships.add(fixtures::TENANT, &RoomId::new("!1"), &user).await.expect("added");
    assert!(waiting.await.expect("it returns").json().contains("room_joined"));
}

/// Checks that the end of a stream wakes and ends the poll that waits on it, instead of keeping it busy.
async fn ends_when(messenger: &TestMessenger, caller: Caller, end: impl AsyncFnOnce()) {
    let polling = messenger.clone();
    let waiting =
        tokio::spawn(
            async move { polling.streams().poll(&caller, &reader(""), LONG).await.expect("a page") },
        );
    tokio::time::sleep(Duration::from_secs(1)).await;
    end().await;
    for _ in 0..20_000 {
        if waiting.is_finished() {
            assert_eq!(waiting.await.expect("no panic").json(), "[]");
            return;
        }
        tokio::task::yield_now().await;
    }
    waiting.abort();
    panic!("the poll queries the log again and again");
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_when_its_token_expires() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    ends_when(&messenger, caller, async || {
        messenger.clock.advance(Duration::from_hours(2));
        pass(&messenger, Duration::from_secs(1)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_with_its_process() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    ends_when(&messenger, caller, async || messenger.broker().shut_down()).await;
}
