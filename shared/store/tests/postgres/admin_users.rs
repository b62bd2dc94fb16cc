//! Users as administrators see them: the plans of the list among many users, the version, and the times of
//! calls.

use std::time::{Duration, Instant};

use messenger_core::{
    Messenger, MessengerSettings,
    admin::{ExpectedVersions, UserRecordQuery},
    port::{AdminUsers, ExternalAccess as _, GivenName, Users as _},
    user::{Account, Identity, Role},
};
use messenger_store::PgStore;
use messenger_testkit::fixtures::{TENANT, administrator, any_version, identity, user};
use tokio_postgres::Client;

use crate::{database::TestStore, plans::rows_read};

/// A tenant with 100 000 users, and as many in others. Few have a rare role, a foreign account or other
/// Matrix clients.
const MANY: &str = "
    insert into users (hub_user_id, tenant_id, localpart, hub_name, display_name, role, search_hub_name, search_name,
                       search_id, account_due, account_state, external_client_enabled)
    select 'user-' || n, case when n <= 100000 then 1 else 2 + n % 9 end, 'user-' || n, 'User ' || n, 'User ' || n,
           case when n % 5000 = 0 then 'admin' when n % 3000 = 0 then 'super_admin' when n % 9 = 0 then 'viewer'
                else 'user' end,
           'user ' || n, md5(n::text) || ' user ' || n, 'user-' || n, null,
           case when n % 4000 = 0 then 'taken' when n % 7000 = 0 then 'pending' else 'ours' end, n % 2500 = 0
    from generate_series(1, 200000) n";
const TABLES: &[&str] = &["users"];
/// Upper limit of the rows that a page of 100 users reads.
const READ_MAX: i64 = 500;

async fn fill(client: &Client) {
    client.batch_execute(MANY).await.expect("many users");
    client.batch_execute("vacuum analyze users").await.expect("statistics");
}

fn query() -> UserRecordQuery {
    UserRecordQuery { limit: 100, ..UserRecordQuery::default() }
}

