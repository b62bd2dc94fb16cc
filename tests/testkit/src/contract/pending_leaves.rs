//! Who is out of a room here, and is still to leave it on the homeserver.

use messenger_core::{
    Ports, Result,
    event::{Audience, Kind},
    id::Position,
    user::Identity,
};

use super::{LONG, SHORT, Store, in_time, together};
use crate::fixtures::{OTHER_TENANT, TENANT, identity, room, user};

async fn with_anna(store: &dyn Store) -> Result<Ports> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "_anna").await?;
    for id in ["!1", "!2"] {
        ports.memberships.add(TENANT, &room(id), &user("anna")).await?;
    }
    Ok(ports)
}

async fn due(ports: &Ports) -> Result<Vec<String>> {
    let mut rooms: Vec<_> =
        ports.pending_leaves.claim(LONG, 10).await?.iter().map(|one| one.room.to_string()).collect();
    rooms.sort();
    Ok(rooms)
}

/// Who departs is out at once, hears of it, and is due to leave on the homeserver.
pub async fn who_departs_is_out_and_due(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.pending_leaves.depart(TENANT, &room("!1"), &user("anna")).await?;
    ports.pending_leaves.depart(TENANT, &room("!1"), &user("anna")).await?;
    assert_eq!(ports.memberships.of(TENANT, &user("anna")).await?, [room("!2")]);
    let told = ports.feed.after(Position(0), &[Audience::User(TENANT, user("anna"))], 10).await?;
    assert_eq!(told.iter().filter(|event| event.kind == Kind::RoomLeft).count(), 1);
    let claimed = ports.pending_leaves.claim(LONG, 10).await?;
    assert_eq!((claimed.len(), claimed[0].localpart.as_str()), (1, "_anna"));
    assert_eq!(due(&ports).await?, [""; 0], "it is claimed");
    assert!(ports.pending_leaves.done(&claimed[0]).await?);
    assert!(!ports.pending_leaves.done(&claimed[0]).await?);
    Ok(())
}

/// A claim ends with its lease, and of many workers one gets each pending leave.
pub async fn a_departure_is_one_workers_until_the_lease_ends(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.pending_leaves.depart(TENANT, &room("!1"), &user("anna")).await?;
    ports.pending_leaves.depart(TENANT, &room("!2"), &user("anna")).await?;
    let claims = together(10, |_| {
        let pending_leaves = ports.pending_leaves.clone();
        async move { pending_leaves.claim(SHORT, 10).await }
    })
    .await?;
    assert_eq!(claims.iter().map(Vec::len).sum::<usize>(), 2);
    store.pass(SHORT * 2).await;
    assert_eq!(due(&ports).await?, ["!1", "!2"]);
    Ok(())
}

/// Who comes back is not to leave any more, and whoever was about to make them leave learns of it.
pub async fn a_departure_can_be_cancelled(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.pending_leaves.depart(TENANT, &room("!1"), &user("anna")).await?;
    let claimed = ports.pending_leaves.claim(LONG, 10).await?;
    ports.pending_leaves.cancel(&room("!1"), &user("anna")).await?;
    assert!(!ports.pending_leaves.done(&claimed[0]).await?);
    Ok(())
}

/// A failure delays it.
pub async fn a_postponed_departure_is_due_later(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.pending_leaves.depart(TENANT, &room("!1"), &user("anna")).await?;
    let claimed = ports.pending_leaves.claim(LONG, 10).await?;
    ports.pending_leaves.postpone(&claimed[0]).await?;
    assert_eq!(due(&ports).await?, [""; 0]);
    assert!(ports.maintenance.is_backing_off().await?);
    let due = in_time(store, async || {
        let due = due(&ports).await?;
        Ok((!due.is_empty()).then_some(due))
    });
    assert_eq!(due.await?, ["!1"]);
    Ok(())
}

/// What rests after a failure is due when the homeserver is back.
pub async fn a_resting_departure_is_woken(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.pending_leaves.depart(TENANT, &room("!1"), &user("anna")).await?;
    for _ in 0..4 {
        let claimed = ports.pending_leaves.claim(LONG, 10).await?;
        ports.pending_leaves.postpone(&claimed[0]).await?;
        ports.maintenance.retry_now().await?;
    }
    assert_eq!(due(&ports).await?, ["!1"]);
    Ok(())
}

/// Who moves to another tenant leaves all rooms of the old one, and the streams of the old one are told.
pub async fn who_moves_leaves_all_rooms(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.users.sign_in(&Identity { tenant: OTHER_TENANT, ..identity("anna") }, "_anna").await?;
    let told = ports.feed.after(Position(0), &[Audience::User(TENANT, user("anna"))], 10).await?;
    assert_eq!(told.iter().filter(|event| event.kind == Kind::RoomLeft).count(), 2);
    assert_eq!(told.last().map(|event| event.kind), Some(Kind::AccessWithdrawn));
    assert_eq!(due(&ports).await?, ["!1", "!2"]);
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
    assert_eq!(due(&ports).await?, ["!3"]);
    Ok(())
}
