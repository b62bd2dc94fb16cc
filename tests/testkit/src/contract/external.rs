//! Access with other Matrix clients, and the sealed passwords for it.

use messenger_core::{Ports, Result, external::Sealed, port::ExternalAccess, user::Identity};

use super::{LONG, SHORT, Store, concurrently, eventually};
use crate::fixtures::{OTHER_TENANT, TENANT, identity, user};

async fn with_anna(store: &dyn Store) -> Result<Ports> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    Ok(ports)
}

fn sealed(text: &str) -> Sealed {
    Sealed { key_id: "k1".to_owned(), bytes: vec![0, 255, text.as_bytes()[0]] }
}

async fn generation(access: &dyn ExternalAccess) -> Result<i64> {
    Ok(access.find(TENANT, &user("anna")).await?.expect("she has access").generation)
}

/// A user has access from the time it is enabled until it is disabled.
pub async fn the_last_decision_on_access_counts(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    let access = &ports.external_access;
    let shown = async || -> Result<_> {
        let anna = ports.users.find(TENANT, &user("anna")).await?.expect("known");
        let found = access.find(TENANT, &user("anna")).await?;
        assert_eq!(anna.external_client_enabled, found.is_some());
        Ok(found.is_some())
    };
    assert!(!shown().await?);
    for _ in 0..2 {
        assert!(access.enable(TENANT, &user("anna")).await?);
        assert!(shown().await?);
    }
    assert!(access.disable(TENANT, &user("anna")).await?.is_some());
    assert!(!shown().await?);
    assert!(access.enable(TENANT, &user("anna")).await?);
    assert!(shown().await?);
    Ok(())
}

/// The pages list each user with access once.
pub async fn users_with_access_are_listed_page_by_page(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for (tenant, name) in [(TENANT, "anna"), (OTHER_TENANT, "bert"), (TENANT, "carl"), (TENANT, "dora")] {
        ports.users.sign_in(&Identity { tenant, ..identity(name) }, name).await?;
        ports.external_access.enable(tenant, &user(name)).await?;
    }
    ports.users.sign_in(&identity("berta"), "berta").await?;
    ports.external_access.disable(TENANT, &user("carl")).await?;
    let page = async |after: Option<&str>| -> Result<Vec<String>> {
        let users = ports.external_access.allowed(after.map(user).as_ref(), 2).await?;
        Ok(users.iter().map(|user| user.id().to_string()).collect())
    };
    assert_eq!(page(None).await?, ["anna", "bert"]);
    assert_eq!(page(Some("bert")).await?, ["dora"]);
    assert_eq!(page(Some("dora")).await?, [""; 0]);
    Ok(())
}

/// A tenant cannot enable or disable access of another tenant's users.
pub async fn access_belongs_to_one_tenant(store: &dyn Store) -> Result<()> {
    let access = with_anna(store).await?.external_access;
    assert!(!access.enable(OTHER_TENANT, &user("anna")).await?);
    assert!(!access.enable(TENANT, &user("nobody")).await?);
    access.enable(TENANT, &user("anna")).await?;
    assert_eq!(access.find(OTHER_TENANT, &user("anna")).await?, None);
    assert_eq!(access.disable(OTHER_TENANT, &user("anna")).await?, None);
    assert!(access.find(TENANT, &user("anna")).await?.is_some());
    Ok(())
}

/// A password is loaded as it was stored, with the flag whether the homeserver has it.
pub async fn a_password_is_loaded_as_it_was_stored(store: &dyn Store) -> Result<()> {
    let access = with_anna(store).await?.external_access;
    access.enable(TENANT, &user("anna")).await?;
    let first = generation(&*access).await?;
    let second =
        access.store(&user("anna"), first, &sealed("a")).await?.held().expect("no other call was quicker");
    let found = access.find(TENANT, &user("anna")).await?.expect("she has access");
    assert_eq!((found.generation, found.password, found.applied), (second, Some(sealed("a")), false));
    assert!(access.applied(&user("anna"), second).await?.is_held());
    access.enable(TENANT, &user("anna")).await?;
    let found = access.find(TENANT, &user("anna")).await?.expect("she has access");
    assert_eq!((found.generation, found.applied), (second, true));
    Ok(())
}

