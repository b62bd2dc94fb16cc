//! Room queues: claimed by one worker, drained in order, and released without losing a notification.

use std::collections::BTreeSet;

use messenger_core::{
    Ports, Result,
    notification::{NewNotification, Notification},
    port::{QueueRelease, RoomQueue},
};

use super::{LONG, SHORT, Store, accept, claim, concurrently, eventually, pending};
use crate::fixtures::{delivered, dm, draft, identity, machine, new_notification, titles, waiting};

async fn store_one(ports: &Ports, title: &str) -> Result<Notification> {
    Ok(accept(ports, new_notification(draft(title))).await?.0)
}

async fn deliver(ports: &Ports, queue: &RoomQueue) -> Result<()> {
    loop {
        let pending = pending(ports, queue).await?;
        if pending.is_empty() {
            return Ok(());
        }
        for one in pending {
            ports.outbox.sent(&[delivered(one.id, &format!("${}", one.id))]).await?;
        }
    }
}

/// An empty store has no due room queue.
pub async fn no_queue_is_due_in_an_empty_store(store: &dyn Store) -> Result<()> {
    assert_eq!(store.ports().outbox.claim(LONG).await?, None);
    Ok(())
}

/// A claimed room queue cannot be claimed again, also when notifications arrive.
pub async fn a_claimed_queue_cannot_be_claimed_again(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    store_one(&ports, "1").await?;
    claim(&ports).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    store_one(&ports, "2").await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    Ok(())
}

/// Each room queue is claimed by one of many workers.
pub async fn each_queue_is_claimed_by_one_worker(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for n in 0..15 {
        accept(&ports, new_notification(machine(n, "x"))).await?;
    }
    let mut names = Vec::new();
    // A worker may get nothing when several try the same room queue, so each tries again.
    for _ in 0..10 {
        let claims = concurrently(10, |_| {
            let ports = ports.clone();
            async move { ports.outbox.claim(LONG).await }
        })
        .await?;
        names.extend(claims.into_iter().flatten().map(|queue| queue.name));
    }
    assert_eq!(names.len(), 15);
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>().len(), 15);
    Ok(())
}

/// A room queue can be claimed again when the lease of a dead worker ends.
pub async fn a_queue_is_free_when_the_lease_ends(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    store_one(&ports, "1").await?;
    let first = ports.outbox.claim(SHORT).await?.expect("it is due");
    store.pass(SHORT * 2).await;
    assert_eq!(claim(&ports).await?.name, first.name);
    Ok(())
}

/// Reading a room queue renews the lease.
pub async fn reading_a_queue_renews_the_lease(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    store_one(&ports, "1").await?;
    let queue = ports.outbox.claim(SHORT).await?.expect("it is due");
    ports.outbox.pending(&queue, LONG, 1).await?;
    store.pass(SHORT * 2).await;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    Ok(())
}

/// A room queue returns its own undelivered notifications, oldest first, up to the limit.
pub async fn a_queue_returns_undelivered_notifications_oldest_first(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut stored = Vec::new();
    for n in 0..6 {
        stored.push(store_one(&ports, &n.to_string()).await?);
        accept(&ports, new_notification(machine(n, "other queue"))).await?;
    }
    let queue = eventually(store, async || {
        let queue = ports.outbox.claim(LONG).await?;
        Ok(queue.filter(|queue| queue.name == stored[0].key().to_string()))
    })
    .await?;
    assert_eq!(titles(&ports.outbox.pending(&queue, LONG, 2).await?), ["0", "1"]);
    ports.outbox.sent(&[delivered(stored[0].id, "$0")]).await?;
    ports.outbox.failed(stored[2].id, "refused", "a detail").await?;
    assert_eq!(titles(&pending(&ports, &queue).await?), ["1", "3", "4", "5"]);
    Ok(())
}

/// A room queue that was released empty is not due.
pub async fn an_empty_queue_is_not_due(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    store_one(&ports, "1").await?;
    let queue = claim(&ports).await?;
    deliver(&ports, &queue).await?;
    ports.outbox.release(&queue, QueueRelease::Drained).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    store_one(&ports, "2").await?;
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["2"]);
    Ok(())
}

/// A notification accepted between the last read and the release keeps the room queue due.
pub async fn a_notification_accepted_before_the_release_keeps_a_queue_due(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for release in [QueueRelease::Drained, QueueRelease::RetryAfter(LONG), QueueRelease::UntilSignIn] {
        store_one(&ports, "seen").await?;
        let queue = claim(&ports).await?;
        deliver(&ports, &queue).await?;
        assert_eq!(pending(&ports, &queue).await?, []);
        store_one(&ports, "in the last moment").await?;
        ports.outbox.release(&queue, release).await?;
        let queue = claim(&ports).await?;
        assert_eq!(titles(&pending(&ports, &queue).await?), ["in the last moment"], "{release:?}");
        deliver(&ports, &queue).await?;
        ports.outbox.release(&queue, QueueRelease::Drained).await?;
    }
    Ok(())
}

