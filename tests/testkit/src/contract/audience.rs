//! Audiences: each receives its own events, and never those of another tenant.

use std::collections::BTreeSet;

use messenger_core::{Result, audiences::Audiences, event::Audience, id::Position};

use super::Store;
use crate::fixtures::{OTHER_TENANT, TENANT, all_of, event, room, user};

/// Returns audiences that are easily mistaken for each other.
fn audiences() -> Vec<Audience> {
    let ids = ["a", "A", "ä", "a%", "a_", "ab", "", "1", "t1:a:", "u:a", "'; --", "a:b", "!r", "\u{1F3ED}"];
    let eleven = messenger_core::id::TenantId(11);
    let mut all = Vec::new();
    for tenant in [TENANT, OTHER_TENANT, eleven, messenger_core::id::TenantId(-1)] {
        all.push(Audience::Tenant(tenant));
        for id in ids {
            all.push(Audience::User(tenant, user(id)));
            all.push(Audience::Room(tenant, room(id)));
        }
    }
    all
}

/// Each audience receives the events that are addressed to it, and no others.
pub async fn an_audience_receives_its_events_and_no_others(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    let all = audiences();
    let events: Vec<_> = all.iter().map(|audience| event(audience.clone(), &audience.to_string())).collect();
    feed.append(&events).await?;
    for (n, audience) in all.iter().enumerate() {
        let received = feed.after(Position(0), &all_of(std::slice::from_ref(audience)), 100).await?;
        let positions: Vec<_> = received.iter().map(|event| event.position.0).collect();
        assert_eq!(positions, [i64::try_from(n).unwrap() + 1], "{audience}");
        assert_eq!(received[0].audience, *audience);
    }
    Ok(())
}

/// Several audiences receive the union of their events, in order.
pub async fn several_audiences_receive_the_union_in_order(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    let all = audiences();
    let events: Vec<_> = all.iter().rev().map(|audience| event(audience.clone(), "")).collect();
    feed.append(&events).await?;
    let own: Vec<_> = all.iter().filter(|audience| audience.tenant() == TENANT).cloned().collect();
    let received = feed.after(Position(0), &all_of(&own), 1000).await?;
    assert!(received.iter().all(|event| event.audience.tenant() == TENANT));
    assert!(received.windows(2).all(|pair| pair[0].position < pair[1].position));
    let names: BTreeSet<_> = received.iter().map(|event| event.audience.clone()).collect();
    assert_eq!(names, own.into_iter().collect());
    Ok(())
}

/// An audience that is named twice receives each event once.
pub async fn an_audience_named_twice_receives_each_event_once(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    let all = Audience::Tenant(TENANT);
    feed.append(&[event(all.clone(), "once")]).await?;
    assert_eq!(feed.after(Position(0), &all_of(&[all.clone(), all]), 10).await?.len(), 1);
    Ok(())
}

/// Of each audience a reader receives the events after a position of its own, and after the cursor. The limit
/// counts these events only.
pub async fn an_audience_is_read_from_its_own_position(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    let (all, chat) = (Audience::Tenant(TENANT), Audience::Room(TENANT, room("!1")));
    let events: Vec<_> = (0..8).map(|n| event(if n % 2 == 0 { &all } else { &chat }.clone(), "")).collect();
    feed.append(&events).await?;
    let reader: Audiences = [(all, Position(0)), (chat, Position(5))].into_iter().collect();
    for (cursor, limit, expected) in
        [(0, 100, &[1, 3, 5, 6, 7, 8][..]), (0, 4, &[1, 3, 5, 6]), (3, 100, &[5, 6, 7, 8]), (6, 100, &[7, 8])]
    {
        let received = feed.after(Position(cursor), &reader, limit).await?;
        let positions: Vec<_> = received.iter().map(|event| event.position.0).collect();
        assert_eq!(positions, expected, "after {cursor}");
    }
    Ok(())
}

/// An empty list of audiences receives no events.
pub async fn an_empty_list_of_audiences_receives_nothing(store: &dyn Store) -> Result<()> {
    let feed = store.ports().feed;
    feed.append(&[event(Audience::Tenant(TENANT), "")]).await?;
    assert_eq!(feed.after(Position(0), &all_of(&[]), 10).await?, []);
    Ok(())
}
