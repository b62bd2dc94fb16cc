//! How far the homeserver's own stream has been read: one worker reads it at a time.

use messenger_core::Result;

use super::{LONG, SHORT, Store, in_time, together};

/// At first nothing was read.
pub async fn at_first_nothing_was_read(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    assert_eq!(reconciliation.position().await?, None);
    assert_eq!(reconciliation.claim("one", LONG).await?, Some(None));
    Ok(())
}

/// The position moves with who reads, and stays for who comes next.
pub async fn the_position_stays_for_who_comes_next(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    reconciliation.claim("one", LONG).await?;
    assert!(reconciliation.advance("one", Some("s1"), LONG).await?);
    assert!(reconciliation.advance("one", Some("s2"), LONG).await?);
    assert!(reconciliation.advance("one", None, SHORT).await?);
    assert_eq!(reconciliation.position().await?.as_deref(), Some("s2"));
    let claimed = in_time(store, async || reconciliation.claim("two", LONG).await).await?;
    assert_eq!(claimed.as_deref(), Some("s2"));
    Ok(())
}

/// Nobody else reads while the lease lasts; who reads may claim again.
pub async fn nobody_else_reads_while_the_lease_lasts(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    reconciliation.claim("one", LONG).await?;
    assert_eq!(reconciliation.claim("two", LONG).await?, None);
    assert_eq!(reconciliation.claim("one", LONG).await?, Some(None));
    Ok(())
}

/// Who was silent for too long moves nothing any more.
pub async fn who_lost_the_lease_moves_nothing(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    reconciliation.claim("one", SHORT).await?;
    in_time(store, async || reconciliation.claim("two", LONG).await).await?;
    assert!(!reconciliation.advance("one", Some("s9"), LONG).await?);
    assert!(reconciliation.advance("two", Some("s1"), LONG).await?);
    assert_eq!(reconciliation.position().await?.as_deref(), Some("s1"));
    Ok(())
}

/// When the position last moved is known to whoever comes next; renewing the lease does not move it.
pub async fn when_the_position_moved_is_known(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    reconciliation.claim("one", LONG).await?;
    reconciliation.advance("one", Some("s1"), LONG).await?;
    let moved = reconciliation.moved_at().await?;
    store.pass(SHORT).await;
    reconciliation.advance("one", None, LONG).await?;
    reconciliation.advance("two", Some("s9"), LONG).await?;
    assert_eq!(reconciliation.moved_at().await?, moved);
    reconciliation.advance("one", Some("s1"), LONG).await?;
    assert!(reconciliation.moved_at().await? > moved, "it is as far as before, and later");
    Ok(())
}

/// The time since the homeserver last pushed is known to every process.
pub async fn the_time_since_a_push_is_known(store: &dyn Store) -> Result<()> {
    let reconciliation = store.ports().reconciliation;
    assert_eq!(reconciliation.since_push().await?, None);
    reconciliation.note_push().await?;
    store.pass(SHORT).await;
    let silent = reconciliation.since_push().await?.expect("it was noted");
    assert!(silent >= SHORT, "{silent:?}");
    reconciliation.note_push().await?;
    assert!(reconciliation.since_push().await?.expect("it was noted") < LONG);
    Ok(())
}

/// Of many at once one reads.
pub async fn of_many_at_once_one_reads(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let claims = together(10, |n| {
        let reconciliation = ports.reconciliation.clone();
        async move { reconciliation.claim(&format!("worker {n}"), LONG).await }
    })
    .await?;
    assert_eq!(claims.iter().flatten().count(), 1);
    Ok(())
}