/// Of many concurrent calls one stores a password, and the others notice it.
pub async fn one_of_many_concurrent_calls_stores_a_password(store: &dyn Store) -> Result<()> {
    let access = with_anna(store).await?.external_access;
    access.enable(TENANT, &user("anna")).await?;
    let first = generation(&*access).await?;
    let stored = concurrently(10, |_| {
        let access = access.clone();
        async move { access.store(&user("anna"), first, &sealed("x")).await }
    })
    .await?;
    assert_eq!(stored.iter().filter(|stored| stored.is_held()).count(), 1);
    assert!(access.applied(&user("anna"), first).await?.is_lost(), "a newer password is stored");
    Ok(())
}

/// Disabling access removes the password and makes the log-out due, once.
pub async fn disabled_access_is_due_to_be_revoked(store: &dyn Store) -> Result<()> {
    let access = with_anna(store).await?.external_access;
    access.enable(TENANT, &user("anna")).await?;
    let first = generation(&*access).await?;
    let second =
        access.store(&user("anna"), first, &sealed("a")).await?.held().expect("no other call was quicker");
    assert_eq!(access.claim_revocations(LONG, 10).await?.len(), 0);
    let third = access.disable(TENANT, &user("anna")).await?.expect("she is known");
    assert!(access.applied(&user("anna"), second).await?.is_lost());
    assert!(access.store(&user("anna"), third, &sealed("b")).await?.is_lost());
    let due = access.claim_revocations(SHORT, 10).await?;
    assert_eq!(due.iter().map(|(user, at)| (user.id().as_str(), *at)).collect::<Vec<_>>(), [("anna", third)]);
    assert_eq!(access.claim_revocations(SHORT, 10).await?.len(), 0, "it is claimed");
    access.revoked(&user("anna"), third, true).await?;
    store.pass(SHORT * 2).await;
    assert_eq!(access.claim_revocations(LONG, 10).await?.len(), 0);
    access.enable(TENANT, &user("anna")).await?;
    assert_eq!(access.find(TENANT, &user("anna")).await?.expect("she has access").password, None);
    Ok(())
}

/// A failed revocation is due again after its backoff.
pub async fn a_failed_revocation_is_due_later(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    let access = &ports.external_access;
    let generation = access.disable(TENANT, &user("anna")).await?.expect("she is known");
    access.revoked(&user("anna"), generation, false).await?;
    assert_eq!(access.claim_revocations(LONG, 10).await?.len(), 0);
    assert!(ports.maintenance.is_backing_off().await?);
    let due = eventually(store, async || {
        let due = access.claim_revocations(LONG, 10).await?;
        Ok((!due.is_empty()).then_some(due))
    });
    assert_eq!(due.await?.len(), 1);
    Ok(())
}

/// A late revocation also voids the next password: it counts as not applied.
pub async fn a_late_revocation_voids_the_next_password(store: &dyn Store) -> Result<()> {
    let access = with_anna(store).await?.external_access;
    let old = access.disable(TENANT, &user("anna")).await?.expect("she is known");
    access.enable(TENANT, &user("anna")).await?;
    let now = generation(&*access).await?;
    let new =
        access.store(&user("anna"), now, &sealed("a")).await?.held().expect("no other call was quicker");
    assert!(access.applied(&user("anna"), new).await?.is_held());
    assert_eq!(access.claim_revocations(LONG, 10).await?.len(), 0, "the new password replaces the old one");
    access.revoked(&user("anna"), old, true).await?;
    let found = access.find(TENANT, &user("anna")).await?.expect("she has access");
    assert_eq!((found.generation, found.applied), (new, false));
    Ok(())
}
