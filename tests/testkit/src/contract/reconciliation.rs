//! The stored sync token: one worker reads `/sync` at a time.

use messenger_core::{Result, lease::Lease};

use super::{LONG, SHORT, Store, concurrently, eventually};

/// There is no sync token at first.
pub async fn the_sync_token_is_absent_at_first(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    assert_eq!(reconciliation.sync_token().await?, None);
    assert_eq!(reconciliation.claim("one", LONG).await?, Lease::Held(None));
    Ok(())
}

/// The sync token moves with the worker that reads, and passes to the next worker.
pub async fn the_sync_token_passes_to_the_next_worker(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    reconciliation.claim("one", LONG).await?;
    assert!(reconciliation.advance("one", "s1", LONG).await?.is_held());
    assert!(reconciliation.advance("one", "s2", LONG).await?.is_held());
    assert!(reconciliation.renew("one", SHORT).await?.is_held());
    assert_eq!(reconciliation.sync_token().await?.as_deref(), Some("s2"));
    let claimed = eventually(store, async || Ok(reconciliation.claim("two", LONG).await?.held())).await?;
    assert_eq!(claimed.as_deref(), Some("s2"));
    Ok(())
}

/// No other worker can claim during the lease; the same worker can.
pub async fn no_other_worker_reads_during_the_lease(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    reconciliation.claim("one", LONG).await?;
    assert_eq!(reconciliation.claim("two", LONG).await?, Lease::Lost);
    assert_eq!(reconciliation.claim("one", LONG).await?, Lease::Held(None));
    Ok(())
}

/// A worker that lost the lease cannot move the sync token.
pub async fn a_worker_without_the_lease_moves_nothing(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    reconciliation.claim("one", SHORT).await?;
    eventually(store, async || Ok(reconciliation.claim("two", LONG).await?.held())).await?;
    assert!(reconciliation.advance("one", "s9", LONG).await?.is_lost());
    assert!(reconciliation.advance("two", "s1", LONG).await?.is_held());
    assert_eq!(reconciliation.sync_token().await?.as_deref(), Some("s1"));
    Ok(())
}

/// Another worker can claim at once after a release. A release without the lease changes nothing.
pub async fn a_released_lease_passes_on_at_once(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    reconciliation.claim("one", LONG).await?;
    reconciliation.release("two").await?;
    assert_eq!(reconciliation.claim("two", LONG).await?, Lease::Lost);
    reconciliation.release("one").await?;
    assert_eq!(reconciliation.claim("two", LONG).await?, Lease::Held(None));
    Ok(())
}

/// The time of the last move is known to every worker; renewing the lease does not change it.
pub async fn the_time_of_the_last_move_is_known(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    reconciliation.claim("one", LONG).await?;
    reconciliation.advance("one", "s1", LONG).await?;
    let moved = reconciliation.moved_at().await?;
    store.pass(SHORT).await;
    reconciliation.renew("one", LONG).await?;
    reconciliation.advance("two", "s9", LONG).await?;
    assert_eq!(reconciliation.moved_at().await?, moved);
    reconciliation.advance("one", "s1", LONG).await?;
    assert!(reconciliation.moved_at().await? > moved, "storing the same token moves the time");
    Ok(())
}

/// The time since the last push of the homeserver is known to every process.
pub async fn the_time_since_a_push_is_known(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    assert_eq!(reconciliation.since_push().await?, None);
    reconciliation.note_push().await?;
    store.pass(SHORT).await;
    let silent = reconciliation.since_push().await?.expect("a push was stored");
    assert!(silent >= SHORT, "{silent:?}");
    reconciliation.note_push().await?;
    assert!(reconciliation.since_push().await?.expect("a push was stored") < LONG);
    Ok(())
}

/// Of many concurrent workers, one claims the sync token.
pub async fn one_of_many_concurrent_workers_reads(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let claims = concurrently(10, |n| {
        let reconciliation = ports.reconciliation.clone();
        async move { reconciliation.claim(&format!("worker {n}"), LONG).await }
    })
    .await?;
    assert_eq!(claims.iter().filter(|claim| claim.is_held()).count(), 1);
    Ok(())
}
