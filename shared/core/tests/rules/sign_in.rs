//! Sign-in and provisioning.

use std::time::Duration;

use messenger_core::{
    error::Failure,
    id::MatrixUserId,
    name::fold,
    room::{RoomKey, RoomKind},
    user::{Identity, Role},
};
use messenger_testkit::{TestMessenger, fixtures, messenger};

use crate::{AFTER_BACKOFF, identity_in, run_until_idle};

fn matrix(localpart: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{localpart}:hub.local"))
}

fn general_members(
    messenger: &TestMessenger,
    tenant: messenger_core::id::TenantId,
) -> Option<Vec<MatrixUserId>> {
    let key = RoomKey { tenant, kind: RoomKind::General };
    messenger.homeserver.room_by_alias(&key.alias()).map(|room| messenger.homeserver.members(&room))
}

#[tokio::test(start_paused = true)]
async fn a_new_user_gets_an_account_and_the_general_room() {
    let messenger = messenger().build();
    let identity = Identity { display_name: "Max Müller".into(), ..fixtures::identity("Max") };
    let user = messenger.users().sign_in(identity).await.expect("signed in");
    assert_eq!((user.localpart.as_str(), messenger.ids().of(&user)), ("_max", matrix("_max")));
    messenger.work().await;
    assert_eq!(messenger.homeserver.display_name(&matrix("_max")).as_deref(), Some("Max Müller"));
    assert_eq!(general_members(&messenger, fixtures::TENANT), Some(vec![matrix("_max")]));
    let rooms = messenger.ports.memberships.of(fixtures::TENANT, user.id()).await.expect("rooms");
    assert_eq!(rooms.len(), 1);
    assert!(
        messenger
            .ports
            .users
            .find(fixtures::TENANT, user.id())
            .await
            .expect("found")
            .expect("known")
            .provisioned
    );
}

#[tokio::test(start_paused = true)]
async fn two_hundred_first_requests_over_four_processes_create_one_user() {
    let messenger = messenger().build();
    let processes: Vec<_> = (0..4).map(|_| messenger.another_process()).collect();
    let tasks: tokio::task::JoinSet<_> = (0..200)
        .map(|n| {
            let process = processes[n % 4].clone();
            async move {
                let user = process.users().sign_in(fixtures::identity("anna")).await.expect("signed in");
                process.work().await;
                user
            }
        })
        .collect();
    let users = tasks.join_all().await;
    assert!(users.iter().all(|user| user.identity == users[0].identity));
    assert_eq!(messenger.homeserver.accounts(), 1);
    assert_eq!(messenger.homeserver.rooms().len(), 1);
    assert_eq!(general_members(&messenger, fixtures::TENANT), Some(vec![matrix("anna")]));
    assert_eq!(messenger.memory.events().len(), 1, "she joined once");
}

#[tokio::test(start_paused = true)]
async fn a_user_can_sign_in_during_a_homeserver_outage() {
    let messenger = messenger().build();
    messenger.homeserver.switch_off();
    let start = tokio::time::Instant::now();
    messenger.users().sign_in(fixtures::identity("anna")).await.expect("signed in");
    assert_eq!(start.elapsed(), Duration::ZERO);
    messenger.work().await;
    assert!(messenger.ports.maintenance.is_backing_off().await.expect("known"));
    messenger.homeserver.switch_on();
    run_until_idle(&messenger).await;
    assert_eq!(general_members(&messenger, fixtures::TENANT), Some(vec![matrix("anna")]));
    assert!(!messenger.ports.maintenance.is_backing_off().await.expect("known"));
}

