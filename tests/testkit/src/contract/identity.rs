//! The newest token of the Hub, whose account a user has, and the signals of changes.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use messenger_core::{
    Result,
    event::{Audience, Kind},
    id::{HubUserId, Position},
    port::{Listener, UserWatcher},
    user::{Account, Identity, Role},
};

use super::{LONG, SHORT, Store, in_time, together};
use crate::fixtures::{OTHER_TENANT, TENANT, identity, room, user};

/// A token of Anna's that was issued at this second.
fn issued(second: i64, of: Identity) -> Identity {
    Identity { issued_at: Some(Timestamp::from_second(second).expect("a time")), ..of }
}

fn anna(role: Role) -> Identity {
    Identity { role, ..identity("anna") }
}

/// A token changes nothing if a newer one was shown before.
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
    assert_eq!(users.sign_in(&newer, "anna").await?.identity, newer, "the same again, issued later");
    assert_eq!(users.in_any_tenant(&user("anna")).await?.expect("known").identity, newer);
    Ok(())
}

/// A token without a time of issue is older than any that has one; of two the last one that is shown counts.
pub async fn a_token_without_a_time_is_superseded_by_any_with_one(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    for role in [Role::User, Role::Admin, Role::Viewer] {
        assert_eq!(users.sign_in(&anna(role), "anna").await?.identity, anna(role));
    }
    let first = issued(-1, Identity { tenant: OTHER_TENANT, ..anna(Role::User) });
    assert_eq!(users.sign_in(&first, "anna").await?.identity, first);
    assert_eq!(users.sign_in(&anna(Role::Admin), "anna").await?.identity, first);
    Ok(())
}