/// A slow delivery that succeeds during a backoff ends it.
pub async fn a_retried_queue_is_due_at_once(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let slow = store_one(&ports, "slow").await?;
    ports.outbox.postpone(&slow, LONG, "homeserver_unavailable", "a detail").await?;
    store_one(&ports, "next").await?;
    ports.outbox.sent(&[delivered(slow.id, "$1")]).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    ports.outbox.retry_queue(&slow.key().to_string()).await?;
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["next"]);
    Ok(())
}

/// A worker keeps the room queue that another caller retries, and finds it due afterwards.
pub async fn a_retried_queue_stays_with_its_worker(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let one = store_one(&ports, "one").await?;
    let queue = claim(&ports).await?;
    ports.outbox.retry_queue(&one.key().to_string()).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None, "the worker has the lease");
    ports.outbox.release(&queue, QueueRelease::RetryAfter(LONG)).await?;
    assert!(ports.outbox.claim(LONG).await?.is_some(), "the release noticed it");
    Ok(())
}

/// No notification is left behind, however arrivals and workers interleave.
pub async fn no_notification_is_left_behind_when_arrivals_and_workers_race(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let arrivals = concurrently(8, |_| {
        let ports = ports.clone();
        async move {
            for n in 0..15 {
                store_one(&ports, &n.to_string()).await?;
            }
            Ok(())
        }
    });
    let workers = concurrently(3, |_| {
        let ports = ports.clone();
        async move {
            for _ in 0..200 {
                let Some(queue) = ports.outbox.claim(LONG).await? else { continue };
                deliver(&ports, &queue).await?;
                ports.outbox.release(&queue, QueueRelease::Drained).await?;
            }
            Ok(())
        }
    });
    let (arrived, worked) = futures::future::join(arrivals, workers).await;
    arrived?;
    worked?;
    while let Some(queue) = ports.outbox.claim(LONG).await? {
        deliver(&ports, &queue).await?;
        ports.outbox.release(&queue, QueueRelease::Drained).await?;
    }
    let all = messenger_core::notification::LogQuery { source_app: None, limit: 500, offset: 0 };
    let log = ports.notifications.log(crate::fixtures::TENANT, &all).await?;
    assert_eq!(log.len(), 120);
    assert!(
        log.iter().all(|one| one.event.is_some()),
        "a notification was left in a room queue that is not due"
    );
    Ok(())
}

/// A room queue that was released with a delay is due again after it.
pub async fn a_queue_is_due_again_after_the_retry_delay(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, NewNotification { options: waiting(SHORT), ..new_notification(draft("in flight")) })
        .await?;
    let queue = eventually(store, async || ports.outbox.claim(LONG).await).await?;
    ports.outbox.release(&queue, QueueRelease::RetryAfter(LONG)).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    accept(&ports, new_notification(machine(1, "other"))).await?;
    let queue = claim(&ports).await?;
    ports.outbox.release(&queue, QueueRelease::RetryAfter(SHORT)).await?;
    let again = eventually(store, async || ports.outbox.claim(LONG).await).await?;
    assert_eq!(again.name, queue.name);
    Ok(())
}

/// A notification in flight is left to its caller until the caller's wait ends, and then to the worker.
pub async fn a_notification_in_flight_passes_to_the_worker_at_the_callers_timeout(
    store: &dyn Store,
) -> Result<()> {
    let ports = store.ports();
    accept(&ports, NewNotification { options: waiting(LONG), ..new_notification(draft("long")) }).await?;
    if let Some(queue) = ports.outbox.claim(LONG).await? {
        assert!(
            pending(&ports, &queue).await?[0].in_flight.is_some(),
            "the worker sees that the notification is in flight"
        );
    }
    accept(&ports, NewNotification { options: waiting(SHORT), ..new_notification(machine(1, "short")) })
        .await?;
    let found = eventually(store, async || {
        let Some(queue) = ports.outbox.claim(SHORT).await? else { return Ok(None) };
        let first = ports.outbox.pending(&queue, SHORT, 1).await?.pop();
        Ok(first.filter(|one| one.draft.title == "short" && one.in_flight.is_none()))
    })
    .await?;
    assert_eq!(found.attempts, 0);
    Ok(())
}

/// A room queue that waits for a sign-in is due after it, even if the user signs in before the release.
pub async fn a_sign_in_before_the_release_keeps_a_queue_due(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    accept(&ports, new_notification(dm("anna", "hello"))).await?;
    let moved = messenger_core::user::Identity { tenant: crate::fixtures::OTHER_TENANT, ..identity("anna") };
    ports.users.sign_in(&moved, "anna").await?;
    let queue = claim(&ports).await?;
    ports.users.sign_in(&identity("anna"), "anna").await?;
    ports.outbox.release(&queue, QueueRelease::UntilSignIn).await?;
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["hello"]);
    Ok(())
}
