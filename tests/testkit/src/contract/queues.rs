//! Room queues: claimed by one, drained in order, left without overlooking anything.

use std::collections::BTreeSet;

use messenger_core::{
    Ports, Result,
    notification::{NewNotification, Notification},
    port::{QueueRelease, RoomQueue},
};

use super::{LONG, SHORT, Store, accept, claim, in_time, pending, together};
use crate::fixtures::{delivered, dm, draft, entry, identity, machine, titles, waiting};

async fn store_one(ports: &Ports, title: &str) -> Result<Notification> {
    Ok(accept(ports, entry(draft(title))).await?.0)
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

/// In a fresh store nothing is due.
pub async fn nothing_is_due_in_a_fresh_store(store: &dyn Store) -> Result<()> {
    assert_eq!(store.ports().outbox.claim(LONG).await?, None);
    Ok(())
}

/// While a room queue is drained nobody else gets it, whatever comes in.
pub async fn a_claimed_queue_is_nobody_elses(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    store_one(&ports, "1").await?;
    claim(&ports).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    store_one(&ports, "2").await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    Ok(())
}

/// Of many workers each gets a room queue of its own.
pub async fn each_queue_is_claimed_by_one_worker(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for n in 0..15 {
        accept(&ports, entry(machine(n, "x"))).await?;
    }
    let mut names = Vec::new();
    // Workers that meet at one room queue may go away empty-handed; they come again.
    for _ in 0..10 {
        let claims = together(10, |_| {
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

/// A worker that died keeps its room queue for the lease only.
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

/// Oldest first, at most so many, undelivered only, of this room queue only.
pub async fn a_queue_gives_its_undelivered_oldest_first(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut stored = Vec::new();
    for n in 0..6 {
        stored.push(store_one(&ports, &n.to_string()).await?);
        accept(&ports, entry(machine(n, "other lane"))).await?;
    }
    let queue = in_time(store, async || {
        let queue = ports.outbox.claim(LONG).await?;
        Ok(queue.filter(|queue| queue.name == stored[0].key().to_string()))
    })
    .await?;
    assert_eq!(titles(&ports.outbox.pending(&queue, LONG, 2).await?), ["0", "1"]);
    ports.outbox.sent(&[delivered(stored[0].id, "$0")]).await?;
    ports.outbox.failed(stored[2].id, "refused").await?;
    assert_eq!(titles(&pending(&ports, &queue).await?), ["1", "3", "4", "5"]);
    Ok(())
}

/// A room queue that was left empty is not due.
pub async fn an_idle_queue_is_not_due(store: &dyn Store) -> Result<()> {
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

/// What comes in between the last look and the leaving keeps the room queue due, however the room queue is left.
pub async fn what_came_in_meanwhile_keeps_a_queue_due(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for rest in [QueueRelease::Drained, QueueRelease::RetryAfter(LONG), QueueRelease::UntilSignIn] {
        store_one(&ports, "seen").await?;
        let queue = claim(&ports).await?;
        deliver(&ports, &queue).await?;
        assert_eq!(pending(&ports, &queue).await?, []);
        store_one(&ports, "in the last moment").await?;
        ports.outbox.release(&queue, rest).await?;
        let queue = claim(&ports).await?;
        assert_eq!(titles(&pending(&ports, &queue).await?), ["in the last moment"], "{rest:?}");
        deliver(&ports, &queue).await?;
        ports.outbox.release(&queue, QueueRelease::Drained).await?;
    }
    Ok(())
}

/// A slow delivery that succeeds while its room queue rests ends the rest: it leaves the room queue with a version that no room queue has.
pub async fn leaving_with_no_version_ends_a_rest(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let slow = store_one(&ports, "slow").await?;
    ports.outbox.postpone(&slow, LONG, "homeserver_unavailable").await?;
    store_one(&ports, "next").await?;
    ports.outbox.sent(&[delivered(slow.id, "$1")]).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    let queue = RoomQueue { name: slow.key().to_string(), version: -1 };
    ports.outbox.release(&queue, QueueRelease::Drained).await?;
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["next"]);
    Ok(())
}

/// However arrivals and workers interleave, nothing stays behind.
pub async fn nothing_stays_behind_when_arrivals_and_workers_race(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let arrivals = together(8, |_| {
        let ports = ports.clone();
        async move {
            for n in 0..15 {
                store_one(&ports, &n.to_string()).await?;
            }
            Ok(())
        }
    });
    let workers = together(3, |_| {
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
    assert!(log.iter().all(|one| one.event.is_some()), "something stayed behind in a lane that is not due");
    Ok(())
}

/// A room queue that rests for a time is due again after it.
pub async fn a_queue_that_rests_for_a_time_is_due_after_it(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, NewNotification { options: waiting(SHORT), ..entry(draft("in flight")) }).await?;
    let queue = in_time(store, async || ports.outbox.claim(LONG).await).await?;
    ports.outbox.release(&queue, QueueRelease::RetryAfter(LONG)).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    accept(&ports, entry(machine(1, "other"))).await?;
    let queue = claim(&ports).await?;
    ports.outbox.release(&queue, QueueRelease::RetryAfter(SHORT)).await?;
    let again = in_time(store, async || ports.outbox.claim(LONG).await).await?;
    assert_eq!(again.name, queue.name);
    Ok(())
}

/// What a caller delivers is left to them for the time of their wait, and then it is the worker's.
pub async fn what_a_caller_delivers_becomes_the_workers(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, NewNotification { options: waiting(LONG), ..entry(draft("long")) }).await?;
    if let Some(queue) = ports.outbox.claim(LONG).await? {
        assert!(pending(&ports, &queue).await?[0].in_flight.is_some(), "a worker sees that it is in flight");
    }
    accept(&ports, NewNotification { options: waiting(SHORT), ..entry(machine(1, "short")) }).await?;
    let found = in_time(store, async || {
        let Some(queue) = ports.outbox.claim(SHORT).await? else { return Ok(None) };
        let first = ports.outbox.pending(&queue, SHORT, 1).await?.pop();
        Ok(first.filter(|one| one.draft.title == "short" && one.in_flight.is_none()))
    })
    .await?;
    assert_eq!(found.attempts, 0);
    Ok(())
}

/// A room queue that waits for a sign-in is due when it happens, even if that is while the room queue is being left.
pub async fn a_sign_in_meanwhile_keeps_a_queue_due(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    accept(&ports, entry(dm("anna", "hello"))).await?;
    let moved = messenger_core::user::Identity { tenant: crate::fixtures::OTHER_TENANT, ..identity("anna") };
    ports.users.sign_in(&moved, "anna").await?;
    let queue = claim(&ports).await?;
    ports.users.sign_in(&identity("anna"), "anna").await?;
    ports.outbox.release(&queue, QueueRelease::UntilSignIn).await?;
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["hello"]);
    Ok(())
}
