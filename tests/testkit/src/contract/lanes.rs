//! Lanes: claimed by one, drained in order, left without overlooking anything.

use std::collections::BTreeSet;

use messenger_core::{
    Ports, Result,
    notification::{Entry, Notification},
    port::{Lane, Rest},
};

use super::{LONG, SHORT, Store, accept, claim, in_time, pending, together};
use crate::given::{delivered, dm, draft, entry, identity, machine, titles, waiting};

async fn store_one(ports: &Ports, title: &str) -> Result<Notification> {
    Ok(accept(ports, entry(draft(title))).await?.0)
}

async fn deliver(ports: &Ports, lane: &Lane) -> Result<()> {
    loop {
        let pending = pending(ports, lane).await?;
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

/// While a lane is drained nobody else gets it, whatever comes in.
pub async fn a_claimed_lane_is_nobody_elses(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    store_one(&ports, "1").await?;
    claim(&ports).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    store_one(&ports, "2").await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    Ok(())
}

/// Of many workers each gets a lane of its own.
pub async fn each_lane_is_claimed_by_one_worker(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for n in 0..15 {
        accept(&ports, entry(machine(n, "x"))).await?;
    }
    let mut names = Vec::new();
    // Workers that meet at one lane may go away empty-handed; they come again.
    for _ in 0..10 {
        let claims = together(10, |_| {
            let ports = ports.clone();
            async move { ports.outbox.claim(LONG).await }
        })
        .await?;
        names.extend(claims.into_iter().flatten().map(|lane| lane.name));
    }
    assert_eq!(names.len(), 15);
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>().len(), 15);
    Ok(())
}

/// A worker that died keeps its lane for the lease only.
pub async fn a_lane_is_free_when_the_lease_ends(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    store_one(&ports, "1").await?;
    let first = ports.outbox.claim(SHORT).await?.expect("it is due");
    store.pass(SHORT * 2).await;
    assert_eq!(claim(&ports).await?.name, first.name);
    Ok(())
}

/// Reading a lane renews the lease.
pub async fn reading_a_lane_renews_the_lease(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    store_one(&ports, "1").await?;
    let lane = ports.outbox.claim(SHORT).await?.expect("it is due");
    ports.outbox.pending(&lane, LONG, 1).await?;
    store.pass(SHORT * 2).await;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    Ok(())
}

/// Oldest first, at most so many, undelivered only, of this lane only.
pub async fn a_lane_gives_its_undelivered_oldest_first(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut stored = Vec::new();
    for n in 0..6 {
        stored.push(store_one(&ports, &n.to_string()).await?);
        accept(&ports, entry(machine(n, "other lane"))).await?;
    }
    let lane = in_time(store, async || {
        let lane = ports.outbox.claim(LONG).await?;
        Ok(lane.filter(|lane| lane.name == stored[0].key().to_string()))
    })
    .await?;
    assert_eq!(titles(&ports.outbox.pending(&lane, LONG, 2).await?), ["0", "1"]);
    ports.outbox.sent(&[delivered(stored[0].id, "$0")]).await?;
    ports.outbox.failed(stored[2].id, "refused").await?;
    assert_eq!(titles(&pending(&ports, &lane).await?), ["1", "3", "4", "5"]);
    Ok(())
}

/// A lane that was left empty is not due.
pub async fn an_idle_lane_is_not_due(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    store_one(&ports, "1").await?;
    let lane = claim(&ports).await?;
    deliver(&ports, &lane).await?;
    ports.outbox.release(&lane, Rest::Idle).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    store_one(&ports, "2").await?;
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["2"]);
    Ok(())
}

/// What comes in between the last look and the leaving keeps the lane due, however the lane is left.
pub async fn what_came_in_meanwhile_keeps_a_lane_due(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for rest in [Rest::Idle, Rest::For(LONG), Rest::UntilSignIn] {
        store_one(&ports, "seen").await?;
        let lane = claim(&ports).await?;
        deliver(&ports, &lane).await?;
        assert_eq!(pending(&ports, &lane).await?, []);
        store_one(&ports, "in the last moment").await?;
        ports.outbox.release(&lane, rest).await?;
        let lane = claim(&ports).await?;
        assert_eq!(titles(&pending(&ports, &lane).await?), ["in the last moment"], "{rest:?}");
        deliver(&ports, &lane).await?;
        ports.outbox.release(&lane, Rest::Idle).await?;
    }
    Ok(())
}

