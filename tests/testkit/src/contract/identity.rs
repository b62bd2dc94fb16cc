//! The newest token of the Hub, the owner of a user's account, and the notifications of changes.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use messenger_core::{
    Result,
    admin::Administrator,
    event::{Audience, Kind},
    id::{HubUserId, Position},
    lease::Lease,
    port::{ReaderRights, UserWatcher},
    user::{Account, Identity, Role},
};

use super::{LONG, SHORT, Store, concurrently, eventually};
use crate::fixtures::{OTHER_TENANT, TENANT, administrator, all_of, any_version, identity, room, user};

/// Returns an identity with this time of issue, in seconds.
fn issued(second: i64, of: Identity) -> Identity {
    Identity { issued_at: Some(Timestamp::from_second(second).expect("a time")), ..of }
}

fn anna(role: Role) -> Identity {
    Identity { role, ..identity("anna") }
}

/// A token changes nothing after a newer one.
pub async fn an_older_token_changes_nothing(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    let newest = issued(200, anna(Role::User));
    users.sign_in(&newest, "anna").await?;
    for old in [
        issued(199, anna(Role::Admin)),
        issued(0, Identity { tenant: OTHER_TENANT, ..anna(Role::Admin) }),
        issued(-1, Identity { display_name: "Old".to_owned(), ..anna(Role::User) }),
        issued(199, anna(Role::User)),
    ] {
        assert_eq!(users.sign_in(&old, "anna").await?.identity, newest, "{old:?}");
    }
    let newer = Identity { issued_at: newest.issued_at.map(|at| at + LONG), ..newest };
    assert_eq!(users.sign_in(&newer, "anna").await?.identity, newer, "the same identity, issued later");
    assert_eq!(users.in_any_tenant(&user("anna")).await?.expect("known").identity, newer);
    Ok(())
}

/// A token without a time of issue is older than any token with one; of two without, the last one counts.
pub async fn a_token_without_iat_is_superseded_by_any_with_iat(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    for role in [Role::User, Role::Admin, Role::Viewer] {
        assert_eq!(users.sign_in(&anna(role), "anna").await?.identity, anna(role));
    }
    let first = issued(-1, Identity { tenant: OTHER_TENANT, ..anna(Role::User) });
    assert_eq!(users.sign_in(&first, "anna").await?.identity, first);
    assert_eq!(users.sign_in(&anna(Role::Admin), "anna").await?.identity, first);
    Ok(())
}

/// Tokens in any order, also concurrently, lead to the same identity.
pub async fn tokens_in_any_order_lead_to_the_same_identity(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    let named = |name: &str, of: Identity| Identity { display_name: name.to_owned(), ..of };
    let in_other_tenant = |of: Identity| Identity { tenant: OTHER_TENANT, ..of };
    // With the same time of issue, the fewest rights count, then the smallest tenant, then the first name.
    let last = issued(300, named("Zoe", anna(Role::User)));
    let tokens = Arc::new([
        last.clone(),
        issued(300, named("ähnlich", anna(Role::User))),
        issued(300, named("anna", anna(Role::User))),
        issued(300, in_other_tenant(named("Anna", anna(Role::User)))),
        issued(300, named("Anna", anna(Role::Admin))),
        issued(200, in_other_tenant(anna(Role::Viewer))),
        anna(Role::Viewer),
    ]);
    concurrently(tokens.len() * 8, |n| {
        let (users, tokens) = (users.clone(), tokens.clone());
        async move { users.sign_in(&tokens[n * 3 % tokens.len()], "anna").await }
    })
    .await?;
    assert_eq!(users.in_any_tenant(&user("anna")).await?.expect("known").identity, last);
    for one in tokens.iter() {
        let (stored, other) = (&last, one);
        assert!(stored.outranks(other), "{other:?}");
        assert_eq!(other.outranks(stored), stored == other, "{other:?}");
    }
    Ok(())
}

/// A changed role is published once to the user's streams, and other changes are not.
pub async fn a_changed_role_is_published_once(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for role in [Role::User, Role::User, Role::Viewer, Role::Viewer] {
        let token = Identity { display_name: format!("Anna {role:?}"), ..anna(role) };
        ports.users.sign_in(&token, "anna").await?;
    }
    let events = ports.feed.after(Position(0), &all_of(&[Audience::User(TENANT, user("anna"))]), 10).await?;
    assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), [Kind::RoleChanged]);
    assert!(events[0].payload.as_str().contains("viewer"), "{events:?}");
    assert_eq!(ports.feed.span().await?.head, events[0].position);
    Ok(())
}

/// Role and rooms are read together, for a user of this tenant only.
pub async fn role_and_rooms_of_a_user_are_read_together(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let rights = async || ports.memberships.reader_rights(TENANT, &user("anna")).await;
    assert_eq!(rights().await?, None);
    ports.users.sign_in(&anna(Role::Viewer), "anna").await?;
    let none =
        ReaderRights { role: Role::Viewer, logged_out_at: None, rooms: Vec::new(), since: Position(0) };
    assert_eq!(rights().await?, Some(none));
    let before = ports.feed.span().await?.head;
    ports.memberships.add(TENANT, &room("!1"), &user("anna")).await?;
    assert_eq!(rights().await?.expect("a user of the tenant").since, before);
    ports.users.sign_in(&anna(Role::Admin), "anna").await?;
    let rights_now = rights().await?.expect("a user of the tenant");
    let rooms: Vec<_> = rights_now.rooms.iter().map(|(room, _)| room.clone()).collect();
    assert_eq!((rights_now.role, rooms), (Role::Admin, vec![room("!1")]));
    ports.users.sign_in(&Identity { tenant: OTHER_TENANT, ..anna(Role::Admin) }, "anna").await?;
    assert_eq!(rights().await?, None);
    Ok(())
}

