//! Accounts that are to be provisioned, and the workers that claim them.

use std::{collections::BTreeSet, time::Duration};

use messenger_core::{
    Result,
    port::Users,
    user::{Identity, Role},
};

use super::{LONG, SHORT, Store, concurrently, eventually};
use crate::fixtures::{OTHER_TENANT, identity, user};

async fn claimed(users: &dyn Users) -> Result<Vec<String>> {
    let due = users.claim_due(LONG, 100).await?;
    let mut names: Vec<_> = due.into_iter().map(|user| user.identity.display_name).collect();
    names.sort();
    Ok(names)
}

/// Signs Anna in and provisions her account.
async fn provision_anna(users: &dyn Users) -> Result<()> {
    let anna = users.sign_in(&identity("anna"), "anna").await?;
    users.provisioned(&anna).await
}

/// A new user's account is due until it is provisioned.
pub async fn a_new_account_is_due_until_it_is_provisioned(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    let anna = users.sign_in(&identity("anna"), "anna").await?;
    assert_eq!(users.claim_due(SHORT, 10).await?, std::slice::from_ref(&anna));
    users.provisioned(&anna).await?;
    store.pass(SHORT * 2).await;
    assert_eq!(users.claim_due(LONG, 10).await?, []);
    assert!(users.find(anna.tenant(), anna.id()).await?.expect("known").provisioned);
    Ok(())
}

/// A claimed account cannot be claimed again before its lease ends.
pub async fn a_claimed_account_cannot_be_claimed_until_the_lease_ends(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    assert_eq!(claimed(&*users).await?, ["anna"]);
    assert_eq!(claimed(&*users).await?, [""; 0]);
    users.sign_in(&identity("bert"), "bert").await?;
    assert_eq!(users.claim_due(SHORT, 10).await?.len(), 1);
    store.pass(SHORT * 2).await;
    assert_eq!(claimed(&*users).await?, ["bert"]);
    Ok(())
}

/// Each account is claimed by one worker, and each claim respects its limit.
pub async fn each_account_is_claimed_by_one_worker(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    for n in 0..20 {
        users.sign_in(&identity(&format!("user{n:02}")), &format!("user{n:02}")).await?;
    }
    let claims = concurrently(10, |_| {
        let users = users.clone();
        async move { users.claim_due(LONG, 3).await }
    })
    .await?;
    assert!(claims.iter().all(|claim| claim.len() <= 3));
    let mut ids: Vec<_> = claims.into_iter().flatten().map(|user| user.id().clone()).collect();
    while let [one] = users.claim_due(LONG, 1).await?.as_slice() {
        ids.push(one.id().clone());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20);
    Ok(())
}

/// A flood of new users delays neither another tenant nor the newest user of its own tenant.
pub async fn many_accounts_of_one_tenant_delay_no_other_tenant(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    for n in 0..30 {
        users.sign_in(&identity(&format!("flood{n:02}")), &format!("flood{n:02}")).await?;
        store.pass(Duration::from_millis(2)).await;
    }
    users.sign_in(&Identity { tenant: OTHER_TENANT, ..identity("bert") }, "bert").await?;
    users.sign_in(&identity("anna"), "anna").await?;
    let first = users.claim_due(LONG, 3).await?;
    let mut first: Vec<_> = first.into_iter().map(|user| user.identity.display_name).collect();
    first.sort();
    assert_eq!(first, ["anna", "bert", "flood00"], "the newest and the oldest of each tenant");
    let mut others = BTreeSet::new();
    while let Some(user) = users.claim_due(LONG, 1).await?.pop() {
        others.insert(user.identity.display_name);
    }
    assert_eq!(others.len(), 29, "every account is claimed in the end");
    Ok(())
}

/// Neither another sign-in nor another role makes a provisioned account due.
pub async fn an_unrelated_change_does_not_make_the_account_due(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    provision_anna(&*users).await?;
    users.sign_in(&identity("anna"), "anna").await?;
    users.sign_in(&Identity { role: Role::Admin, ..identity("anna") }, "anna").await?;
    assert_eq!(claimed(&*users).await?, [""; 0]);
    Ok(())
}

/// A changed name makes the account due, with the new name.
pub async fn a_changed_name_makes_the_account_due(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    provision_anna(&*users).await?;
    users.sign_in(&Identity { display_name: "Anna Neu".to_owned(), ..identity("anna") }, "anna").await?;
    assert_eq!(claimed(&*users).await?, ["Anna Neu"]);
    Ok(())
}

/// A changed tenant makes the account due: it needs the new tenant's general room.
pub async fn a_changed_tenant_makes_the_account_due(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    provision_anna(&*users).await?;
    users.sign_in(&Identity { tenant: OTHER_TENANT, ..identity("anna") }, "anna").await?;
    assert_eq!(claimed(&*users).await?, ["anna"]);
    Ok(())
}

/// An account that changes while a worker provisions it stays due.
pub async fn a_change_during_provisioning_keeps_the_account_due(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    let claimed = users.claim_due(SHORT, 1).await?.pop().expect("she is due");
    let renamed = Identity { display_name: "Anna Neu".to_owned(), ..identity("anna") };
    users.sign_in(&renamed, "anna").await?;
    users.provisioned(&claimed).await?;
    assert!(!users.find(claimed.tenant(), claimed.id()).await?.expect("known").provisioned);
    let due = eventually(store, async || Ok(users.claim_due(LONG, 1).await?.pop())).await?;
    assert_eq!(due.identity, renamed);
    users.provisioned(&due).await?;
    let moved = Identity { tenant: OTHER_TENANT, ..renamed };
    users.sign_in(&moved, "anna").await?;
    users.provisioned(&due).await?;
    let due = eventually(store, async || Ok(users.claim_due(LONG, 1).await?.pop())).await?;
    assert_eq!(due.identity, moved);
    Ok(())
}

/// An account whose provisioning failed is due again after its backoff.
pub async fn a_postponed_account_is_due_later(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    users.claim_due(LONG, 1).await?;
    users.postpone(&user("anna")).await?;
    assert_eq!(claimed(&*users).await?, [""; 0]);
    eventually(store, async || Ok(users.claim_due(LONG, 1).await?.pop())).await?;
    Ok(())
}

/// The backoff grows with each failure.
pub async fn the_backoff_of_an_account_grows_with_each_failure(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    for _ in 0..8 {
        users.postpone(&user("anna")).await?;
    }
    store.pass(Duration::from_secs(3)).await;
    assert_eq!(claimed(&*users).await?, [""; 0], "the backoff after eight failures is longer than after one");
    Ok(())
}

/// A new name makes the account due at once, whatever failed before.
pub async fn a_change_ends_the_backoff(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    for _ in 0..8 {
        users.postpone(&user("anna")).await?;
    }
    users.sign_in(&Identity { display_name: "Anna Neu".to_owned(), ..identity("anna") }, "anna").await?;
    assert_eq!(claimed(&*users).await?, ["Anna Neu"]);
    Ok(())
}
