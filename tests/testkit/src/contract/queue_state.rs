//! The state of a room queue for a new notification: answered notifications go first.

use std::time::Duration;

use messenger_core::{
    Ports, Result,
    notification::{NewNotification, Notification, QueueState},
    port::QueueRelease,
};

use super::{LONG, SHORT, Store, accept, claim, eventually, pending};
use crate::fixtures::{OTHER_TENANT, delivered, draft, machine, new_notification, satellite, waiting};

/// Returns a notification whose caller waits for long.
fn with_long_wait(title: &str) -> NewNotification {
    NewNotification { options: waiting(LONG), ..new_notification(draft(title)) }
}

async fn mark_sent(ports: &Ports, notification: &Notification) -> Result<()> {
    ports.outbox.sent(&[delivered(notification.id, &format!("${}", notification.id))]).await.map(drop)
}

/// A notification in an empty room queue is free: its caller delivers it.
pub async fn a_notification_is_free_in_an_empty_queue(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, state) = accept(&ports, with_long_wait("a")).await?;
    assert_eq!(state, QueueState::Free);
    let left = stored.in_flight.expect("its caller delivers it");
    assert!(left > LONG / 2 && left < LONG * 2, "{left:?}");
    Ok(())
}

/// Concurrent notifications have no order: one in flight does not block others.
pub async fn a_notification_in_flight_blocks_no_other(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for _ in 0..3 {
        let (stored, state) = accept(&ports, with_long_wait("a")).await?;
        assert_eq!(state, QueueState::Free);
        assert!(stored.in_flight.is_some());
    }
    Ok(())
}

/// A notification that was answered and not delivered goes first.
pub async fn an_answered_notification_goes_first(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, new_notification(draft("answered"))).await?;
    let (second, state) = accept(&ports, with_long_wait("later")).await?;
    assert_eq!(state, QueueState::Queued);
    mark_sent(&ports, &first).await?;
    mark_sent(&ports, &second).await?;
    let (_, state) = accept(&ports, with_long_wait("alone")).await?;
    assert_eq!(state, QueueState::Free);
    Ok(())
}

/// A queued notification is left to the worker, which would otherwise wait for its caller, and blocks later
/// ones.
pub async fn a_queued_notification_is_left_to_the_worker(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, new_notification(draft("1"))).await?;
    for title in ["2", "3"] {
        let (queued, state) = accept(&ports, with_long_wait(title)).await?;
        assert_eq!((state, queued.in_flight), (QueueState::Queued, None));
    }
    let queue = claim(&ports).await?;
    let pending = pending(&ports, &queue).await?;
    assert_eq!(pending.len(), 3);
    assert!(pending.iter().all(|one| one.in_flight.is_none()), "the worker may deliver all of them");
    Ok(())
}

/// A notification counts as answered once its caller has run out of time.
pub async fn a_notification_blocks_once_its_caller_ran_out_of_time(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let brief = NewNotification { options: waiting(SHORT), ..new_notification(draft("slow")) };
    let (first, state) = accept(&ports, brief).await?;
    assert_eq!(state, QueueState::Free);
    eventually(store, async || {
        let found = ports.notifications.find(first.tenant, first.id).await?.expect("stored");
        Ok(found.in_flight.is_none().then_some(()))
    })
    .await?;
    let (_, state) = accept(&ports, with_long_wait("later")).await?;
    assert_eq!(state, QueueState::Queued);
    Ok(())
}

/// Room queues and tenants do not wait for each other.
pub async fn queues_do_not_wait_for_each_other(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, new_notification(draft("general"))).await?;
    accept(&ports, new_notification(machine(1, "machine 1"))).await?;
    let (_, state) = accept(&ports, new_notification(machine(2, "machine 2"))).await?;
    assert_eq!(state, QueueState::Free);
    let foreign = messenger_core::notification::Satellite { tenant: OTHER_TENANT, ..satellite() };
    let (_, state) =
        accept(&ports, NewNotification { satellite: foreign, ..new_notification(draft("general")) }).await?;
    assert_eq!(state, QueueState::Free);
    Ok(())
}

/// A rejected notification does not block others.
pub async fn a_rejected_notification_blocks_no_other(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, new_notification(draft("refused"))).await?;
    ports.outbox.failed(first.id, "refused", "a detail").await?;
    let (_, state) = accept(&ports, with_long_wait("next")).await?;
    assert_eq!(state, QueueState::Free);
    Ok(())
}

/// No caller waits while a room queue is in backoff.
pub async fn no_caller_waits_for_a_queue_in_backoff(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, with_long_wait("fails")).await?;
    ports.outbox.postpone(&first, LONG, "homeserver_unavailable", "a detail").await?;
    let (second, state) = accept(&ports, with_long_wait("later")).await?;
    assert_eq!((state, second.in_flight), (QueueState::BackingOff, None));
    Ok(())
}

/// A notification is queued once the backoff of its room queue has ended.
pub async fn a_notification_is_queued_after_the_backoff(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, with_long_wait("fails")).await?;
    ports.outbox.postpone(&first, SHORT, "homeserver_unavailable", "a detail").await?;
    store.pass(SHORT * 2).await;
    let (second, state) = accept(&ports, with_long_wait("later")).await?;
    assert_eq!((state, second.in_flight), (QueueState::Queued, None));
    Ok(())
}

/// A room queue that waits for a caller's delivery is not in backoff.
pub async fn waiting_for_a_caller_is_no_backoff(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, with_long_wait("in flight")).await?;
    accept(&ports, new_notification(draft("answered"))).await?;
    let queue = eventually(store, async || ports.outbox.claim(LONG).await).await?;
    ports.outbox.release(&queue, QueueRelease::RetryAfter(Duration::from_secs(30))).await?;
    let (_, state) = accept(&ports, with_long_wait("later")).await?;
    assert_eq!(state, QueueState::Queued);
    Ok(())
}