/// A slow delivery that succeeds while its lane rests ends the rest: it leaves the lane with a version that no lane has.
pub async fn leaving_with_no_version_ends_a_rest(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let slow = store_one(&ports, "slow").await?;
    ports.outbox.postpone(&slow, LONG, "homeserver_unavailable").await?;
    store_one(&ports, "next").await?;
    ports.outbox.sent(&[delivered(slow.id, "$1")]).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    let lane = Lane { name: slow.key().to_string(), version: -1 };
    ports.outbox.release(&lane, Rest::Idle).await?;
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
                let Some(lane) = ports.outbox.claim(LONG).await? else { continue };
                deliver(&ports, &lane).await?;
                ports.outbox.release(&lane, Rest::Idle).await?;
            }
            Ok(())
        }
    });
    let (arrived, worked) = futures::future::join(arrivals, workers).await;
    arrived?;
    worked?;
    while let Some(lane) = ports.outbox.claim(LONG).await? {
        deliver(&ports, &lane).await?;
        ports.outbox.release(&lane, Rest::Idle).await?;
    }
    let all = messenger_core::notification::LogQuery { source_app: None, limit: 500, offset: 0 };
    let log = ports.notifications.log(crate::given::TENANT, &all).await?;
    assert_eq!(log.len(), 120);
    assert!(log.iter().all(|one| one.event.is_some()), "something stayed behind in a lane that is not due");
    Ok(())
}

/// A lane that rests for a time is due again after it.
pub async fn a_lane_that_rests_for_a_time_is_due_after_it(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, Entry { terms: waiting(SHORT), ..entry(draft("in flight")) }).await?;
    let lane = in_time(store, async || ports.outbox.claim(LONG).await).await?;
    ports.outbox.release(&lane, Rest::For(LONG)).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    accept(&ports, entry(machine(1, "other"))).await?;
    let lane = claim(&ports).await?;
    ports.outbox.release(&lane, Rest::For(SHORT)).await?;
    let again = in_time(store, async || ports.outbox.claim(LONG).await).await?;
    assert_eq!(again.name, lane.name);
    Ok(())
}

/// What a caller delivers is left to them for the time of their wait, and then it is the worker's.
pub async fn what_a_caller_delivers_becomes_the_workers(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    accept(&ports, Entry { terms: waiting(LONG), ..entry(draft("long")) }).await?;
    if let Some(lane) = ports.outbox.claim(LONG).await? {
        assert!(pending(&ports, &lane).await?[0].in_flight.is_some(), "a worker sees that it is in flight");
    }
    accept(&ports, Entry { terms: waiting(SHORT), ..entry(machine(1, "short")) }).await?;
    let found = in_time(store, async || {
        let Some(lane) = ports.outbox.claim(SHORT).await? else { return Ok(None) };
        let first = ports.outbox.pending(&lane, SHORT, 1).await?.pop();
        Ok(first.filter(|one| one.draft.title == "short" && one.in_flight.is_none()))
    })
    .await?;
    assert_eq!(found.attempts, 0);
    Ok(())
}

/// A lane that waits for a sign-in is due when it happens, even if that is while the lane is being left.
pub async fn a_sign_in_meanwhile_keeps_a_lane_due(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    accept(&ports, entry(dm("anna", "hello"))).await?;
    let moved = messenger_core::user::Identity { tenant: crate::given::OTHER_TENANT, ..identity("anna") };
    ports.users.sign_in(&moved, "anna").await?;
    let lane = claim(&ports).await?;
    ports.users.sign_in(&identity("anna"), "anna").await?;
    ports.outbox.release(&lane, Rest::UntilSignIn).await?;
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["hello"]);
    Ok(())
}
