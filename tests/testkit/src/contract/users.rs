//! Sign-in and lookup of users.

use messenger_core::{
    Result,
    lease::Lease,
    user::{Account, Identity, Role, User},
};

use super::{LONG, Store, concurrently};
use crate::fixtures::{OTHER_TENANT, TENANT, identity, user};

/// The first sign-in creates the user, whose account is not provisioned yet.
pub async fn the_first_sign_in_creates_the_user(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    assert_eq!(users.find(TENANT, &user("Anna")).await?, None);
    let identity =
        Identity { display_name: "Anna Ägidius 🏭".to_owned(), role: Role::Admin, ..identity("Anna") };
    let signed_in = users.sign_in(&identity, "_anna").await?;
    let expected = User {
        display_name: identity.display_name.clone(),
        identity,
        localpart: "_anna".to_owned(),
        external_client_enabled: false,
        provisioned: false,
        account: Account::Pending,
        logged_out_at: None,
    };
    assert_eq!(signed_in, expected);
    assert_eq!(users.find(TENANT, &user("Anna")).await?, Some(expected));
    Ok(())
}

/// Every role is stored unchanged.
pub async fn a_role_is_stored_unchanged(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    for role in [Role::Admin, Role::User, Role::Viewer, Role::User] {
        let signed_in = users.sign_in(&Identity { role, ..identity("anna") }, "anna").await?;
        assert_eq!(signed_in.identity.role, role);
        assert_eq!(users.in_any_tenant(&user("anna")).await?.expect("known").identity.role, role);
    }
    Ok(())
}

/// Signing in again with the same token changes nothing.
pub async fn signing_in_again_changes_nothing(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    let first = users.sign_in(&identity("anna"), "anna").await?;
    users.provisioned(&first).await?;
    let again = users.sign_in(&identity("anna"), "anna").await?;
    assert_eq!(again, User { provisioned: true, ..first });
    assert_eq!(users.find(TENANT, &user("anna")).await?, Some(again));
    Ok(())
}

/// A new name is stored.
pub async fn a_changed_name_is_stored(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    let married = Identity { display_name: "Anna Neu".to_owned(), ..identity("anna") };
    assert_eq!(users.sign_in(&married, "anna").await?.identity, married);
    assert_eq!(users.find(TENANT, &user("anna")).await?.map(|user| user.identity), Some(married));
    Ok(())
}

/// A user belongs to one tenant: that of their last token.
pub async fn a_changed_tenant_moves_the_user(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    let first = users.sign_in(&identity("anna"), "anna").await?;
    users.provisioned(&first).await?;
    let moved = Identity { tenant: OTHER_TENANT, ..identity("anna") };
    let signed_in = users.sign_in(&moved, "anna").await?;
    assert_eq!(signed_in.identity, moved);
    assert!(!signed_in.provisioned, "the new tenant's general room is still to come");
    assert_eq!(users.find(TENANT, &user("anna")).await?, None);
    assert_eq!(users.find(OTHER_TENANT, &user("anna")).await?.map(|user| user.identity), Some(moved));
    Ok(())
}

/// A user keeps the localpart of the account that was made for them.
pub async fn a_user_keeps_their_localpart(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    let renamed = Identity { display_name: "Anna Neu".to_owned(), ..identity("anna") };
    // Until the service has made the account, the user may get another localpart.
    let pending = users.sign_in(&renamed, "=61nna").await?;
    assert_eq!((pending.localpart.as_str(), pending.account), ("=61nna", Account::Pending));
    assert_eq!(users.record_account(&pending, Account::Ours, LONG).await?, Lease::Held(Account::Ours));
    let owned = users.sign_in(&renamed, "anna").await?;
    assert_eq!((owned.localpart.as_str(), owned.account), ("=61nna", Account::Ours));
    assert_eq!(users.sign_in(&identity("anna"), "anna").await?.localpart, "=61nna");
    Ok(())
}

/// Two hundred concurrent first requests of one user create one user.
pub async fn concurrent_first_sign_ins_create_one_user(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    let signed_in = concurrently(200, |_| {
        let users = users.clone();
        async move { users.sign_in(&identity("anna"), "anna").await }
    })
    .await?;
    assert!(signed_in.iter().all(|one| *one == signed_in[0]));
    assert_eq!(users.search(TENANT, &crate::fixtures::query("")).await?.len(), 1);
    assert_eq!(users.claim_due(LONG, 10).await?.len(), 1);
    Ok(())
}

/// Concurrent sign-ins with different tokens all succeed, and one of them is stored.
pub async fn concurrent_sign_ins_with_changes_all_succeed(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    let variant = |n: usize| Identity {
        display_name: format!("Anna {}", n % 3),
        tenant: if n.is_multiple_of(2) { TENANT } else { OTHER_TENANT },
        ..identity("anna")
    };
    let signed_in = concurrently(60, |n| {
        let users = users.clone();
        async move { users.sign_in(&variant(n), "anna").await }
    })
    .await?;
    assert!(signed_in.iter().all(|one| one.localpart == "anna"));
    let stored = users.in_any_tenant(&user("anna")).await?.expect("known");
    assert!((0..6).any(|n| variant(n) == stored.identity));
    Ok(())
}

/// A user is found in their tenant only, and by their exact id.
pub async fn a_user_is_found_in_their_tenant_only(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    for (tenant, id) in
        [(OTHER_TENANT, "anna"), (TENANT, "Anna"), (TENANT, "ann"), (TENANT, "ann%"), (TENANT, "")]
    {
        assert_eq!(users.find(tenant, &user(id)).await?, None, "{id}");
    }
    Ok(())
}

/// A user is found in any tenant, and by their exact id.
pub async fn a_user_is_found_in_any_tenant(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("Anna"), "_anna").await?;
    users.sign_in(&Identity { tenant: OTHER_TENANT, ..identity("anna") }, "anna").await?;
    for (id, tenant) in
        [("Anna", Some(TENANT)), ("anna", Some(OTHER_TENANT)), ("_anna", None), ("messenger", None)]
    {
        let found = users.in_any_tenant(&user(id)).await?.map(|found| found.tenant());
        assert_eq!(found, tenant, "{id}");
    }
    Ok(())
}
