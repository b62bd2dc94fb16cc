//! The newest token of the Hub determines the identity, in whatever order and process tokens arrive.

use jiff::Timestamp;
use messenger_core::user::{Identity, Role};
use messenger_testkit::{TestMessenger, fixtures, messenger};

/// Returns an identity with this time of issue, in seconds.
fn issued(second: i64, identity: Identity) -> Identity {
    Identity { issued_at: Some(Timestamp::from_second(second).expect("a time")), ..identity }
}

fn anna(role: Role) -> Identity {
    Identity { role, ..fixtures::identity("anna") }
}

fn in_other_tenant(role: Role) -> Identity {
    Identity { tenant: fixtures::OTHER_TENANT, ..anna(role) }
}

async fn stored(messenger: &TestMessenger) -> Identity {
    messenger
        .ports
        .users
        .in_any_tenant(&fixtures::user("anna"))
        .await
        .expect("found")
        .expect("known")
        .identity
}

#[tokio::test]
async fn an_older_token_changes_nothing() {
    let messenger = messenger().build();
    let newest = issued(200, anna(Role::Viewer));
    messenger.users().sign_in(newest.clone()).await.expect("signed in");
    for process in [messenger.clone(), messenger.another_process()] {
        let old = issued(100, Identity { display_name: "Old".to_owned(), ..anna(Role::Admin) });
        let shown = process.users().sign_in(old).await.expect("it is of the same tenant");
        assert_eq!(shown.identity, newest);
        let refused = process
            .users()
            .sign_in(issued(100, in_other_tenant(Role::Admin)))
            .await
            .expect_err("a former tenant");
        assert_eq!(refused.code(), "token_superseded");
        assert_eq!(stored(&messenger).await, newest);
    }
    assert!(messenger.memory.events().is_empty(), "no event is published");
}

#[tokio::test]
async fn a_token_without_iat_is_superseded_by_every_token_with_iat() {
    let messenger = messenger().build();
    for identity in [anna(Role::Admin), in_other_tenant(Role::User), anna(Role::Viewer)] {
        let shown =
            messenger.users().sign_in(identity.clone()).await.expect("the last one that is shown counts");
        assert_eq!(shown.identity, identity);
    }
    let newest = issued(1, in_other_tenant(Role::Viewer));
    assert_eq!(messenger.users().sign_in(newest.clone()).await.expect("signed in").identity, newest);
    assert_eq!(
        messenger.users().sign_in(anna(Role::Admin)).await.expect_err("superseded").code(),
        "token_superseded"
    );
    assert_eq!(
        messenger.users().sign_in(in_other_tenant(Role::Admin)).await.expect("the same tenant").identity,
        newest
    );
}

#[tokio::test]
async fn tokens_in_any_order_lead_to_the_same_identity() {
    let named = |name: &str, identity: Identity| Identity { display_name: name.to_owned(), ..identity };
    let tokens = [
        issued(100, anna(Role::Admin)),
        issued(200, anna(Role::User)),
        issued(300, named("A", in_other_tenant(Role::User))),
        issued(300, named("B", in_other_tenant(Role::User))),
        issued(300, in_other_tenant(Role::Admin)),
        in_other_tenant(Role::Admin),
    ];
    for first in 0..tokens.len() {
        for step in [1, 5] {
            let messenger = messenger().build();
            let processes = [messenger.clone(), messenger.another_process()];
            for n in 0..2 * tokens.len() {
                let token = &tokens[(first + n * step) % tokens.len()];
                // A token may be refused, depending on the ones before.
                drop(processes[n % 2].users().sign_in(token.clone()).await);
            }
            assert_eq!(stored(&messenger).await, tokens[2], "from {first} by {step}");
            for process in processes {
                assert_eq!(
                    process.users().sign_in(tokens[3].clone()).await.expect("known").identity,
                    tokens[2]
                );
                assert_eq!(
                    process.users().recognise(tokens[5].clone(), None).await.expect("known").identity,
                    tokens[2]
                );
            }
        }
    }
}

#[tokio::test]
async fn a_newer_token_with_the_same_identity_changes_nothing() {
    let messenger = messenger().build();
    for second in [100, 300, 200] {
        messenger.users().sign_in(issued(second, anna(Role::User))).await.expect("signed in");
    }
    assert_eq!(stored(&messenger).await, issued(300, anna(Role::User)));
    assert!(messenger.memory.events().is_empty());
    messenger.memory.switch_off();
    messenger.users().sign_in(issued(250, anna(Role::Admin))).await.expect("an older one needs no database");
}
