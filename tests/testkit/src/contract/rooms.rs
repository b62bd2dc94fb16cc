//! The rooms of keys, and the claims to create them.

use messenger_core::{
    Result,
    id::TenantId,
    room::{Claim, Profile, RoomKey, RoomKind},
};

use super::{LONG, SHORT, Store, concurrently};
use crate::fixtures::{OTHER_TENANT, TENANT, room, user};

fn key(number: i64) -> RoomKey {
    let kind = RoomKind::Entity { entity_type: "machine".to_owned(), entity_id: number.to_string() };
    RoomKey { tenant: TENANT, kind }
}

/// Returns keys that are easily mistaken for each other.
fn keys(tenant: TenantId) -> Vec<RoomKey> {
    let entity = |entity_type: &str, entity_id: &str| RoomKind::Entity {
        entity_type: entity_type.to_owned(),
        entity_id: entity_id.to_owned(),
    };
    let service = |app: &str| RoomKind::Service { source_app: app.to_owned() };
    let kinds = [
        RoomKind::General,
        entity("a", "b"),
        entity("A", "b"),
        entity("a/b", ""),
        entity("", "a/b"),
        entity("a", "b/"),
        service("a"),
        service("a/b"),
        service("ä"),
        RoomKind::BotDm { user: user("a") },
        RoomKind::BotDm { user: user("A") },
    ];
    kinds.into_iter().map(|kind| RoomKey { tenant, kind }).collect()
}

/// No room is found before it is registered, also if it is claimed.
pub async fn a_room_is_found_once_it_is_registered(store: &dyn Store) -> Result<()> {
    let rooms = store.ports().rooms;
    assert_eq!(rooms.find(&key(1)).await?, None);
    rooms.claim(&key(1), LONG).await?;
    assert_eq!(rooms.find(&key(1)).await?, None);
    rooms.register(&key(1), &room("!1"), &Profile::default()).await?;
    assert_eq!(rooms.find(&key(1)).await?.map(|(room, _)| room), Some(room("!1")));
    Ok(())
}

/// Every key has a room of its own.
pub async fn each_key_has_its_own_room(store: &dyn Store) -> Result<()> {
    let rooms = store.ports().rooms;
    let keys: Vec<_> = [TENANT, OTHER_TENANT].into_iter().flat_map(keys).collect();
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(rooms.claim(key, LONG).await?, Claim::Yours, "{key}");
        rooms.register(key, &room(&format!("!{n}")), &Profile::default()).await?;
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(rooms.find(key).await?.map(|(room, _)| room), Some(room(&format!("!{n}"))), "{key}");
        assert_eq!(rooms.tenant_of(&room(&format!("!{n}"))).await?, Some(key.tenant));
    }
    Ok(())
}

/// A claimed room cannot be claimed again.
pub async fn a_claimed_room_cannot_be_claimed(store: &dyn Store) -> Result<()> {
    let rooms = store.ports().rooms;
    assert_eq!(rooms.claim(&key(1), LONG).await?, Claim::Yours);
    assert_eq!(rooms.claim(&key(1), LONG).await?, Claim::Held);
    assert_eq!(rooms.claim(&key(2), LONG).await?, Claim::Yours);
    Ok(())
}

/// Of many concurrent claims, one succeeds.
pub async fn one_of_many_may_create_a_room(store: &dyn Store) -> Result<()> {
    let rooms = store.ports().rooms;
    let claims = concurrently(50, |_| {
        let rooms = rooms.clone();
        async move { rooms.claim(&key(1), LONG).await }
    })
    .await?;
    assert_eq!(claims.iter().filter(|claim| **claim == Claim::Yours).count(), 1);
    assert_eq!(claims.iter().filter(|claim| **claim == Claim::Held).count(), 49);
    Ok(())
}

/// A claim ends with its lease, since its creator may have died.
pub async fn a_claim_ends_with_its_lease(store: &dyn Store) -> Result<()> {
    let rooms = store.ports().rooms;
    assert_eq!(rooms.claim(&key(1), SHORT).await?, Claim::Yours);
    store.pass(SHORT * 2).await;
    assert_eq!(rooms.claim(&key(1), LONG).await?, Claim::Yours);
    assert_eq!(rooms.claim(&key(1), LONG).await?, Claim::Held);
    Ok(())
}

