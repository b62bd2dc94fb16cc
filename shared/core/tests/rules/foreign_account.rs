//! A Matrix account that the service did not make is never used, and its Hub user learns why.

use std::time::Duration;

use messenger_core::{
    Result,
    cursor::Since,
    error::Failure,
    event::Audience,
    id::MatrixUserId,
    notification::Status,
    room::RoomCreation,
    user::{Account, Caller},
};
use messenger_testkit::{TestMessenger, fixtures, messenger};

use crate::{AFTER_BACKOFF, NO_WAIT, WAIT, ready_caller, run_until_idle};

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

fn code<T>(result: Result<T>) -> &'static str {
    result.err().expect("refused").code()
}

fn creation(invite: &[&str]) -> RoomCreation {
    let invite = invite.iter().map(|&name| name.to_owned()).collect();
    RoomCreation { name: "Umbau".to_owned(), topic: None, invite }
}

async fn account(messenger: &TestMessenger, user: &str) -> Account {
    messenger.ports.users.in_any_tenant(&fixtures::user(user)).await.expect("found").expect("known").account
}

/// Returns a messenger whose homeserver has its own administrator, and a Hub user of the same name.
async fn with_foreign_admin() -> (TestMessenger, Caller) {
    let messenger = messenger().build();
    messenger.homeserver.add_foreign_account(&matrix("admin"));
    let admin = ready_caller(&messenger, "admin").await;
    assert_eq!(account(&messenger, "admin").await, Account::Foreign);
    (messenger, admin)
}

#[tokio::test(start_paused = true)]
async fn a_user_whose_account_is_foreign_may_only_read() {
    let (messenger, admin) = with_foreign_admin().await;
    let _broker = messenger.run_broker();
    let anna = ready_caller(&messenger, "anna").await;
    let machine = messenger.send(fixtures::machine(1, "x"), WAIT).await.notification.room.expect("a room");
    messenger
        .ports
        .feed
        .append(&[fixtures::event(Audience::Tenant(fixtures::TENANT), "x")])
        .await
        .expect("appended");
    let rooms = messenger.homeserver.rooms().len();
    let refused = [
        messenger.rooms().join(&admin, &machine).await.map(drop),
        messenger.rooms().create(&admin, creation(&[])).await.map(drop),
        messenger.rooms().open_direct_chat(&admin, anna.user.id()).await.map(drop),
        // Other users get the same error.
        messenger.rooms().open_direct_chat(&anna, admin.user.id()).await.map(drop),
        messenger.rooms().create(&anna, creation(&["admin"])).await.map(drop),
        messenger.external_clients().credentials(&admin).await.map(drop),
    ];
    for result in refused {
        assert_eq!(code(result), "matrix_account_taken");
    }
    messenger.streams().subscribe(&admin, None).await.expect("a stream");
    let page =
        messenger.streams().poll(&admin, &Since::Cursor("0".to_owned()), NO_WAIT).await.expect("a page");
    assert!(!page.events.is_empty());
    assert_eq!(messenger.rooms().list(&admin).await.expect("a list"), []);
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.impersonated_accounts(), [""; 0].map(MatrixUserId::new));
    assert_eq!(messenger.homeserver.rooms().len(), rooms, "no room was created");
}

