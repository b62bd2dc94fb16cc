//! What needs days to pass, for stores whose time can be moved.

use std::time::Duration;

use messenger_core::{
    Result,
    event::Audience,
    id::Position,
    notification::{AcceptOutcome, HELD_FOR, NewNotification, Status},
};

use super::{LONG, Store, accept};
use crate::fixtures::{TENANT, dm, draft, entry, event, identity, retried};

const DAY: Duration = Duration::from_hours(24);
const ALL: Audience = Audience::Tenant(TENANT);

/// What is held for too long expires, is counted once, and is released by no sign-in.
pub async fn what_is_held_for_too_long_expires(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (old, _) = accept(&ports, entry(dm("anna", "old"))).await?;
    store.pass(DAY).await;
    let (young, _) = accept(&ports, entry(dm("anna", "young"))).await?;
    store.pass(HELD_FOR.saturating_sub(DAY)).await;
    assert_eq!(ports.maintenance.expire().await?, 1);
    assert_eq!(ports.maintenance.expire().await?, 0);
    for (one, status) in [(old, Status::Expired), (young, Status::Pending)] {
        let found = ports.notifications.find(TENANT, one.id).await?.expect("it is stored");
        assert_eq!(found.status, status);
    }
    ports.users.sign_in(&identity("anna"), "anna").await?;
    let queue = ports.outbox.claim(LONG).await?.expect("the young one is released");
    assert_eq!(crate::fixtures::titles(&ports.outbox.pending(&queue, LONG, 10).await?), ["young"]);
    Ok(())
}

/// What is past its time is not delivered, even before it is marked.
pub async fn what_is_past_its_time_is_not_delivered(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, entry(dm("anna", "old"))).await?;
    store.pass(HELD_FOR + DAY).await;
    ports.users.sign_in(&identity("anna"), "anna").await?;
    if let Some(queue) = ports.outbox.claim(LONG).await? {
        assert_eq!(ports.outbox.pending(&queue, LONG, 10).await?, []);
    }
    Ok(())
}

/// Days before the retention are dropped, and the log says up to where.
pub async fn days_before_the_retention_are_dropped(store: &dyn Store) -> Result<()> {
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

/// When everything was dropped, positions go on where they were.
pub async fn positions_go_on_when_everything_was_dropped(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.feed.append(&[event(ALL, "1"), event(ALL, "2")]).await?;
    store.pass(DAY * 30).await;
    ports.maintenance.rotate(DAY * 7).await?;
    let span = ports.feed.span().await?;
    assert_eq!((span.trimmed, span.head), (Position(2), Position(2)));
    ports.feed.append(&[event(ALL, "3")]).await?;
    assert_eq!(ports.feed.after(Position(2), &[ALL], 10).await?[0].position, Position(3));
    Ok(())
}

/// Retry keys are known for seven days.
pub async fn retry_keys_are_forgotten_after_a_week(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let call = NewNotification { options: retried("k", "f"), ..entry(draft("x")) };
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
