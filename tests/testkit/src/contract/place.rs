//! Where a new notification stands in its room queue: what was answered earlier goes first.

use std::time::Duration;

use messenger_core::{
    Ports, Result,
    notification::{NewNotification, Notification, QueueState},
    port::QueueRelease,
};

use super::{LONG, SHORT, Store, accept, claim, in_time, pending};
use crate::fixtures::{OTHER_TENANT, delivered, draft, entry, machine, satellite, waiting};

/// A caller who waits for long.
fn patient(title: &str) -> NewNotification {
    NewNotification { options: waiting(LONG), ..entry(draft(title)) }
}

async fn sent(ports: &Ports, notification: &Notification) -> Result<()> {
    ports.outbox.sent(&[delivered(notification.id, &format!("${}", notification.id))]).await
}

/// With nothing before it, a notification may go at once, and its caller delivers it.
pub async fn with_nothing_before_it_is_free(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, place) = accept(&ports, patient("a")).await?;
    assert_eq!(place, QueueState::Free);
    let left = stored.in_flight.expect("its caller is at it");
    assert!(left > LONG / 2 && left < LONG * 2, "{left:?}");
    Ok(())
}

/// What is concurrent has no order: who waits does not keep others waiting.
pub async fn what_its_caller_still_delivers_blocks_nobody(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for _ in 0..3 {
        let (stored, place) = accept(&ports, patient("a")).await?;
        assert_eq!(place, QueueState::Free);
        assert!(stored.in_flight.is_some());
    }
    Ok(())
}

/// What was answered and not delivered goes first.
pub async fn what_was_answered_earlier_goes_first(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, entry(draft("answered"))).await?;
    let (second, place) = accept(&ports, patient("later")).await?;
    assert_eq!(place, QueueState::Queued);
    sent(&ports, &first).await?;
    sent(&ports, &second).await?;
    let (_, place) = accept(&ports, patient("alone")).await?;
    assert_eq!(place, QueueState::Free);
    Ok(())
}

/// What waits for earlier ones is the worker's, which would otherwise wait for the caller who waits for it; and it
/// blocks what comes after.
pub async fn what_is_queued_is_the_workers(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, entry(draft("1"))).await?;
    for title in ["2", "3"] {
        let (queued, place) = accept(&ports, patient(title)).await?;
        assert_eq!((place, queued.in_flight), (QueueState::Queued, None));
    }
    let queue = claim(&ports).await?;
    let pending = pending(&ports, &queue).await?;
    assert_eq!(pending.len(), 3);
    assert!(pending.iter().all(|one| one.in_flight.is_none()), "the worker may deliver all of them");
    Ok(())
}

/// A caller who ran out of time has been answered.
pub async fn a_caller_who_ran_out_of_time_blocks(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let brief = NewNotification { options: waiting(SHORT), ..entry(draft("slow")) };
    let (first, place) = accept(&ports, brief).await?;
    assert_eq!(place, QueueState::Free);
    in_time(store, async || {
        let found = ports.notifications.find(first.tenant, first.id).await?.expect("stored");
        Ok(found.in_flight.is_none().then_some(()))
    })
    .await?;
    let (_, place) = accept(&ports, patient("later")).await?;
    assert_eq!(place, QueueState::Queued);
    Ok(())
}

/// Room queues do not wait for each other, nor do tenants.
pub async fn queues_do_not_wait_for_each_other(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, entry(draft("general"))).await?;
    accept(&ports, entry(machine(1, "machine 1"))).await?;
    let (_, place) = accept(&ports, entry(machine(2, "machine 2"))).await?;
    assert_eq!(place, QueueState::Free);
    let foreign = messenger_core::notification::Satellite { tenant: OTHER_TENANT, ..satellite() };
    let (_, place) =
        accept(&ports, NewNotification { satellite: foreign, ..entry(draft("general")) }).await?;
    assert_eq!(place, QueueState::Free);
    Ok(())
}

/// What the homeserver refused or took for good blocks nobody.
pub async fn what_failed_for_good_blocks_nobody(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, entry(draft("refused"))).await?;
    ports.outbox.failed(first.id, "refused").await?;
    let (_, place) = accept(&ports, patient("next")).await?;
    assert_eq!(place, QueueState::Free);
    Ok(())
}

/// While a room queue rests after a failure nobody waits for it.
pub async fn in_a_resting_queue_nobody_waits(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, patient("fails")).await?;
    ports.outbox.postpone(&first, LONG, "homeserver_unavailable").await?;
    let (second, place) = accept(&ports, patient("later")).await?;
    assert_eq!((place, second.in_flight), (QueueState::Resting, None));
    Ok(())
}

/// A room queue whose rest has ended is being delivered again.
pub async fn after_the_rest_it_is_queued(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, patient("fails")).await?;
    ports.outbox.postpone(&first, SHORT, "homeserver_unavailable").await?;
    store.pass(SHORT * 2).await;
    let (second, place) = accept(&ports, patient("later")).await?;
    assert_eq!((place, second.in_flight), (QueueState::Queued, None));
    Ok(())
}

/// A room queue that waits for a caller's delivery does not rest: nothing failed.
pub async fn waiting_for_a_caller_is_no_rest_after_a_failure(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, patient("in flight")).await?;
    accept(&ports, entry(draft("answered"))).await?;
    let queue = in_time(store, async || ports.outbox.claim(LONG).await).await?;
    ports.outbox.release(&queue, QueueRelease::RetryAfter(Duration::from_secs(30))).await?;
    let (_, place) = accept(&ports, patient("later")).await?;
    assert_eq!(place, QueueState::Queued);
    Ok(())
}