/// A released claim can be taken at once.
pub async fn a_claim_can_be_released(store: &dyn Store) -> Result<()> {
    let rooms = store.ports().rooms;
    rooms.claim(&key(1), LONG).await?;
    rooms.unclaim(&key(1)).await?;
    assert_eq!(rooms.claim(&key(1), LONG).await?, Claim::Yours);
    Ok(())
}

/// A claim returns the room if it is registered.
pub async fn a_claim_returns_a_registered_room(store: &dyn Store) -> Result<()> {
    let rooms = store.ports().rooms;
    rooms.claim(&key(1), SHORT).await?;
    rooms.register(&key(1), &room("!1"), &Profile::default()).await?;
    store.pass(SHORT * 2).await;
    assert_eq!(rooms.claim(&key(1), LONG).await?, Claim::Registered(room("!1")));
    rooms.unclaim(&key(1)).await?;
    assert_eq!(rooms.claim(&key(1), LONG).await?, Claim::Registered(room("!1")));
    Ok(())
}

/// A room that another key has got meanwhile stays there, and the claim of the key ends.
pub async fn a_room_stays_with_the_key_that_got_it_first(store: &dyn Store) -> Result<()> {
    let rooms = store.ports().rooms;
    rooms.register(&key(1), &room("!1"), &Profile::default()).await?;
    rooms.claim(&key(2), LONG).await?;
    assert_eq!(rooms.register(&key(2), &room("!1"), &Profile::default()).await?, room("!1"));
    assert_eq!(rooms.find(&key(1)).await?.map(|(room, _)| room), Some(room("!1")));
    assert_eq!(rooms.find(&key(2)).await?, None);
    assert_eq!(rooms.claim(&key(2), LONG).await?, Claim::Yours, "the first claim has ended");
    rooms.register(&key(3), &room("!3"), &Profile::default()).await?;
    assert_eq!(rooms.register(&key(3), &room("!1"), &Profile::default()).await?, room("!3"));
    Ok(())
}

/// The room that was registered first stays, and later registrations return it.
pub async fn the_first_registered_room_stays(store: &dyn Store) -> Result<()> {
    let rooms = store.ports().rooms;
    rooms.claim(&key(1), LONG).await?;
    assert_eq!(rooms.register(&key(1), &room("!first"), &Profile::default()).await?, room("!first"));
    assert_eq!(rooms.register(&key(1), &room("!first"), &Profile::default()).await?, room("!first"));
    assert_eq!(rooms.register(&key(1), &room("!second"), &Profile::default()).await?, room("!first"));
    assert_eq!(rooms.find(&key(1)).await?.map(|(room, _)| room), Some(room("!first")));
    assert_eq!(rooms.tenant_of(&room("!second")).await?, None);
    Ok(())
}

/// Concurrent registrations all return the same room.
pub async fn concurrent_registrations_return_one_room(store: &dyn Store) -> Result<()> {
    let rooms = store.ports().rooms;
    rooms.claim(&key(1), LONG).await?;
    let registered = concurrently(20, |n| {
        let rooms = rooms.clone();
        async move { rooms.register(&key(1), &room(&format!("!{n}")), &Profile::default()).await }
    })
    .await?;
    let (found, _) = rooms.find(&key(1)).await?.expect("a room is registered");
    assert!(registered.iter().all(|room| *room == found), "{registered:?}");
    Ok(())
}

/// A room that the service did not create has no tenant.
pub async fn a_foreign_room_has_no_tenant(store: &dyn Store) -> Result<()> {
    assert_eq!(store.ports().rooms.tenant_of(&room("!foreign")).await?, None);
    Ok(())
}

/// Registered rooms of all tenants are known; a room that is only claimed has no id yet.
pub async fn rooms_of_all_tenants_are_known(store: &dyn Store) -> Result<()> {
    let rooms = store.ports().rooms;
    rooms.register(&key(1), &room("!1"), &Profile::default()).await?;
    let other = RoomKey { tenant: OTHER_TENANT, ..key(2) };
    rooms.register(&other, &room("!2"), &Profile::default()).await?;
    rooms.claim(&key(3), LONG).await?;
    let mut known = rooms.known(&[room("!2"), room("!foreign"), room("!1")]).await?;
    known.sort();
    assert_eq!(known, [room("!1"), room("!2")]);
    assert_eq!(rooms.known(&[room("!foreign")]).await?, []);
    Ok(())
}
