//! Effects of the passing of days, for stores whose clock can be moved.

use std::time::Duration;

use messenger_core::{
    Result,
    event::Audience,
    id::Position,
    notification::{AcceptOutcome, HELD_FOR, NewNotification, Status},
};

use super::{LONG, Store, accept};
use crate::fixtures::{TENANT, all_of, dm, draft, event, identity, new_notification, retried};

const DAY: Duration = Duration::from_hours(24);
const ALL: Audience = Audience::Tenant(TENANT);

/// A message that was held for too long expires, is counted once, and is not released by a sign-in.
pub async fn a_held_message_expires_and_no_sign_in_releases_it(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (old, _) = accept(&ports, new_notification(dm("anna", "old"))).await?;
    store.pass(DAY).await;
    let (young, _) = accept(&ports, new_notification(dm("anna", "young"))).await?;
    store.pass(HELD_FOR.saturating_sub(DAY)).await;
    assert_eq!(ports.maintenance.expire().await?, 1);
    assert_eq!(ports.maintenance.expire().await?, 0);
    for (one, status) in [(old, Status::Expired), (young, Status::Pending)] {
        let found = ports.notifications.find(TENANT, one.id).await?.expect("it is stored");
        assert_eq!(found.status, status);
    }
    ports.users.sign_in(&identity("anna"), "anna").await?;
    let queue = ports.outbox.claim(LONG).await?.expect("the young message is released");
    assert_eq!(crate::fixtures::titles(&ports.outbox.pending(&queue, LONG, 10).await?), ["young"]);
    Ok(())
}

/// A message that is past its time is not delivered, even before it is marked as expired.
pub async fn an_expired_message_is_not_delivered(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, new_notification(dm("anna", "old"))).await?;
    store.pass(HELD_FOR + DAY).await;
    ports.users.sign_in(&identity("anna"), "anna").await?;
    if let Some(queue) = ports.outbox.claim(LONG).await? {
        assert_eq!(ports.outbox.pending(&queue, LONG, 10).await?, []);
    }
    Ok(())
}

/// Events older than the retention are dropped, and the span names the last dropped position.
pub async fn events_older_than_the_retention_are_dropped(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.feed.append(&[event(ALL, "1"), event(ALL, "2")]).await?;
    store.pass(DAY * 4).await;
    ports.maintenance.rotate(DAY * 7).await?;
    ports.feed.append(&[event(ALL, "3")]).await?;
    store.pass(DAY * 5).await;
    ports.maintenance.rotate(DAY * 7).await?;
    let span = ports.feed.span().await?;
    assert_eq!((span.trimmed, span.head), (Position(2), Position(3)));
    assert_eq!(ports.feed.next(Position(0), 10).await?[0].position, Position(3));
    ports.feed.append(&[event(ALL, "4")]).await?;
    assert_eq!(ports.feed.span().await?.head, Position(4));
    Ok(())
}

/// Positions continue after all events were dropped.
pub async fn positions_continue_after_all_events_were_dropped(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.feed.append(&[event(ALL, "1"), event(ALL, "2")]).await?;
    store.pass(DAY * 30).await;
    ports.maintenance.rotate(DAY * 7).await?;
    let span = ports.feed.span().await?;
    assert_eq!((span.trimmed, span.head), (Position(2), Position(2)));
    ports.feed.append(&[event(ALL, "3")]).await?;
    assert_eq!(ports.feed.after(Position(2), &all_of(&[ALL]), 10).await?[0].position, Position(3));
    Ok(())
}

/// Idempotency keys are remembered for seven days.
pub async fn idempotency_keys_are_forgotten_after_a_week(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let call = NewNotification { options: retried("k", "f"), ..new_notification(draft("x")) };
    let (first, _) = accept(&ports, call.clone()).await?;
    store.pass(DAY * 6).await;
    ports.maintenance.rotate(DAY * 7).await?;
    assert!(matches!(ports.notifications.accept(call.clone()).await?, AcceptOutcome::Replayed { .. }));
    store.pass(DAY * 2).await;
    ports.maintenance.rotate(DAY * 7).await?;
    let (second, _) = accept(&ports, call).await?;
    assert_ne!(first.id, second.id);
    Ok(())
}