#[tokio::test(start_paused = true)]
async fn an_account_is_provisioned_in_the_end_after_a_failure_at_any_step() {
    for nth in 1..=3 {
        for failure in [Failure::Unreachable, Failure::TimedOut, Failure::Rejected] {
            let messenger = messenger().build();
            messenger.homeserver.fail_call(nth, failure);
            messenger.users().sign_in(fixtures::identity("anna")).await.expect("signed in");
            messenger.work().await;
            let due = messenger
                .ports
                .users
                .find(fixtures::TENANT, &fixtures::user("anna"))
                .await
                .expect("found")
                .expect("known");
            assert!(!due.provisioned);
            messenger.pass(AFTER_BACKOFF);
            messenger.work().await;
            assert_eq!(
                general_members(&messenger, fixtures::TENANT),
                Some(vec![matrix("anna")]),
                "call {nth}, {failure:?}"
            );
            assert_eq!(messenger.homeserver.rooms().len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_account_does_not_delay_others() {
    let messenger = messenger().build();
    messenger.homeserver.fail_call(1, Failure::Rejected);
    for n in 0..30 {
        messenger.users().sign_in(fixtures::identity(&format!("user{n:02}"))).await.expect("signed in");
    }
    messenger.work().await;
    assert_eq!(general_members(&messenger, fixtures::TENANT).map(|members| members.len()), Some(29));
}

#[tokio::test(start_paused = true)]
async fn a_new_name_reaches_the_homeserver() {
    let messenger = messenger().build();
    messenger.users().sign_in(fixtures::identity("anna")).await.expect("signed in");
    messenger.work().await;
    let renamed =
        Identity { display_name: "Anna Neu".into(), role: Role::Admin, ..fixtures::identity("anna") };
    let user = messenger.users().sign_in(renamed.clone()).await.expect("signed in");
    assert_eq!(user.identity, renamed);
    messenger.work().await;
    assert_eq!(messenger.homeserver.display_name(&matrix("anna")).as_deref(), Some("Anna Neu"));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_moves_joins_the_general_room_of_the_new_tenant() {
    let messenger = messenger().build();
    messenger.users().sign_in(fixtures::identity("anna")).await.expect("signed in");
    messenger.work().await;
    messenger.users().sign_in(identity_in(fixtures::OTHER_TENANT, "anna")).await.expect("signed in");
    messenger.work().await;
    assert_eq!(general_members(&messenger, fixtures::OTHER_TENANT), Some(vec![matrix("anna")]));
    let rooms =
        messenger.ports.memberships.of(fixtures::OTHER_TENANT, &fixtures::user("anna")).await.expect("rooms");
    assert_eq!(rooms.len(), 1);
    assert_eq!(
        messenger.ports.memberships.of(fixtures::TENANT, &fixtures::user("anna")).await.expect("rooms"),
        []
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_remembers_signed_in_users() {
    let messenger = messenger().build();
    messenger.users().sign_in(fixtures::identity("anna")).await.expect("signed in");
    messenger.memory.switch_off();
    messenger.users().sign_in(fixtures::identity("anna")).await.expect("the same token needs no database");
    assert!(messenger.users().sign_in(fixtures::identity("bert")).await.is_err());
}

#[test]
fn folding_removes_case_accents_and_sharp_s() {
    let folded = [
        ("MÜLLER", "muller"),
        ("Weiß", "weiss"),
        ("GROẞ", "gross"),
        ("José", "jose"),
        ("Jose\u{301}", "jose"),
        ("İstanbul", "istanbul"),
        ("  Anna  ", "anna"),
        ("Ångström", "angstrom"),
        ("ﬁn", "fin"),
        ("", ""),
    ];
    for (text, expected) in folded {
        assert_eq!(fold(text), expected);
        assert_eq!(fold(&fold(text)), fold(text), "folding again changes nothing");
    }
}

#[test]
fn an_unknown_role_gets_the_fewest_rights() {
    let roles = [
        ("super_admin", Role::SuperAdmin),
        ("admin", Role::Admin),
        ("manager", Role::User),
        ("user", Role::User),
        ("terminal", Role::User),
        ("viewer", Role::Viewer),
        ("Admin", Role::Viewer),
        ("", Role::Viewer),
        ("root", Role::Viewer),
    ];
    for (hub_role, ours) in roles {
        assert_eq!(Role::from_hub(hub_role), ours, "{hub_role}");
    }
}

#[tokio::test]
async fn a_token_of_the_service_does_not_revert_an_identity() {
    let messenger = messenger().build();
    let then = fixtures::identity("anna");
    messenger.users().sign_in(then.clone()).await.expect("signed in");
    let married = Identity { display_name: "Anna Neu".to_owned(), role: Role::Admin, ..then.clone() };
    messenger.users().sign_in(married.clone()).await.expect("signed in");
    let process = messenger.another_process();
    assert_eq!(process.users().recognise(then.clone(), None).await.expect("known").identity, married);
    let moved = Identity { tenant: fixtures::OTHER_TENANT, ..married };
    messenger.users().sign_in(moved.clone()).await.expect("signed in");
    let refused =
        messenger.another_process().users().recognise(then, None).await.expect_err("a former tenant");
    assert_eq!(refused.code(), "token_superseded");
    assert_eq!(
        messenger.another_process().users().recognise(moved.clone(), None).await.expect("known").identity,
        moved
    );
}

#[tokio::test(start_paused = true)]
async fn the_bots_name_belongs_to_the_bot() {
    let messenger = messenger().build();
    for (n, name) in
        ["Messenger", "messenger ✓", "M\u{e9}ssenger", "@messenger:hub.local"].into_iter().enumerate()
    {
        let identity = Identity { display_name: name.to_owned(), ..fixtures::identity(&format!("anna{n}")) };
        let user = messenger.users().sign_in(identity.clone()).await.expect("signed in");
        assert_eq!(user.display_name, format!("{name} (anna{n})"));
        let again = messenger.another_process().users().recognise(identity, None).await.expect("signed in");
        assert_eq!(again.identity, user.identity, "another request changes nothing");
    }
    let named = messenger.users().sign_in(fixtures::identity("messenger")).await.expect("signed in");
    assert_eq!(named.identity.display_name, "messenger (messenger)", "a user named by their id gets it, too");
    let other = Identity { display_name: "Messenger-Team".to_owned(), ..fixtures::identity("bert") };
    assert_eq!(
        messenger.users().sign_in(other).await.expect("signed in").identity.display_name,
        "Messenger-Team"
    );
    messenger.work().await;
    assert_eq!(messenger.homeserver.display_name(&matrix("anna0")).as_deref(), Some("Messenger (anna0)"));
}