/// An account that the service made keeps that state. Another localpart is another account.
pub async fn an_account_of_the_service_stays_its_own(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    let pending = users.sign_in(&identity("anna"), "anna").await?;
    assert_eq!(users.record_account(&pending, Account::Foreign, LONG).await?, Lease::Held(Account::Foreign));
    let moved = users.sign_in(&identity("anna"), "=61nna").await?;
    assert_eq!((moved.localpart.as_str(), moved.account), ("=61nna", Account::Pending));
    let former = users.record_account(&pending, Account::Ours, LONG).await?;
    assert_eq!(former, Lease::Lost, "of the former localpart");
    for found in [Account::Ours, Account::Foreign] {
        assert_eq!(users.record_account(&moved, found, LONG).await?, Lease::Held(Account::Ours));
    }
    users.provisioned(&moved).await?;
    let ready = users.sign_in(&identity("anna"), "anna").await?;
    assert!(ready.provisioned && ready.account == Account::Ours && ready.localpart == "=61nna");
    Ok(())
}

/// A foreign account is checked again later, without a backoff; another localpart makes it due at once.
pub async fn a_foreign_account_belongs_to_no_user_and_is_due_later(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let anna = ports.users.sign_in(&identity("anna"), "anna").await?;
    assert_eq!(ports.users.claim_due(LONG, 10).await?.len(), 1);
    ports.users.record_account(&anna, Account::Foreign, LONG).await?;
    assert!(!ports.maintenance.is_backing_off().await?);
    ports.maintenance.retry_now().await?;
    assert_eq!(ports.users.claim_due(SHORT, 10).await?, []);
    assert_eq!(ports.users.with_localparts(&["anna".to_owned()]).await?, []);
    ports.users.record_account(&anna, Account::Foreign, SHORT).await?;
    let due = eventually(store, async || Ok(ports.users.claim_due(LONG, 10).await?.pop())).await?;
    assert_eq!(due.account, Account::Foreign);
    ports.users.record_account(&anna, Account::Foreign, LONG).await?;
    ports.users.sign_in(&identity("anna"), "=61nna").await?;
    assert_eq!(ports.users.claim_due(SHORT, 10).await?.len(), 1);
    Ok(())
}

/// A watcher that records its notifications.
#[derive(Default)]
struct RecordingWatcher(Mutex<(bool, Vec<String>)>);

impl UserWatcher for RecordingWatcher {
    fn changed(&self, user: &HubUserId, localpart: &str) {
        self.0.lock().expect("no panic").1.push(format!("{user} {localpart}"));
    }

    fn listening(&self, is_listening: bool) {
        self.0.lock().expect("no panic").0 = is_listening;
    }
}

/// A watcher is notified of changes of name, role, tenant, account and access of any user, and of nothing
/// else.
pub async fn a_watcher_is_notified_of_each_change(store: &dyn Store) -> Result<()> {
    let (ports, recorder) = (store.ports(), Arc::new(RecordingWatcher::default()));
    let id = "Änna B";
    let first = ports.users.sign_in(&identity(id), "=c3=84nna").await?;
    ports.users.watch(recorder.clone());
    eventually(store, async || {
        tokio::time::sleep(SHORT / 10).await;
        Ok(recorder.0.lock().expect("no panic").0.then_some(()))
    })
    .await?;
    // None of these changes the user.
    ports.users.sign_in(&identity(id), "=c3=84nna").await?;
    ports.users.sign_in(&issued(1, identity(id)), "=c3=84nna").await?;
    ports.users.postpone(first.id()).await?;
    let mut changes = 0;
    let token = issued(2, Identity { role: Role::Admin, ..identity(id) });
    let renamed = issued(3, Identity { display_name: "Neu".to_owned(), ..token.clone() });
    let moved = issued(4, Identity { tenant: OTHER_TENANT, ..renamed.clone() });
    for one in [token, renamed, moved] {
        ports.users.sign_in(&one, "=c3=84nna").await?;
        changes += 1;
        wait_for_changes(store, &recorder, changes).await?;
    }
    ports.users.record_account(&first, Account::Ours, LONG).await?;
    wait_for_changes(store, &recorder, changes + 1).await?;
    let by = Administrator { tenant: OTHER_TENANT, ..administrator() };
    ports.external_access.enable(&by, first.id(), &any_version()).await?;
    wait_for_changes(store, &recorder, changes + 2).await?;
    let events = recorder.0.lock().expect("no panic").1.clone();
    assert!(events.iter().all(|one| one == "Änna B =c3=84nna"), "{events:?}");
    assert_eq!(events.len(), changes + 2);
    Ok(())
}

async fn wait_for_changes(store: &dyn Store, recorder: &RecordingWatcher, changes: usize) -> Result<()> {
    eventually(store, async || {
        tokio::time::sleep(SHORT / 10).await;
        Ok((recorder.0.lock().expect("no panic").1.len() >= changes).then_some(()))
    })
    .await
}
