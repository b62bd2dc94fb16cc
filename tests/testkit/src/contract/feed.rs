//! The event log: appended in order, each key once, and read from a cursor.

use std::time::Duration;

use messenger_core::{
    Result,
    cursor::Span,
    event::{Audience, Kind, NewEvent},
    id::{EventId, Position, RoomId},
    notification::NewNotification,
    user::{Identity, Role},
};
use serde_json::json;
use tokio::time::timeout;

use super::{
    Store, concurrently,
    messages::{message, with_members},
};
use crate::fixtures::{self, TENANT, draft, event, identity, keyed, new_notification, room, user};

const ALL: Audience = Audience::Tenant(TENANT);
const BEGIN: Position = Position(0);

/// A new log has no events, and none were dropped from it.
pub async fn a_new_log_is_empty(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    assert_eq!(feed.span().await?, Span { trimmed: BEGIN, head: BEGIN });
    assert_eq!(feed.next(BEGIN, 10).await?, []);
    Ok(())
}

/// Positions have no gaps and follow the order of appending.
pub async fn each_event_gets_the_next_position(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    assert_eq!(feed.append(&[event(ALL, "a"), event(ALL, "b")]).await?, 2);
    assert_eq!(feed.append(&[event(ALL, "c")]).await?, 1);
    let events = feed.next(BEGIN, 10).await?;
    let positions: Vec<_> = events.iter().map(|event| event.position.0).collect();
    assert_eq!(positions, [1, 2, 3]);
    let bodies: Vec<_> = events.iter().map(|event| event.payload.as_str()).collect();
    assert_eq!(bodies, [r#"{"body":"a"}"#, r#"{"body":"b"}"#, r#"{"body":"c"}"#]);
    Ok(())
}

/// Appending no events changes nothing.
pub async fn appending_nothing_changes_nothing(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    assert_eq!(feed.append(&[]).await?, 0);
    assert_eq!(feed.span().await?.head, BEGIN);
    Ok(())
}

/// An event is read as it was appended, byte for byte.
pub async fn an_event_is_read_as_it_was_appended(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    let body = "Größe \"5\" \\ \n\t \u{1} \u{7f} '; drop table events; -- 🏭 %s {}";
    let kinds = [Kind::Notification, Kind::NewMessage, Kind::RoomJoined, Kind::RoomLeft];
    for kind in kinds {
        let payload = fixtures::payload(&json!({ "body": body, "n": 1.5, "none": null }));
        let new = NewEvent { kind, payload: payload.clone(), ..event(ALL, "") };
        feed.append(&[new]).await?;
        let last = feed.next(BEGIN, 10).await?.pop().expect("it was appended");
        assert_eq!((last.kind, last.payload, last.audience), (kind, payload, ALL));
        assert_eq!(last.notification, None);
    }
    Ok(())
}

/// An event with a known key is not appended and takes no position.
pub async fn each_key_is_appended_once(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    assert_eq!(feed.append(&[keyed("$1", "first")]).await?, 1);
    assert_eq!(feed.append(&[keyed("$1", "again")]).await?, 0);
    assert_eq!(
        feed.append(&[keyed("$1", "again"), keyed("$2", "x"), keyed("$2", "twice in one call")]).await?,
        1
    );
    let events = feed.next(BEGIN, 10).await?;
    let bodies: Vec<_> = events.iter().map(|event| event.payload.as_str()).collect();
    assert_eq!(bodies, [r#"{"body":"first"}"#, r#"{"body":"x"}"#]);
    assert_eq!(feed.span().await?.head, Position(2));
    Ok(())
}

/// Keys are compared by every character, with their case.
pub async fn keys_that_look_alike_are_different(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    let keys = ["$a", "$A", "$a ", "a", "$á", "$a%", "0", "1"];
    let events: Vec<_> = keys.iter().map(|key| keyed(key, key)).collect();
    assert_eq!(feed.append(&events).await?, keys.len());
    Ok(())
}

/// Events without a key are never taken for the same event.
pub async fn events_without_a_key_are_all_new(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    assert_eq!(feed.append(&[event(ALL, "same"), event(ALL, "same")]).await?, 2);
    assert_eq!(feed.append(&[event(ALL, "same")]).await?, 1);
    Ok(())
}

/// Of many concurrent calls with one key, one appends the event.
pub async fn a_key_appended_concurrently_is_one_event(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    let added = concurrently(30, |n| {
        let feed = feed.clone();
        async move {
            let own = NewEvent { key: Some(EventId::new(format!("$own{n}"))), ..event(ALL, "own") };
            feed.append(&[own, keyed("$shared", "shared")]).await
        }
    })
    .await?;
    assert_eq!(added.into_iter().sum::<usize>(), 31);
    assert_eq!(feed.next(BEGIN, 100).await?.len(), 31);
    Ok(())
}

/// `after` and `next` return the events behind the cursor, oldest first, up to the limit.
pub async fn after_and_next_return_the_events_behind_the_cursor(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    let other = Audience::User(TENANT, user("other"));
    for n in 0..5 {
        feed.append(&[event(ALL, &n.to_string()), event(other.clone(), "not mine")]).await?;
    }
    let positions = |events: Vec<messenger_core::event::Event>| -> Vec<i64> {
        events.iter().map(|event| event.position.0).collect()
    };
    assert_eq!(positions(feed.after(BEGIN, &fixtures::all_of(&[ALL]), 100).await?), [1, 3, 5, 7, 9]);
    assert_eq!(positions(feed.after(BEGIN, &fixtures::all_of(&[ALL]), 2).await?), [1, 3]);
    assert_eq!(positions(feed.after(Position(3), &fixtures::all_of(&[ALL]), 2).await?), [5, 7]);
    assert_eq!(positions(feed.after(Position(9), &fixtures::all_of(&[ALL]), 2).await?), [0; 0]);
    assert_eq!(positions(feed.after(Position(1_000_000), &fixtures::all_of(&[ALL]), 2).await?), [0; 0]);
    assert_eq!(positions(feed.after(Position(2), &fixtures::all_of(&[ALL, other]), 4).await?), [3, 4, 5, 6]);
    assert_eq!(positions(feed.next(BEGIN, 3).await?), [1, 2, 3]);
    assert_eq!(positions(feed.next(Position(3), 100).await?), [4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(positions(feed.next(Position(10), 100).await?), [0; 0]);
    Ok(())
}

/// The head is the last assigned position.
pub async fn the_head_is_the_last_position(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    for n in 1..4 {
        feed.append(&[event(ALL, "")]).await?;
        assert_eq!(feed.span().await?, Span { trimmed: BEGIN, head: Position(n) });
    }
    Ok(())
}

/// A reader finds every position in order while many writers append.
pub async fn no_position_appears_behind_a_reader(store: &dyn Store) -> Result<()> {
    const WRITERS: usize = 12;
    const EACH: usize = 25;
    let ports = store.ports();
    let feed = ports.feed.clone();
    let reader = tokio::spawn(async move {
        let mut seen: i64 = 0;
        while seen < i64::try_from(WRITERS * EACH).unwrap() {
            for event in feed.next(Position(seen), 7).await? {
                assert_eq!(event.position.0, seen + 1, "a later position was visible first");
                seen = event.position.0;
            }
        }
        Result::Ok(())
    });
    concurrently(WRITERS, |writer| {
        let ports = ports.clone();
        async move {
            for n in 0..EACH {
                if writer % 2 == 0 {
                    ports.notifications.accept(new_notification(draft("x"))).await?;
                } else {
                    ports.feed.append(&[event(ALL, &n.to_string())]).await?;
                }
            }
            Ok(())
        }
    })
    .await?;
    timeout(Duration::from_secs(30), reader).await.expect("the reader sees all events").unwrap()
}

/// A wait ends when an event is appended.
pub async fn a_wait_ends_when_an_event_is_appended(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    let waiting = feed.clone();
    let waiter = tokio::spawn(async move { waiting.wait_beyond(BEGIN, Duration::from_mins(1)).await });
    for _ in 0..1000 {
        feed.append(&[event(ALL, "")]).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        if waiter.is_finished() {
            return Ok(());
        }
    }
    panic!("the wait did not end")
}

/// A wait ends at its timeout when no event is appended.
pub async fn a_wait_ends_at_its_timeout(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    let waits = async {
        for _ in 0..4 {
            feed.wait_beyond(BEGIN, Duration::from_millis(30)).await;
        }
    };
    timeout(Duration::from_mins(1), waits).await.expect("the wait ends");
    Ok(())
}

/// An event names the room that it is about; one about no room, or about one still to be created, names none.
pub async fn an_event_names_its_room(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports.messages.ingest(&[message("$1")]).await?;
    ports.room_views.read(TENANT, &user("bert"), &room("!1")).await?;
    ports.memberships.remove(TENANT, &room("!1"), &user("bert")).await?;
    ports.users.sign_in(&Identity { role: Role::Viewer, ..identity("bert") }, "bert").await?;
    ports.notifications.accept(new_notification(draft("to a new room"))).await?;
    let to_a_room = NewNotification { room: Some(room("!2")), ..new_notification(draft("to a room")) };
    ports.notifications.accept(to_a_room).await?;
    let events = ports.feed.next(BEGIN, 100).await?;
    let rooms: Vec<_> =
        events.iter().map(|event| (event.kind, event.room.as_ref().map(RoomId::as_str))).collect();
    assert_eq!(
        rooms,
        [
            (Kind::RoomJoined, Some("!1")),
            (Kind::RoomJoined, Some("!1")),
            (Kind::NewMessage, Some("!1")),
            (Kind::Unread, Some("!1")),
            (Kind::RoomLeft, Some("!1")),
            (Kind::RoleChanged, None),
            (Kind::Notification, None),
            (Kind::Notification, Some("!2")),
        ]
    );
    Ok(())
}
