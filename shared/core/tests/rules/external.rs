//! Access with other Matrix clients: passwords work until they are withdrawn, over failures and crashes.

use messenger_core::{error::Failure, external::Withdrawal, user::Caller};
use messenger_testkit::{TestMessenger, fixtures, messenger};

use crate::{poll_at_most, ready_caller, run_until_idle};

fn works(messenger: &TestMessenger, caller: &Caller, password: &str) -> bool {
    messenger.homeserver.accepts_password(&messenger.ids().of(&caller.user), password)
}

#[tokio::test(start_paused = true)]
async fn a_user_has_no_password_before_an_administrator_allows_it() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    assert_eq!(
        messenger.external_clients().credentials(&anna).await.expect_err("refused").code(),
        "external_access_disabled"
    );
    assert_eq!(
        messenger.external_clients().rotate(&anna).await.expect_err("refused").code(),
        "external_access_disabled"
    );
    let id = anna.user.id();
    let foreign = messenger.caller("carl", fixtures::OTHER_TENANT).await;
    for user in [foreign.user.id(), &fixtures::user("nobody")] {
        assert_eq!(messenger.enable_external(user).await.expect_err("refused").code(), "not_found");
        assert_eq!(messenger.disable_external(user).await.expect_err("refused").code(), "not_found");
    }
    messenger.enable_external(id).await.expect("enabled");
    let first = messenger.external_clients().credentials(&anna).await.expect("a password");
    assert!(works(&messenger, &anna, &first.password));
    assert_eq!((first.username.as_str(), first.user_id.as_str()), ("anna", "@anna:hub.local"));
    assert_eq!(messenger.external_clients().credentials(&anna).await.expect("the same"), first);
    assert!(!format!("{first:?}").contains(&first.password));
}

#[tokio::test(start_paused = true)]
async fn a_rotated_password_is_another_one() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    messenger.enable_external(anna.user.id()).await.expect("enabled");
    let first = messenger.external_clients().credentials(&anna).await.expect("a password");
    let second = messenger.external_clients().rotate(&anna).await.expect("another");
    assert!(first.password != second.password && works(&messenger, &anna, &second.password));
    assert_eq!(messenger.external_clients().credentials(&anna).await.expect("the same"), second);
    let both = futures::join!(
        messenger.external_clients().rotate(&anna),
        messenger.external_clients().rotate(&anna)
    );
    let (one, other) = (both.0.expect("one"), both.1.expect("other"));
    let now = messenger.external_clients().credentials(&anna).await.expect("the last");
    assert!(now == one || now == other);
    assert!(works(&messenger, &anna, &now.password));
}

#[tokio::test(start_paused = true)]
async fn a_returned_password_works_whatever_crashed_before() {
    for polls in 0..60 {
        let messenger = messenger().build();
        let anna = ready_caller(&messenger, "anna").await;
        messenger.enable_external(anna.user.id()).await.expect("enabled");
        messenger.external_clients().credentials(&anna).await.expect("a password");
        let done = messenger.crash_after(polls, messenger.external_clients().rotate(&anna)).await.is_some();
        let shown =
            messenger.another_process().external_clients().credentials(&anna).await.expect("a password");
        assert!(works(&messenger, &anna, &shown.password), "after {polls} steps");
        if done {
            return;
        }
    }
    panic!("the rotation never completes");
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_password_stops_working_at_once_or_after_the_outage() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let id = anna.user.id();
    messenger.enable_external(id).await.expect("enabled");
    let first = messenger.external_clients().credentials(&anna).await.expect("a password");
    let done = messenger.disable_external(id).await.expect("disabled");
    assert_eq!((done, works(&messenger, &anna, &first.password)), (Withdrawal::Done, false));
    assert!(messenger.external_clients().credentials(&anna).await.is_err());
    messenger.enable_external(id).await.expect("enabled");
    let second = messenger.external_clients().credentials(&anna).await.expect("another password");
    assert_ne!(first.password, second.password);
    messenger.homeserver.switch_off();
    let pending = messenger.disable_external(id).await.expect("disabled");
    assert_eq!((pending, works(&messenger, &anna, &second.password)), (Withdrawal::Pending, true));
    messenger.homeserver.switch_on();
    run_until_idle(&messenger).await;
    assert!(!works(&messenger, &anna, &second.password));
}

#[tokio::test(start_paused = true)]
async fn a_password_that_is_withdrawn_during_its_creation_does_not_work() {
    for polls in 0..40 {
        let messenger = messenger().build();
        let anna = ready_caller(&messenger, "anna").await;
        messenger.enable_external(anna.user.id()).await.expect("enabled");
        let mut request = Box::pin(messenger.external_clients().credentials(&anna));
        let early = poll_at_most(polls, &mut request).await;
        messenger.disable_external(anna.user.id()).await.expect("disabled");
        let shown = match early {
            Some(shown) => shown,
            None => request.await,
        };
        if let Ok(shown) = shown {
            assert!(!works(&messenger, &anna, &shown.password), "after {polls} steps");
        }
        run_until_idle(&messenger).await;
        let mut passwords = messenger.homeserver.passwords();
        assert_eq!(passwords.pop(), None, "after {polls} steps");
    }
}

#[tokio::test(start_paused = true)]
async fn a_homeserver_outage_returns_no_password_that_does_not_work() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    messenger.enable_external(anna.user.id()).await.expect("enabled");
    messenger.homeserver.switch_off();
    let away = messenger.external_clients().credentials(&anna).await.expect_err("an outage");
    assert_eq!(away.failure(), Some(Failure::Unreachable));
    messenger.homeserver.switch_on();
    let shown = messenger.external_clients().credentials(&anna).await.expect("a password");
    assert!(works(&messenger, &anna, &shown.password));
}
