//! Access with other Matrix clients, and the sealed passwords for it.

use messenger_core::{
    Error, Ports, Result,
    admin::{Administrator, ExpectedVersions},
    external::Sealed,
    lease::Lease,
    port::ExternalAccess,
    user::Identity,
};

use super::{LONG, SHORT, Store, concurrently, eventually};
use crate::fixtures::{OTHER_TENANT, TENANT, administrator, any_version, identity, user};

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
        access.enable(&administrator(), &user("anna"), &any_version()).await?;
        assert!(shown().await?);
    }
    access.disable(&administrator(), &user("anna"), &any_version()).await?;
    assert!(!shown().await?);
    access.enable(&administrator(), &user("anna"), &any_version()).await?;
    assert!(shown().await?);
    Ok(())
}

/// The pages list each user with access once.
pub async fn users_with_access_are_listed_page_by_page(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for (tenant, name) in [(TENANT, "anna"), (OTHER_TENANT, "bert"), (TENANT, "carl"), (TENANT, "dora")] {
        ports.users.sign_in(&Identity { tenant, ..identity(name) }, name).await?;
        let by = Administrator { tenant, ..administrator() };
        ports.external_access.enable(&by, &user(name), &any_version()).await?;
    }
    ports.users.sign_in(&identity("berta"), "berta").await?;
    ports.external_access.disable(&administrator(), &user("carl"), &any_version()).await?;
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
    let foreign = Administrator { tenant: OTHER_TENANT, ..administrator() };
    for (by, name) in [(&foreign, "anna"), (&administrator(), "nobody")] {
        let refused = access.enable(by, &user(name), &any_version()).await.expect_err("no such user");
        assert_eq!(refused.code(), "not_found");
    }
    access.enable(&administrator(), &user("anna"), &any_version()).await?;
    assert_eq!(access.find(OTHER_TENANT, &user("anna")).await?, None);
    let refused = access.disable(&foreign, &user("anna"), &any_version()).await.expect_err("no such user");
    assert_eq!(refused.code(), "not_found");
    assert!(access.find(TENANT, &user("anna")).await?.is_some());
    Ok(())
}

/// An act on another version than the present one changes nothing.
pub async fn access_changes_under_the_expected_version_only(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    let (access, by, anna) = (&ports.external_access, administrator(), user("anna"));
    let only = |version| ExpectedVersions(Some(vec![version]));
    access.enable(&by, &anna, &any_version()).await?;
    let refused = access.disable(&by, &anna, &only(0)).await.expect_err("there is no such version");
    let Error::VersionMismatch { version } = refused else { panic!("{refused}") };
    assert!(access.find(TENANT, &anna).await?.is_some());
    access.enable(&by, &anna, &only(version)).await?;
    access.disable(&by, &anna, &ExpectedVersions(Some(vec![0, version]))).await?;
    assert_eq!(
        access.enable(&by, &anna, &only(version)).await.expect_err("it has changed").code(),
        "version_mismatch"
    );
    assert_eq!(access.find(TENANT, &anna).await?, None);
    Ok(())
}

/// A password is loaded as it was stored, with the flag whether the homeserver has it.
pub async fn a_password_is_loaded_as_it_was_stored(store: &dyn Store) -> Result<()> {
    let access = with_anna(store).await?.external_access;
    access.enable(&administrator(), &user("anna"), &any_version()).await?;
    let first = generation(&*access).await?;
    let second =
        access.store(&user("anna"), first, &sealed("a")).await?.held().expect("no other call was quicker");
    let found = access.find(TENANT, &user("anna")).await?.expect("she has access");
    assert_eq!((found.generation, found.password, found.applied), (second, Some(sealed("a")), false));
    assert!(access.applied(&user("anna"), second).await?.is_held());
    access.enable(&administrator(), &user("anna"), &any_version()).await?;
    let found = access.find(TENANT, &user("anna")).await?.expect("she has access");
    assert_eq!((found.generation, found.applied), (second, true));
    Ok(())
}

/// Of many concurrent calls one stores a password, and the others notice it.
pub async fn one_of_many_concurrent_calls_stores_a_password(store: &dyn Store) -> Result<()> {
    let access = with_anna(store).await?.external_access;
    access.enable(&administrator(), &user("anna"), &any_version()).await?;
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
    access.enable(&administrator(), &user("anna"), &any_version()).await?;
    let first = generation(&*access).await?;
    let second =
        access.store(&user("anna"), first, &sealed("a")).await?.held().expect("no other call was quicker");
    assert_eq!(access.claim_revocations(LONG, 10).await?.len(), 0);
    let third = access.disable(&administrator(), &user("anna"), &any_version()).await?;
    assert!(access.applied(&user("anna"), second).await?.is_lost());
    assert!(access.store(&user("anna"), third, &sealed("b")).await?.is_lost());
    let due = access.claim_revocations(SHORT, 10).await?;
    assert_eq!(due.iter().map(|(user, at)| (user.id().as_str(), *at)).collect::<Vec<_>>(), [("anna", third)]);
    assert_eq!(access.claim_revocations(SHORT, 10).await?.len(), 0, "it is claimed");
    access.revoked(&user("anna"), third, true).await?;
    store.pass(SHORT * 2).await;
    assert_eq!(access.claim_revocations(LONG, 10).await?.len(), 0);
    access.enable(&administrator(), &user("anna"), &any_version()).await?;
    assert_eq!(access.find(TENANT, &user("anna")).await?.expect("she has access").password, None);
    Ok(())
}

/// Of a worker and an administrator's call, one logs the devices out, and no password is stored meanwhile.
pub async fn one_caller_revokes_at_a_time(store: &dyn Store) -> Result<()> {
    let access = with_anna(store).await?.external_access;
    let (by, anna) = (administrator(), user("anna"));
    assert_eq!(access.claim_revocation(&anna, LONG).await?, None);
    let first = access.disable(&by, &anna, &any_version()).await?;
    assert_eq!(access.claim_revocation(&anna, LONG).await?, Some(Lease::Held(first)));
    assert_eq!(access.claim_revocations(LONG, 10).await?.len(), 0, "it is claimed");
    let second = access.disable(&by, &anna, &any_version()).await?;
    assert_eq!(access.claim_revocation(&anna, LONG).await?, Some(Lease::Lost), "the lease stays");
    access.enable(&by, &anna, &any_version()).await?;
    assert!(access.store(&anna, second, &sealed("a")).await?.is_lost(), "the logout would void it");
    access.revoked(&anna, first, true).await?;
    let due = access.claim_revocations(LONG, 10).await?;
    assert_eq!(due.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [second], "the later one is still due");
    assert_eq!(access.claim_revocation(&anna, LONG).await?, Some(Lease::Lost));
    access.revoked(&anna, second, true).await?;
    assert_eq!(access.claim_revocation(&anna, LONG).await?, None);
    assert!(access.store(&anna, second, &sealed("a")).await?.is_held());
    Ok(())
}

/// A failed revocation is due again after its backoff.
pub async fn a_failed_revocation_is_due_later(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    let access = &ports.external_access;
    let generation = access.disable(&administrator(), &user("anna"), &any_version()).await?;
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
    let old = access.disable(&administrator(), &user("anna"), &any_version()).await?;
    access.enable(&administrator(), &user("anna"), &any_version()).await?;
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
