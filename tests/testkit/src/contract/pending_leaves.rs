//! Pending leaves: memberships that have ended here and still have to end on the homeserver.

use messenger_core::{
    Ports, Result,
    event::{Audience, Kind},
    id::Position,
    user::Identity,
};

use super::{LONG, SHORT, Store, concurrently, eventually};
use crate::fixtures::{OTHER_TENANT, TENANT, all_of, identity, room, user};

async fn with_anna(store: &dyn Store) -> Result<Ports> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "_anna").await?;
    for id in ["!1", "!2"] {
        ports.memberships.add(TENANT, &room(id), &user("anna")).await?;
    }
    Ok(ports)
}

async fn claim_due(ports: &Ports) -> Result<Vec<String>> {
    let mut rooms: Vec<_> =
        ports.pending_leaves.claim(LONG, 10).await?.iter().map(|one| one.room.to_string()).collect();
    rooms.sort();
    Ok(rooms)
}

/// A user who leaves is no member at once, is notified, and their leave is due on the homeserver.
pub async fn a_leaving_user_is_no_member_and_their_leave_is_due(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.pending_leaves.leave(TENANT, &room("!1"), &user("anna")).await?;
    ports.pending_leaves.leave(TENANT, &room("!1"), &user("anna")).await?;
    assert_eq!(ports.memberships.of(TENANT, &user("anna")).await?, [room("!2")]);
    let events = ports.feed.after(Position(0), &all_of(&[Audience::User(TENANT, user("anna"))]), 10).await?;
    assert_eq!(events.iter().filter(|event| event.kind == Kind::RoomLeft).count(), 1);
    let claimed = ports.pending_leaves.claim(LONG, 10).await?;
    assert_eq!((claimed.len(), claimed[0].localpart.as_str()), (1, "_anna"));
    assert_eq!(claim_due(&ports).await?, [""; 0], "it is claimed");
    assert!(ports.pending_leaves.done(&claimed[0]).await?.is_held());
    assert!(ports.pending_leaves.done(&claimed[0]).await?.is_lost());
    Ok(())
}

/// A claim ends with its lease, and each pending leave is claimed by one worker.
pub async fn a_pending_leave_is_claimed_by_one_worker_until_the_lease_ends(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.pending_leaves.leave(TENANT, &room("!1"), &user("anna")).await?;
    ports.pending_leaves.leave(TENANT, &room("!2"), &user("anna")).await?;
    let claims = concurrently(10, |_| {
        let pending_leaves = ports.pending_leaves.clone();
        async move { pending_leaves.claim(SHORT, 10).await }
    })
    .await?;
    assert_eq!(claims.iter().map(Vec::len).sum::<usize>(), 2);
    store.pass(SHORT * 2).await;
    assert_eq!(claim_due(&ports).await?, ["!1", "!2"]);
    Ok(())
}

/// A user who joins again cancels the pending leave, and the worker that claimed it notices.
pub async fn a_pending_leave_can_be_cancelled(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.pending_leaves.leave(TENANT, &room("!1"), &user("anna")).await?;
    let claimed = ports.pending_leaves.claim(LONG, 10).await?;
    ports.pending_leaves.cancel(&room("!1"), &user("anna")).await?;
    assert!(ports.pending_leaves.done(&claimed[0]).await?.is_lost());
    Ok(())
}

/// A failed leave is due again after its backoff.
pub async fn a_postponed_leave_is_due_later(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.pending_leaves.leave(TENANT, &room("!1"), &user("anna")).await?;
    let claimed = ports.pending_leaves.claim(LONG, 10).await?;
    ports.pending_leaves.postpone(&claimed[0]).await?;
    assert_eq!(claim_due(&ports).await?, [""; 0]);
    assert!(ports.maintenance.is_backing_off().await?);
    let due = eventually(store, async || {
        let due = claim_due(&ports).await?;
        Ok((!due.is_empty()).then_some(due))
    });
    assert_eq!(due.await?, ["!1"]);
    Ok(())
}

/// A leave in backoff is due after `retry_now`.
pub async fn retry_now_ends_the_backoff_of_a_leave(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.pending_leaves.leave(TENANT, &room("!1"), &user("anna")).await?;
    for _ in 0..4 {
        let claimed = ports.pending_leaves.claim(LONG, 10).await?;
        ports.pending_leaves.postpone(&claimed[0]).await?;
        ports.maintenance.retry_now().await?;
    }
    assert_eq!(claim_due(&ports).await?, ["!1"]);
    Ok(())
}

/// A user who moves to another tenant leaves all rooms of the old one, and its streams are notified.
pub async fn a_user_who_moves_leaves_all_rooms(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.users.sign_in(&Identity { tenant: OTHER_TENANT, ..identity("anna") }, "_anna").await?;
    let events = ports.feed.after(Position(0), &all_of(&[Audience::User(TENANT, user("anna"))]), 10).await?;
    assert_eq!(events.iter().filter(|event| event.kind == Kind::RoomLeft).count(), 2);
    assert_eq!(events.last().map(|event| event.kind), Some(Kind::AccessWithdrawn));
    assert_eq!(claim_due(&ports).await?, ["!1", "!2"]);
    Ok(())
}

/// A user who was in another tenant when they joined a room is no member, and leaves it on the homeserver.
pub async fn a_user_who_moved_before_joining_leaves_again(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.users.sign_in(&Identity { tenant: OTHER_TENANT, ..identity("anna") }, "_anna").await?;
    for pending_leave in ports.pending_leaves.claim(LONG, 10).await? {
        ports.pending_leaves.done(&pending_leave).await?;
    }
    ports.pending_leaves.cancel(&room("!3"), &user("anna")).await?;
    ports.memberships.add(TENANT, &room("!3"), &user("anna")).await?;
    ports.memberships.add(TENANT, &room("!3"), &user("nobody")).await?;
    assert_eq!(ports.memberships.of(TENANT, &user("anna")).await?, []);
    assert_eq!(claim_due(&ports).await?, ["!3"]);
    Ok(())
}