#[tokio::test(start_paused = true)]
async fn a_user_is_provisioned_some_minutes_after_the_foreign_account_was_removed() {
    let (messenger, _) = with_foreign_admin().await;
    let sent = messenger.send(fixtures::dm("admin", "for you"), WAIT).await.notification;
    assert_eq!((sent.status, sent.reason.as_deref()), (Status::Pending, Some("matrix_account_taken")));
    messenger.homeserver.remove_foreign_account(&matrix("admin"));
    messenger.work().await;
    assert_eq!(
        account(&messenger, "admin").await,
        Account::Foreign,
        "the account is not checked all the time"
    );
    run_until_idle(&messenger).await;
    assert_eq!(account(&messenger, "admin").await, Account::Ours);
    assert!(messenger.homeserver.all_bodies().iter().any(|body| body.contains("for you")));
    messenger.homeserver.add_foreign_account(&matrix("admin"));
    assert_eq!(
        account(&messenger.another_process(), "admin").await,
        Account::Ours,
        "an account of the service stays its own"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reserved_localpart_gives_its_user_another_account() {
    let (messenger, admin) = with_foreign_admin().await;
    let configured = messenger.configured(|settings| settings.reserved_localparts = vec!["admin".to_owned()]);
    let user = configured.users().sign_in(admin.user.identity.clone()).await.expect("signed in");
    assert_eq!((user.localpart.as_str(), user.account), ("=61dmin", Account::Pending));
    configured.work().await;
    let user = configured.ports.users.in_any_tenant(user.id()).await.expect("found").expect("known");
    assert!(user.provisioned && user.account == Account::Ours);
    configured.rooms().create(&Caller { user, ..admin }, creation(&[])).await.expect("created");
    // A user keeps an account that was made before.
    ready_caller(&messenger, "anna").await;
    let later = messenger.configured(|settings| settings.reserved_localparts = vec!["anna".to_owned()]);
    assert_eq!(later.users().sign_in(fixtures::identity("anna")).await.expect("signed in").localpart, "anna");
}

#[tokio::test(start_paused = true)]
async fn events_of_a_foreign_account_are_not_attributed_to_the_hub_user() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    messenger.homeserver.add_foreign_account(&matrix("admin"));
    // Also before the owner of the account is known.
    for provisioned in [false, true] {
        let admin = messenger.caller("admin", fixtures::TENANT).await;
        if provisioned {
            messenger.work().await;
        }
        let room = messenger.homeserver.create_room_as(&matrix("admin"), &[&matrix("anna")], false);
        let event = messenger.homeserver.send_text(&room, &matrix("admin"), "mine");
        messenger
            .ingest()
            .receive(vec![messenger.homeserver.room_event(&room, &event)])
            .await
            .expect("received");
        assert_eq!(messenger.rooms().list(&admin).await.expect("a list"), []);
        let event = messenger.homeserver.send_text(&room, &matrix("anna"), "here");
        messenger
            .ingest()
            .receive(vec![messenger.homeserver.room_event(&room, &event)])
            .await
            .expect("received");
        let members = messenger.rooms().members(&anna, &room).await;
        let members = members.map(|members| members.into_iter().map(|one| one.hub_user_id).collect());
        assert!(
            members.as_ref().is_ok_and(|ids: &Vec<_>| *ids == [fixtures::user("anna")]) || members.is_err()
        );
        let history = messenger.history().page(&anna, &room, None, 10).await;
        let names = history.map(|history| history.messages).unwrap_or_default();
        assert!(names.iter().all(|one| one.sender_display_name != "admin"), "{names:?}");
    }
    assert_eq!(messenger.homeserver.impersonated_accounts(), [""; 0].map(MatrixUserId::new));
}

#[tokio::test(start_paused = true)]
async fn the_owner_of_a_foreign_account_keeps_password_and_devices() {
    let (messenger, admin) = with_foreign_admin().await;
    messenger.enable_external(admin.user.id()).await.expect("enabled");
    assert_eq!(code(messenger.external_clients().credentials(&admin).await), "matrix_account_taken");
    messenger.disable_external(admin.user.id()).await.expect("disabled");
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.impersonated_accounts(), [""; 0].map(MatrixUserId::new));
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_response_was_lost_belongs_to_the_service() {
    for nth in 1..=3 {
        let messenger = messenger().build();
        messenger.homeserver.lose_response(nth);
        ready_caller(&messenger, "anna").await;
        messenger.pass(AFTER_BACKOFF);
        messenger.another_process().work().await;
        assert_eq!(account(&messenger, "anna").await, Account::Ours, "{nth}");
    }
    let messenger = messenger().build();
    messenger.homeserver.fail_call(1, Failure::TimedOut);
    ready_caller(&messenger, "anna").await;
    assert_eq!(account(&messenger, "anna").await, Account::Pending);
    messenger.pass(Duration::from_secs(2));
    messenger.work().await;
    assert_eq!(account(&messenger, "anna").await, Account::Ours);
}
