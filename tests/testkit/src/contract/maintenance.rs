//! What is done now and then.

use std::time::Duration;

use messenger_core::{Result, event::Audience, id::Position, notification::NewNotification};
use tokio::time::timeout;

use super::{LONG, Store, accept, claim};
use crate::fixtures::{TENANT, dm, draft, entry, event, identity, machine, retried, user};

const WEEK: Duration = Duration::from_hours(7 * 24);

/// Waiting for work ends when there is some.
pub async fn work_returns_when_there_is_some(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let maintenance = ports.maintenance.clone();
    let waiter = tokio::spawn(async move { maintenance.work(Duration::from_mins(1)).await });
    for _ in 0..1000 {
        accept(&ports, entry(draft("x"))).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        if waiter.is_finished() {
            return Ok(());
        }
    }
    panic!("it was not woken")
}

/// A new account is work too.
pub async fn a_sign_in_is_work(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let maintenance = ports.maintenance.clone();
    let waiter = tokio::spawn(async move { maintenance.work(Duration::from_mins(1)).await });
    for n in 0..1000 {
        ports.users.sign_in(&identity(&n.to_string()), &n.to_string()).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        if waiter.is_finished() {
            return Ok(());
        }
    }
    panic!("it was not woken")
}

/// Waiting for work ends when patience does.
pub async fn work_returns_when_patience_ends(store: &dyn Store) -> Result<()> {
    let maintenance = store.ports().maintenance;
    let looks = async {
        for _ in 0..4 {
            maintenance.work(Duration::from_millis(30)).await;
        }
    };
    timeout(Duration::from_secs(10), looks).await.expect("it returns");
    Ok(())
}

/// Work that is merely waiting is not resting.
pub async fn what_is_due_does_not_rest(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    assert!(!ports.maintenance.is_backing_off().await?);
    accept(&ports, entry(draft("x"))).await?;
    ports.users.sign_in(&identity("anna"), "anna").await?;
    assert!(!ports.maintenance.is_backing_off().await?);
    Ok(())
}

/// A room queue that rests after a failure is due once woken.
pub async fn a_resting_queue_is_woken(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, entry(draft("x"))).await?;
    let (second, _) = accept(&ports, entry(machine(1, "x"))).await?;
    ports.outbox.postpone(&first, LONG, "homeserver_unavailable").await?;
    ports.outbox.postpone(&second, LONG, "homeserver_unavailable").await?;
    assert!(ports.maintenance.is_backing_off().await?);
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    ports.maintenance.retry_now().await?;
    assert!(!ports.maintenance.is_backing_off().await?);
    let mut queues = [claim(&ports).await?.name, claim(&ports).await?.name];
    queues.sort();
    let mut expected = [first.key().to_string(), second.key().to_string()];
    expected.sort();
    assert_eq!(queues, expected);
    Ok(())
}

/// An account that rests after a failure is due once woken.
pub async fn a_resting_account_is_woken(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    for _ in 0..8 {
        ports.users.postpone(&user("anna")).await?;
    }
    assert!(ports.maintenance.is_backing_off().await?);
    assert_eq!(ports.users.claim_due(LONG, 1).await?, []);
    ports.maintenance.retry_now().await?;
    assert!(!ports.maintenance.is_backing_off().await?);
    assert_eq!(ports.users.claim_due(LONG, 1).await?.len(), 1);
    Ok(())
}

/// Waking takes nothing away from those who are at it.
pub async fn waking_leaves_leases_alone(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, entry(draft("x"))).await?;
    ports.users.sign_in(&identity("anna"), "anna").await?;
    claim(&ports).await?;
    ports.users.claim_due(LONG, 1).await?;
    ports.maintenance.retry_now().await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    assert_eq!(ports.users.claim_due(LONG, 1).await?, []);
    Ok(())
}

/// What is young does not expire.
pub async fn nothing_expires_before_its_time(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, entry(draft("x"))).await?;
    accept(&ports, entry(dm("nobody", "x"))).await?;
    assert_eq!(ports.maintenance.expire().await?, 0);
    Ok(())
}

/// Making room drops nothing that is younger than the retention, and may be done again and again.
pub async fn making_room_keeps_what_is_young(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let call = NewNotification { options: retried("k", "f"), ..entry(draft("x")) };
    accept(&ports, call.clone()).await?;
    for n in 2..5 {
        ports.maintenance.rotate(WEEK).await?;
        ports.feed.append(&[event(Audience::Tenant(TENANT), "x")]).await?;
        let span = ports.feed.span().await?;
        assert_eq!((span.trimmed, span.head), (Position(0), Position(n)));
        assert_eq!(ports.feed.next(Position(0), 10).await?.len(), usize::try_from(n).unwrap());
    }
    let again = ports.notifications.accept(call).await?;
    assert!(matches!(again, messenger_core::notification::AcceptOutcome::Replayed { .. }));
    Ok(())
}
