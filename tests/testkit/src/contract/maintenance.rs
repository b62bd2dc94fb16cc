//! Periodic maintenance, and the wait for work.

use std::time::Duration;

use messenger_core::{
    Result, event::Audience, id::Position, notification::NewNotification, port::QueueRelease,
};
use tokio::time::timeout;

use super::{LONG, Store, accept, claim};
use crate::fixtures::{TENANT, dm, draft, event, identity, machine, new_notification, retried, user};

const WEEK: Duration = Duration::from_hours(7 * 24);

/// `work` returns when a notification is accepted.
pub async fn work_returns_when_a_notification_is_accepted(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let maintenance = ports.maintenance.clone();
    let waiter = tokio::spawn(async move { maintenance.wait_for_work(Duration::from_mins(1)).await });
    for _ in 0..1000 {
        accept(&ports, new_notification(draft("x"))).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        if waiter.is_finished() {
            return Ok(());
        }
    }
    panic!("`work` did not return")
}

/// `work` returns when a user signs in for the first time.
pub async fn work_returns_when_a_user_signs_in(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let maintenance = ports.maintenance.clone();
    let waiter = tokio::spawn(async move { maintenance.wait_for_work(Duration::from_mins(1)).await });
    for n in 0..1000 {
        ports.users.sign_in(&identity(&n.to_string()), &n.to_string()).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        if waiter.is_finished() {
            return Ok(());
        }
    }
    panic!("`work` did not return")
}

/// `work` returns at its timeout when there is no work.
pub async fn work_returns_at_the_timeout(store: &dyn Store) -> Result<()> {
    let maintenance = store.ports().maintenance;
    let waits = async {
        for _ in 0..4 {
            maintenance.wait_for_work(Duration::from_millis(30)).await;
        }
    };
    timeout(Duration::from_mins(1), waits).await.expect("`work` returns");
    Ok(())
}

/// Work that is due does not count as backing off.
pub async fn due_work_is_not_backing_off(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    assert!(!ports.maintenance.is_backing_off().await?);
    accept(&ports, new_notification(draft("x"))).await?;
    ports.users.sign_in(&identity("anna"), "anna").await?;
    assert!(!ports.maintenance.is_backing_off().await?);
    Ok(())
}

/// The backlog counts deliverable and held notifications apart, and no sent ones.
pub async fn the_backlog_counts_pending_and_held_notifications(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let empty = ports.maintenance.backlog().await?;
    assert_eq!((empty.queued, empty.held, empty.queues), (0, 0, 0));
    assert_eq!((empty.oldest_pending, empty.oldest_due), (None, None));
    let (first, _) = accept(&ports, new_notification(draft("x"))).await?;
    accept(&ports, new_notification(draft("y"))).await?;
    accept(&ports, new_notification(machine(1, "x"))).await?;
    accept(&ports, new_notification(dm("nobody", "x"))).await?;
    let backlog = ports.maintenance.backlog().await?;
    assert_eq!((backlog.queued, backlog.held, backlog.queues), (3, 1, 2));
    assert!(backlog.oldest_pending.is_some_and(|age| age < LONG), "{backlog:?}");
    ports.outbox.failed(first.id, "refused_by_homeserver", "a detail").await?;
    assert_eq!(ports.maintenance.backlog().await?.queued, 2);
    Ok(())
}

/// A room queue counts as due until it is claimed.
pub async fn the_backlog_has_the_oldest_due_queue_that_is_not_claimed(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, new_notification(draft("x"))).await?;
    assert!(ports.maintenance.backlog().await?.oldest_due.is_some());
    let queue = claim(&ports).await?;
    assert_eq!(ports.maintenance.backlog().await?.oldest_due, None);
    ports.outbox.release(&queue, QueueRelease::Drained).await?;
    assert_eq!(ports.maintenance.backlog().await?.oldest_due, None);
    Ok(())
}

/// The backlog states whether a worker holds the lease on reconciliation.
pub async fn the_backlog_has_the_lease_on_reconciliation(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    assert!(!ports.maintenance.backlog().await?.is_sync_leased);
    ports.reconciliation.claim("worker", LONG).await?;
    ports.reconciliation.advance("worker", "s1", LONG).await?;
    let backlog = ports.maintenance.backlog().await?;
    assert!(backlog.is_sync_leased && backlog.since_sync < LONG, "{backlog:?}");
    ports.reconciliation.release("worker").await?;
    assert!(!ports.maintenance.backlog().await?.is_sync_leased);
    Ok(())
}

/// A room queue in backoff is due after `retry_now`.
pub async fn retry_now_ends_the_backoff_of_a_queue(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, new_notification(draft("x"))).await?;
    let (second, _) = accept(&ports, new_notification(machine(1, "x"))).await?;
    ports.outbox.postpone(&first, LONG, "homeserver_unavailable", "a detail").await?;
    ports.outbox.postpone(&second, LONG, "homeserver_unavailable", "a detail").await?;
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

/// An account in backoff is due after `retry_now`.
pub async fn retry_now_ends_the_backoff_of_an_account(store: &dyn Store) -> Result<()> {
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

/// `retry_now` ends no lease.
pub async fn retry_now_leaves_leases_alone(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, new_notification(draft("x"))).await?;
    ports.users.sign_in(&identity("anna"), "anna").await?;
    claim(&ports).await?;
    ports.users.claim_due(LONG, 1).await?;
    ports.maintenance.retry_now().await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    assert_eq!(ports.users.claim_due(LONG, 1).await?, []);
    Ok(())
}

/// Young notifications do not expire.
pub async fn nothing_expires_before_its_time(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, new_notification(draft("x"))).await?;
    accept(&ports, new_notification(dm("nobody", "x"))).await?;
    assert_eq!(ports.maintenance.expire().await?, 0);
    Ok(())
}

/// Rotation drops nothing that is younger than the retention, and may be repeated.
pub async fn rotation_keeps_young_events_and_keys(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let call = NewNotification { options: retried("k", "f"), ..new_notification(draft("x")) };
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
