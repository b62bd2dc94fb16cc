//! The store behind `PgBouncer`, and the limits of its sessions.

use std::time::{Duration, Instant};

use futures::future::join_all;
use messenger_core::port::{Feed as _, Users};
use messenger_devstack::{PgBouncer, Postgres, pgbouncer::PoolMode, postgres::Options};
use messenger_store::migrate;
use messenger_testkit::fixtures::{TENANT, identity, user};

use crate::{
    database::{TestStore, connect},
    ephemeral_bus::assert_received,
};

const LISTENERS: &str = "select array_agg(distinct application_name) from pg_stat_activity
    where datname = current_database() and query like 'listen %'";

async fn behind_pgbouncer(mode: PoolMode) -> (Postgres, PgBouncer) {
    let postgres = Postgres::start(Options::temporary()).await.expect("a PostgreSQL");
    postgres.ensure_database("messenger").await.expect("a database");
    let pooler = PgBouncer::start(&postgres, mode).await.expect("a PgBouncer");
    (postgres, pooler)
}

#[tokio::test]
async fn a_pooler_in_session_mode_carries_migrations_statements_and_notifications() {
    let (_postgres, pooler) = behind_pgbouncer(PoolMode::Session).await;
    let url = pooler.url("messenger");
    migrate(&url).await.expect("a migrated database");
    let store = connect(&url, None);
    store.sign_in(&identity("anna"), "anna").await.expect("signed in");
    assert_received(&store, &connect(&url, None)).await;
}

#[tokio::test]
async fn the_connection_that_listens_goes_around_a_pooler_if_it_has_its_own_string() {
    let (postgres, pooler) = behind_pgbouncer(PoolMode::Session).await;
    let direct = format!("{}{}application_name=direct", postgres.url("messenger"), separator(&postgres));
    migrate(&direct).await.expect("a migrated database");
    let url = pooler.url("messenger");
    let store = connect(&url, Some(direct));
    assert_received(&connect(&url, None), &store).await;
    let client = messenger_postgres::connect(&url).await.expect("a connection");
    let listeners: Vec<String> = client.query_one(LISTENERS, &[]).await.expect("a row").get(0);
    assert_eq!(listeners, ["direct"]);
}

#[tokio::test]
#[ignore = "needs PgBouncer 1.21 or newer as `pgbouncer` in PATH; Debian 12 has 1.18"]
async fn a_pooler_in_transaction_mode_carries_statements_but_not_the_connection_that_listens() {
    let (postgres, pooler) = behind_pgbouncer(PoolMode::Transaction).await;
    let (direct, url) = (postgres.url("messenger"), pooler.url("messenger"));
    migrate(&direct).await.expect("a migrated database");
    let stores = [connect(&url, Some(direct.clone())), connect(&url, Some(direct))];
    for round in 0..20 {
        let names: Vec<_> = (0..16).map(|n| format!("user-{round}-{n}")).collect();
        let stores = stores.iter().cycle();
        let signed_in = names.iter().zip(stores).map(async |(name, store)| {
            store.sign_in(&identity(name), name).await.expect("signed in");
            store.find(TENANT, &user(name)).await.expect("an answer").expect("the user").localpart
        });
        assert_eq!(join_all(signed_in).await, names);
    }
    assert_received(&stores[0], &stores[1]).await;
}

fn separator(postgres: &Postgres) -> char {
    if postgres.url("messenger").contains('?') { '&' } else { '?' }
}

#[tokio::test]
async fn the_server_ends_a_statement_that_waits_for_a_lock() {
    let database = TestStore::create().await;
    let store = database.beside();
    store.span().await.expect("an answer");
    let mut client = database.client().await;
    let transaction = client.transaction().await.expect("a transaction");
    transaction.batch_execute("lock table users").await.expect("a lock");
    let begun = Instant::now();
    let error = store.find(TENANT, &user("anna")).await.expect_err("the lock is held");
    assert!(begun.elapsed() >= Duration::from_millis(3900), "{:?}", begun.elapsed());
    let text = format!("{error:?}");
    assert!(text.contains("lock timeout"), "{text}");
}
