//! External access: passwords that work until they are withdrawn, whatever fails in between.

use messenger_core::{
    error::Failure,
    external::Withdrawal,
    user::{Caller, Role},
};
use messenger_testkit::{TestHub, given, hub};

use crate::{part_of, ready_caller, ready_with, settle};

async fn people(hub: &TestHub) -> (Caller, Caller) {
    (ready_with(hub, "admin", Role::Admin).await, ready_caller(hub, "anna").await)
}

fn works(hub: &TestHub, caller: &Caller, password: &str) -> bool {
    hub.homeserver.lets_in(&hub.matrix_id(&caller.user), password)
}

#[tokio::test(start_paused = true)]
async fn nobody_has_a_password_before_an_administrator_allows_it() {
    let hub = hub().build();
    let (admin, anna) = people(&hub).await;
    assert_eq!(hub.external_client(&anna).await.expect_err("refused").code(), "external_access_disabled");
    assert_eq!(
        hub.rotate_external_client(&anna).await.expect_err("refused").code(),
        "external_access_disabled"
    );
    let id = anna.user.id();
    assert_eq!(hub.enable_external_access(&anna, id).await.expect_err("refused").code(), "admin_role_needed");
    assert_eq!(
        hub.disable_external_access(&anna, id).await.expect_err("refused").code(),
        "admin_role_needed"
    );
    let foreign = hub.caller("carl", given::OTHER_TENANT).await;
    for user in [foreign.user.id(), &given::user("nobody")] {
        assert_eq!(hub.enable_external_access(&admin, user).await.expect_err("refused").code(), "not_found");
        assert_eq!(hub.disable_external_access(&admin, user).await.expect_err("refused").code(), "not_found");
    }
    hub.enable_external_access(&admin, id).await.expect("enabled");
    let first = hub.external_client(&anna).await.expect("a password");
    assert!(works(&hub, &anna, &first.password));
    assert_eq!((first.username.as_str(), first.user_id.as_str()), ("anna", "@anna:hub.local"));
    assert_eq!(hub.external_client(&anna).await.expect("the same"), first);
    assert!(!format!("{first:?}").contains(&first.password));
}

#[tokio::test(start_paused = true)]
async fn a_rotated_password_is_another_one() {
    let hub = hub().build();
    let (admin, anna) = people(&hub).await;
    hub.enable_external_access(&admin, anna.user.id()).await.expect("enabled");
    let first = hub.external_client(&anna).await.expect("a password");
    let second = hub.rotate_external_client(&anna).await.expect("another");
    assert!(first.password != second.password && works(&hub, &anna, &second.password));
    assert_eq!(hub.external_client(&anna).await.expect("the same"), second);
    let both = futures::join!(hub.rotate_external_client(&anna), hub.rotate_external_client(&anna));
    let (one, other) = (both.0.expect("one"), both.1.expect("other"));
    let now = hub.external_client(&anna).await.expect("the last");
    assert!(now == one || now == other);
    assert!(works(&hub, &anna, &now.password));
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_works_whatever_crashed_before() {
    for polls in 0..60 {
        let hub = hub().build();
        let (admin, anna) = people(&hub).await;
        hub.enable_external_access(&admin, anna.user.id()).await.expect("enabled");
        hub.external_client(&anna).await.expect("a password");
        let done = hub.crash_after(polls, hub.rotate_external_client(&anna)).await.is_some();
        let shown = hub.another_process().external_client(&anna).await.expect("a password");
        assert!(works(&hub, &anna, &shown.password), "after {polls} steps");
        if done {
            return;
        }
    }
    panic!("it was never done");
}

#[tokio::test(start_paused = true)]
async fn who_is_withdrawn_is_out_now_or_when_the_homeserver_is_back() {
    let hub = hub().build();
    let (admin, anna) = people(&hub).await;
    let id = anna.user.id();
    hub.enable_external_access(&admin, id).await.expect("enabled");
    let first = hub.external_client(&anna).await.expect("a password");
    let done = hub.disable_external_access(&admin, id).await.expect("disabled");
    assert_eq!((done, works(&hub, &anna, &first.password)), (Withdrawal::Done, false));
    assert!(hub.external_client(&anna).await.is_err());
    hub.enable_external_access(&admin, id).await.expect("enabled");
    let second = hub.external_client(&anna).await.expect("another password");
    assert_ne!(first.password, second.password);
    hub.homeserver.switch_off();
    let pending = hub.disable_external_access(&admin, id).await.expect("disabled");
    assert_eq!((pending, works(&hub, &anna, &second.password)), (Withdrawal::Pending, true));
    hub.homeserver.switch_on();
    settle(&hub).await;
    assert!(!works(&hub, &anna, &second.password));
}

#[tokio::test(start_paused = true)]
async fn who_is_withdrawn_while_asking_is_out_all_the_same() {
    for polls in 0..40 {
        let hub = hub().build();
        let (admin, anna) = people(&hub).await;
        hub.enable_external_access(&admin, anna.user.id()).await.expect("enabled");
        let mut asking = Box::pin(hub.external_client(&anna));
        let early = part_of(polls, &mut asking).await;
        hub.disable_external_access(&admin, anna.user.id()).await.expect("disabled");
        let shown = match early {
            Some(shown) => shown,
            None => asking.await,
        };
        if let Ok(shown) = shown {
            assert!(!works(&hub, &anna, &shown.password), "after {polls} steps");
        }
        settle(&hub).await;
        let mut passwords = hub.homeserver.passwords();
        assert_eq!(passwords.pop(), None, "after {polls} steps");
    }
}

#[tokio::test(start_paused = true)]
async fn a_homeserver_that_is_away_shows_no_password_that_does_not_work() {
    let hub = hub().build();
    let (admin, anna) = people(&hub).await;
    hub.enable_external_access(&admin, anna.user.id()).await.expect("enabled");
    hub.homeserver.switch_off();
    let away = hub.external_client(&anna).await.expect_err("it is away");
    assert_eq!(away.failure(), Some(Failure::Unreachable));
    hub.homeserver.switch_on();
    let shown = hub.external_client(&anna).await.expect("a password");
    assert!(works(&hub, &anna, &shown.password));
}
