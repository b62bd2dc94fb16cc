//! Whose Matrix account is to be made ready, and by whom.

use std::{collections::BTreeSet, time::Duration};

use messenger_core::{
    Result,
    port::Users,
    user::{Identity, Role},
};

use super::{LONG, SHORT, Store, in_time, together};
use crate::fixtures::{OTHER_TENANT, identity, user};

async fn claimed(users: &dyn Users) -> Result<Vec<String>> {
    let due = users.claim_due(LONG, 100).await?;
    let mut names: Vec<_> = due.into_iter().map(|user| user.identity.display_name).collect();
    names.sort();
    Ok(names)
}

/// Signs Anna in and makes her account ready.
async fn ready(users: &dyn Users) -> Result<()> {
    let anna = users.sign_in(&identity("anna"), "anna").await?;
    users.provisioned(&anna).await
}

/// A new user's account is due, until it is ready.
pub async fn a_new_account_is_due_until_it_is_ready(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    let anna = users.sign_in(&identity("anna"), "anna").await?;
    assert_eq!(users.claim_due(SHORT, 10).await?, std::slice::from_ref(&anna));
    users.provisioned(&anna).await?;
    store.pass(SHORT * 2).await;
    assert_eq!(users.claim_due(LONG, 10).await?, []);
    assert!(users.find(anna.tenant(), anna.id()).await?.expect("known").provisioned);
    Ok(())
}

/// Nobody else gets an account for the time of the lease; afterwards somebody does.
pub async fn a_claimed_account_is_nobody_elses_until_the_lease_ends(store: &dyn Store) -> Result<()> {
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

/// At most so many are claimed, and of many workers each account by one.
pub async fn each_account_is_claimed_by_one_worker(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    for n in 0..20 {
        users.sign_in(&identity(&format!("user{n:02}")), &format!("user{n:02}")).await?;
    }
    let claims = together(10, |_| {
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

/// A flood of new users delays neither another tenant, nor its own tenant's newest user.
pub async fn many_accounts_of_a_tenant_delay_no_other(store: &dyn Store) -> Result<()> {
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
    let mut rest = BTreeSet::new();
    while let Some(user) = users.claim_due(LONG, 1).await?.pop() {
        rest.insert(user.identity.display_name);
    }
    assert_eq!(rest.len(), 29, "everybody's turn comes");
    Ok(())
}

/// Neither signing in again nor another role makes a ready account due.
pub async fn what_does_not_concern_the_account_does_not_make_it_due(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    ready(&*users).await?;
    users.sign_in(&identity("anna"), "anna").await?;
    users.sign_in(&Identity { role: Role::Admin, ..identity("anna") }, "anna").await?;
    assert_eq!(claimed(&*users).await?, [""; 0]);
    Ok(())
}

/// A changed name makes the account due, with the new name.
pub async fn a_changed_name_makes_the_account_due(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    ready(&*users).await?;
    users.sign_in(&Identity { display_name: "Anna Neu".to_owned(), ..identity("anna") }, "anna").await?;
    assert_eq!(claimed(&*users).await?, ["Anna Neu"]);
    Ok(())
}

/// A changed tenant makes the account due: it needs the new tenant's general room.
pub async fn a_changed_tenant_makes_the_account_due(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    ready(&*users).await?;
    users.sign_in(&Identity { tenant: OTHER_TENANT, ..identity("anna") }, "anna").await?;
    assert_eq!(claimed(&*users).await?, ["anna"]);
    Ok(())
}

/// What changes while a worker is at it stays due.
pub async fn a_change_during_the_work_stays_due(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    let taken = users.claim_due(SHORT, 1).await?.pop().expect("she is due");
    let renamed = Identity { display_name: "Anna Neu".to_owned(), ..identity("anna") };
    users.sign_in(&renamed, "anna").await?;
    users.provisioned(&taken).await?;
    assert!(!users.find(taken.tenant(), taken.id()).await?.expect("known").provisioned);
    let due = in_time(store, async || Ok(users.claim_due(LONG, 1).await?.pop())).await?;
    assert_eq!(due.identity, renamed);
    users.provisioned(&due).await?;
    let moved = Identity { tenant: OTHER_TENANT, ..renamed };
    users.sign_in(&moved, "anna").await?;
    users.provisioned(&due).await?;
    let due = in_time(store, async || Ok(users.claim_due(LONG, 1).await?.pop())).await?;
    assert_eq!(due.identity, moved);
    Ok(())
}

/// An account that could not be made ready rests, and then is due again.
pub async fn a_postponed_account_is_due_later(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    users.claim_due(LONG, 1).await?;
    users.postpone(&user("anna")).await?;
    assert_eq!(claimed(&*users).await?, [""; 0]);
    in_time(store, async || Ok(users.claim_due(LONG, 1).await?.pop())).await?;
    Ok(())
}

/// The rest grows with each failure.
pub async fn an_account_rests_longer_with_each_failure(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    for _ in 0..8 {
        users.postpone(&user("anna")).await?;
    }
    store.pass(Duration::from_secs(3)).await;
    assert_eq!(claimed(&*users).await?, [""; 0], "after eight failures it rests for longer than after one");
    Ok(())
}

/// A new name is worth another look at once.
pub async fn a_change_ends_the_rest(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    users.sign_in(&identity("anna"), "anna").await?;
    for _ in 0..8 {
        users.postpone(&user("anna")).await?;
    }
    users.sign_in(&Identity { display_name: "Anna Neu".to_owned(), ..identity("anna") }, "anna").await?;
    assert_eq!(claimed(&*users).await?, ["Anna Neu"]);
    Ok(())
}