/// Returns the queries whose pages read few rows, with their filters.
fn selective() -> [(&'static str, UserRecordQuery); 9] {
    [
        ("all", query()),
        ("viewers", UserRecordQuery { role: Some(Role::Viewer), ..query() }),
        ("users", UserRecordQuery { role: Some(Role::User), ..query() }),
        ("administrators", UserRecordQuery { role: Some(Role::Admin), ..query() }),
        ("foreign", UserRecordQuery { account: Some(Account::Foreign), ..query() }),
        ("pending", UserRecordQuery { account: Some(Account::Pending), ..query() }),
        ("ours", UserRecordQuery { account: Some(Account::Ours), ..query() }),
        ("external", UserRecordQuery { external: Some(true), ..query() }),
        ("not external", UserRecordQuery { external: Some(false), ..query() }),
    ]
}

#[tokio::test]
async fn a_page_of_users_reads_few_of_a_hundred_thousand() {
    let database = TestStore::create().await;
    let client = database.client().await;
    fill(&client).await;
    for (name, first) in selective() {
        let before = rows_read(&client, TABLES).await;
        let pages = {
            let store = database.beside();
            let page = store.list(TENANT, &first).await.expect("a page");
            let after = page.last().map(messenger_core::admin::UserRecord::cursor);
            let next = store.list(TENANT, &UserRecordQuery { after, ..first }).await.expect("a page");
            assert!(page.iter().chain(&next).all(|one| one.user.tenant() == TENANT));
            assert_eq!(store.statements(), 2, "each page is one statement");
            page.len() + next.len()
        };
        let read = rows_read(&client, TABLES).await - before;
        println!("{name}: {pages} users, {read} rows");
        let pages = i64::try_from(pages).expect("a number");
        assert!(pages > 0 && (pages..2 * READ_MAX).contains(&read), "{name}: {read} rows for {pages} users");
    }
}

#[tokio::test]
async fn a_search_is_one_statement_whatever_it_matches() {
    let database = TestStore::create().await;
    let (store, client) = (database.beside(), database.client().await);
    fill(&client).await;
    for (text, expected) in [("user 7", 100), ("USER-99999", 1), ("nobody", 0)] {
        let text = messenger_core::name::fold(text);
        let before = store.statements();
        for _ in 0..8 {
            let start = Instant::now();
            let found =
                store.list(TENANT, &UserRecordQuery { text: text.clone(), ..query() }).await.expect("a page");
            println!("{text}: {:?}", start.elapsed());
            assert_eq!(found.len(), expected, "{text}");
        }
        assert_eq!(store.statements() - before, 8);
    }
}

async fn version(store: &PgStore) -> i64 {
    AdminUsers::find(store, TENANT, &user("anna")).await.expect("found").expect("known").version
}

async fn entries(client: &Client) -> i64 {
    client.query_one("select count(*) from audit_log", &[]).await.expect("a count").get(0)
}

#[tokio::test]
async fn the_version_grows_with_each_change_that_administrators_see() {
    let database = TestStore::create().await;
    let (store, client) = (database.beside(), database.client().await);
    let signed_in = async |identity: Identity| store.sign_in(&identity, "anna").await.expect("signed in");
    let first = signed_in(identity("anna")).await;
    assert_eq!(version(&store).await, 1);
    store.postpone(&user("anna")).await.expect("postponed");
    assert_eq!(store.seen(&[user("anna"), user("nobody")]).await.expect("stored"), [user("anna")]);
    store.provisioned(&first).await.expect("stored");
    signed_in(identity("anna")).await;
    store
        .log_out(
            &administrator(),
            &user("anna"),
            &any_version(),
            "2026-01-01T00:00:00Z".parse().expect("a time"),
        )
        .await
        .expect("logged out");
    assert_eq!(version(&store).await, 1);
    signed_in(Identity { role: Role::Admin, ..identity("anna") }).await;
    assert_eq!(version(&store).await, 2);
    store.record_account(&first, Account::Ours, Duration::ZERO).await.expect("recorded");
    assert_eq!(version(&store).await, 3);
    store.enable(&administrator(), &user("anna"), &any_version()).await.expect("enabled");
    assert_eq!(version(&store).await, 4);
    let name = GivenName { display_name: "Anna".to_owned(), search_name: "anna".to_owned() };
    store.rename(&administrator(), &user("anna"), &any_version(), Some(&name)).await.expect("renamed");
    assert_eq!(version(&store).await, 5);
    signed_in(Identity { role: Role::Admin, display_name: "Neu".to_owned(), ..identity("anna") }).await;
    assert_eq!(version(&store).await, 6);
    assert_eq!(entries(&client).await, 3, "of the logout, the access and the name");
}

#[tokio::test]
async fn an_act_without_its_entry_in_the_log_does_not_happen() {
    let database = TestStore::create().await;
    let (store, client) = (database.beside(), database.client().await);
    store.sign_in(&identity("anna"), "anna").await.expect("signed in");
    client
        .batch_execute("alter table audit_log add constraint full_disk check (actor <> 'boss')")
        .await
        .expect("entries are refused");
    let (by, anna, any) = (administrator(), user("anna"), any_version());
    let name = GivenName { display_name: "Neu".to_owned(), search_name: "neu".to_owned() };
    assert!(store.rename(&by, &anna, &any, Some(&name)).await.is_err());
    assert!(store.enable(&by, &anna, &any).await.is_err());
    let at = "2026-01-01T00:00:00Z".parse().expect("a time");
    assert!(store.log_out(&by, &anna, &any, at).await.is_err());
    let record = AdminUsers::find(&store, TENANT, &anna).await.expect("found").expect("known");
    assert_eq!((record.version, record.is_renamed, record.user.logged_out_at), (1, false, None));
    let only = ExpectedVersions(Some(vec![record.version]));
    client.batch_execute("alter table audit_log drop constraint full_disk").await.expect("entries are taken");
    store.rename(&by, &anna, &only, Some(&name)).await.expect("renamed");
    assert_eq!(entries(&client).await, 1);
}

#[tokio::test]
async fn a_renamed_user_is_cached() {
    let database = TestStore::create().await;
    let (store, messenger) =
        (database.store(), Messenger::new(&database.ports(), MessengerSettings::default()));
    let sign_in = async || messenger.users().sign_in(identity("anna")).await.expect("signed in");
    sign_in().await;
    let name = GivenName { display_name: "Neu".to_owned(), search_name: "neu".to_owned() };
    store.rename(&administrator(), &user("anna"), &any_version(), Some(&name)).await.expect("renamed");
    let calls = 500;
    let until_cached = async {
        loop {
            let before = store.statements();
            for _ in 0..calls {
                assert_eq!(sign_in().await.display_name, "Neu");
            }
            // The entry of the cache may expire in between.
            if store.statements() - before <= 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), until_cached).await.expect("it is cached in time");
}
