//! A Matrix account that somebody else made is never used, and its Hub user is told why.

use std::time::Duration;

use messenger_core::{
    Result,
    error::Failure,
    event::Audience,
    id::MatrixUserId,
    notification::Status,
    poll::Since,
    room::Founding,
    user::{Account, Caller, Role},
};
use messenger_testkit::{TestHub, given, hub};

use crate::{NO_WAIT, RESTED, WAIT, ready_caller, ready_with, settle};

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

fn code<T>(result: Result<T>) -> &'static str {
    result.err().expect("refused").code()
}

fn umbau(invite: &[&str]) -> Founding {
    let invite = invite.iter().map(|&name| name.to_owned()).collect();
    Founding { name: "Umbau".to_owned(), topic: None, invite }
}

async fn account(hub: &TestHub, user: &str) -> Account {
    hub.users.in_any_tenant(&given::user(user)).await.expect("found").expect("known").account
}

/// A hub whose homeserver has an administrator of its own, and a Hub user of the same name.
async fn with_taken() -> (TestHub, Caller) {
    let hub = hub().build();
    hub.homeserver.make_foreign(&matrix("admin"));
    let admin = ready_caller(&hub, "admin").await;
    assert_eq!(account(&hub, "admin").await, Account::Taken);
    (hub, admin)
}

#[tokio::test(start_paused = true)]
async fn a_user_whose_account_is_taken_only_reads() {
    let (hub, admin) = with_taken().await;
    let _tail = hub.run_tail();
    let anna = ready_caller(&hub, "anna").await;
    let machine = hub.send(given::machine(1, "x"), WAIT).await.notification.room.expect("a room");
    hub.feed.append(&[given::event(Audience::Tenant(given::TENANT), "x")]).await.expect("appended");
    let rooms = hub.homeserver.rooms().len();
    let refused = [
        hub.join_room(&admin, &machine).await.map(drop),
        hub.found_room(&admin, umbau(&[])).await.map(drop),
        hub.open_dm(&admin, anna.user.id()).await.map(drop),
        // Others are told as well.
        hub.open_dm(&anna, admin.user.id()).await.map(drop),
        hub.found_room(&anna, umbau(&["admin"])).await.map(drop),
        hub.external_client(&admin).await.map(drop),
    ];
    for result in refused {
        assert_eq!(code(result), "matrix_account_taken");
    }
    hub.follow(&admin, None).await.expect("a stream");
    let page = hub.poll(&admin, &Since::Cursor("0".to_owned()), NO_WAIT).await.expect("a page");
    assert!(!page.events.is_empty());
    assert_eq!(hub.rooms_of(&admin).await.expect("a list"), []);
    settle(&hub).await;
    assert_eq!(hub.homeserver.misused(), [""; 0].map(MatrixUserId::new));
    assert_eq!(hub.homeserver.rooms().len(), rooms, "nothing was made");
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_some_minutes_after_the_other_account_is_gone() {
    let (hub, _) = with_taken().await;
    let sent = hub.send(given::dm("admin", "for you"), WAIT).await.notification;
    assert_eq!((sent.status, sent.reason.as_deref()), (Status::Pending, Some("matrix_account_taken")));
    hub.homeserver.remove_foreign(&matrix("admin"));
    hub.work().await;
    assert_eq!(account(&hub, "admin").await, Account::Taken, "it is not looked at all the time");
    settle(&hub).await;
    assert_eq!(account(&hub, "admin").await, Account::Ours);
    assert!(hub.homeserver.all_bodies().iter().any(|body| body.contains("for you")));
    hub.homeserver.make_foreign(&matrix("admin"));
    assert_eq!(account(&hub.another_process(), "admin").await, Account::Ours, "what is ours stays ours");
}

#[tokio::test(start_paused = true)]
async fn a_reserved_localpart_gives_its_user_another_account() {
    let (hub, admin) = with_taken().await;
    let configured = hub.configured(|settings| settings.reserved_localparts = vec!["admin".to_owned()]);
    let user = configured.sign_in(admin.user.identity.clone()).await.expect("signed in");
    assert_eq!((user.localpart.as_str(), user.account), ("=61dmin", Account::Pending));
    configured.work().await;
    let user = configured.users.in_any_tenant(user.id()).await.expect("found").expect("known");
    assert!(user.provisioned && user.account == Account::Ours);
    configured.found_room(&Caller { user, ..admin }, umbau(&[])).await.expect("made");
    // A user whose account was made before keeps it.
    ready_caller(&hub, "anna").await;
    let later = hub.configured(|settings| settings.reserved_localparts = vec!["anna".to_owned()]);
    assert_eq!(later.sign_in(given::identity("anna")).await.expect("signed in").localpart, "anna");
}

#[tokio::test(start_paused = true)]
async fn events_of_a_foreign_account_are_not_attributed_to_the_hub_user() {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    hub.homeserver.make_foreign(&matrix("admin"));
    // Also before it is known whose account it is.
    for provisioned in [false, true] {
        let admin = hub.caller("admin", given::TENANT).await;
        if provisioned {
            hub.work().await;
        }
        let room = hub.homeserver.makes_room(&matrix("admin"), &[&matrix("anna")], false);
        let event = hub.homeserver.says(&room, &matrix("admin"), "mine");
        hub.receive(vec![hub.homeserver.told(&room, &event)]).await.expect("received");
        assert_eq!(hub.rooms_of(&admin).await.expect("a list"), []);
        let event = hub.homeserver.says(&room, &matrix("anna"), "here");
        hub.receive(vec![hub.homeserver.told(&room, &event)]).await.expect("received");
        let members = hub.members(&anna, &room).await;
        let members = members.map(|members| members.into_iter().map(|one| one.hub_user_id).collect());
        assert!(members.as_ref().is_ok_and(|ids: &Vec<_>| *ids == [given::user("anna")]) || members.is_err());
        let history = hub.history(&anna, &room, None, 10).await;
        let names = history.map(|history| history.messages).unwrap_or_default();
        assert!(names.iter().all(|one| one.sender_display_name != "admin"), "{names:?}");
    }
    assert_eq!(hub.homeserver.misused(), [""; 0].map(MatrixUserId::new));
}

#[tokio::test(start_paused = true)]
async fn its_owner_keeps_password_and_devices() {
    let (hub, admin) = with_taken().await;
    let boss = ready_with(&hub, "boss", Role::Admin).await;
    hub.enable_external_access(&boss, admin.user.id()).await.expect("enabled");
    assert_eq!(code(hub.external_client(&admin).await), "matrix_account_taken");
    hub.disable_external_access(&boss, admin.user.id()).await.expect("disabled");
    settle(&hub).await;
    assert_eq!(hub.homeserver.misused(), [""; 0].map(MatrixUserId::new));
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_answer_got_lost_is_ours() {
    for nth in 1..=3 {
        let hub = hub().build();
        hub.homeserver.lose_answer(nth);
        ready_caller(&hub, "anna").await;
        hub.pass(RESTED);
        hub.another_process().work().await;
        assert_eq!(account(&hub, "anna").await, Account::Ours, "{nth}");
    }
    let hub = hub().build();
    hub.homeserver.fail_call(1, Failure::TimedOut);
    ready_caller(&hub, "anna").await;
    assert_eq!(account(&hub, "anna").await, Account::Pending);
    hub.pass(Duration::from_secs(2));
    hub.work().await;
    assert_eq!(account(&hub, "anna").await, Account::Ours);
}