/// In whatever order tokens are shown, however many at once, the same identity is left.
pub async fn tokens_shown_in_any_order_leave_the_same_identity(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    let named = |name: &str, of: Identity| Identity { display_name: name.to_owned(), ..of };
    let elsewhere = |of: Identity| Identity { tenant: OTHER_TENANT, ..of };
    // Of those that were issued at the same time: the fewest rights, the smallest tenant, the first name by its bytes.
    let last = issued(300, named("Zoe", anna(Role::User)));
    let tokens = Arc::new([
        last.clone(),
        issued(300, named("ähnlich", anna(Role::User))),
        issued(300, named("anna", anna(Role::User))),
        issued(300, elsewhere(named("Anna", anna(Role::User)))),
        issued(300, named("Anna", anna(Role::Admin))),
        issued(200, elsewhere(anna(Role::Viewer))),
        anna(Role::Viewer),
    ]);
    together(tokens.len() * 8, |n| {
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

/// The streams of a user are told that their role changed, and of nothing else by that.
pub async fn a_changed_role_is_told_once(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for role in [Role::User, Role::User, Role::Viewer, Role::Viewer] {
        let token = Identity { display_name: format!("Anna {role:?}"), ..anna(role) };
        ports.users.sign_in(&token, "anna").await?;
    }
    let told = ports.feed.after(Position(0), &[Audience::User(TENANT, user("anna"))], 10).await?;
    assert_eq!(told.iter().map(|event| event.kind).collect::<Vec<_>>(), [Kind::RoleChanged]);
    assert!(told[0].payload.as_str().contains("viewer"), "{told:?}");
    assert_eq!(ports.feed.span().await?.head, told[0].position);
    Ok(())
}

/// Role and rooms come together, for a user of this tenant.
pub async fn role_and_rooms_of_a_user_are_read_together(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let listener = async || ports.memberships.listener(TENANT, &user("anna")).await;
    assert_eq!(listener().await?, None);
    ports.users.sign_in(&anna(Role::Viewer), "anna").await?;
    assert_eq!(listener().await?, Some(Listener { role: Role::Viewer, rooms: Vec::new() }));
    ports.memberships.add(TENANT, &room("!1"), &user("anna")).await?;
    ports.users.sign_in(&anna(Role::Admin), "anna").await?;
    let listener_now = listener().await?.expect("a user of the tenant");
    let rooms: Vec<_> = listener_now.rooms.iter().map(|(room, _)| room.clone()).collect();
    assert_eq!((listener_now.role, rooms), (Role::Admin, vec![room("!1")]));
    ports.users.sign_in(&Identity { tenant: OTHER_TENANT, ..anna(Role::Admin) }, "anna").await?;
    assert_eq!(listener().await?, None);
    Ok(())
}

/// An account of ours stays ours, whatever is found out later. Another localpart is another account.
pub async fn an_account_of_ours_stays_ours(store: &dyn Store) -> Result<()> {
    let users = store.ports().users;
    let pending = users.sign_in(&identity("anna"), "anna").await?;
    assert_eq!(users.record_account(&pending, Account::Foreign, LONG).await?, Some(Account::Foreign));
    let moved = users.sign_in(&identity("anna"), "=61nna").await?;
    assert_eq!((moved.localpart.as_str(), moved.account), ("=61nna", Account::Pending));
    assert_eq!(users.record_account(&pending, Account::Ours, LONG).await?, None, "of the former localpart");
    for found in [Account::Ours, Account::Foreign] {
        assert_eq!(users.record_account(&moved, found, LONG).await?, Some(Account::Ours));
    }
    users.provisioned(&moved).await?;
    let ready = users.sign_in(&identity("anna"), "anna").await?;
    assert!(ready.provisioned && ready.account == Account::Ours && ready.localpart == "=61nna");
    Ok(())
}

/// An account that is taken is looked at later, not as one that failed; another localpart makes it due at once.
pub async fn a_taken_account_is_nobodys_and_due_later(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let anna = ports.users.sign_in(&identity("anna"), "anna").await?;
    assert_eq!(ports.users.claim_due(LONG, 10).await?.len(), 1);
    ports.users.record_account(&anna, Account::Foreign, LONG).await?;
    assert!(!ports.maintenance.is_backing_off().await?);
    ports.maintenance.retry_now().await?;
    assert_eq!(ports.users.claim_due(SHORT, 10).await?, []);
    assert_eq!(ports.messages.people(&["anna".to_owned()]).await?, []);
    ports.users.record_account(&anna, Account::Foreign, SHORT).await?;
    let due = in_time(store, async || Ok(ports.users.claim_due(LONG, 10).await?.pop())).await?;
    assert_eq!(due.account, Account::Foreign);
    ports.users.record_account(&anna, Account::Foreign, LONG).await?;
    ports.users.sign_in(&identity("anna"), "=61nna").await?;
    assert_eq!(ports.users.claim_due(SHORT, 10).await?.len(), 1);
    Ok(())
}

/// Notes what it hears.
#[derive(Default)]
struct Ear(Mutex<(bool, Vec<String>)>);

impl UserWatcher for Ear {
    fn changed(&self, user: &HubUserId, localpart: &str) {
        self.0.lock().expect("no panic").1.push(format!("{user} {localpart}"));
    }

    fn listening(&self, is_listening: bool) {
        self.0.lock().expect("no panic").0 = is_listening;
    }
}

/// A watcher hears of changes of name, role, tenant, account and rights, of whatever user, and of nothing else.
pub async fn a_watcher_hears_of_each_change(store: &dyn Store) -> Result<()> {
    let (ports, ear) = (store.ports(), Arc::new(Ear::default()));
    let id = "Änna B";
    let first = ports.users.sign_in(&identity(id), "=c3=84nna").await?;
    ports.users.watch(ear.clone());
    in_time(store, async || {
        tokio::time::sleep(SHORT / 10).await;
        Ok(ear.0.lock().expect("no panic").0.then_some(()))
    })
    .await?;
    // None of these changes who the user is.
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
        heard(store, &ear, changes).await?;
    }
    ports.users.record_account(&first, Account::Ours, LONG).await?;
    heard(store, &ear, changes + 1).await?;
    ports.external_access.enable(OTHER_TENANT, first.id()).await?;
    heard(store, &ear, changes + 2).await?;
    let told = ear.0.lock().expect("no panic").1.clone();
    assert!(told.iter().all(|one| one == "Änna B =c3=84nna"), "{told:?}");
    assert_eq!(told.len(), changes + 2);
    Ok(())
}

async fn heard(store: &dyn Store, ear: &Ear, changes: usize) -> Result<()> {
    in_time(store, async || {
        tokio::time::sleep(SHORT / 10).await;
        Ok((ear.0.lock().expect("no panic").1.len() >= changes).then_some(()))
    })
    .await
}
