//! The store on a server that accepts clients with TLS only.

use messenger_core::port::Feed as _;
use messenger_devstack::postgres::{Options, Postgres};
use messenger_store::migrate;

use crate::{database::connect, ephemeral_bus::assert_received};

/// Sessions of the store, and how many of them have no TLS.
const SESSIONS: &str = "select count(*), count(*) filter (where not ssl)
    from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'messenger'";

#[tokio::test]
async fn a_store_migrates_reads_and_listens_with_tls() {
    let postgres = Postgres::start(Options::temporary().with_tls()).await.expect("a PostgreSQL");
    postgres.ensure_database("messenger").await.expect("a database");
    let url = postgres.url("messenger");
    assert!(url.contains("sslmode=verify-full"), "{url}");
    migrate(&url).await.expect("a migrated database");
    let store = connect(&url, None);
    let other = connect(&url, None);
    other.span().await.expect("an answer");
    assert_received(&store, &other).await;
    let client = messenger_postgres::connect(&url).await.expect("a connection");
    let sessions = client.query_one(SESSIONS, &[]).await.expect("a row");
    let (all, plain): (i64, i64) = (sessions.get(0), sessions.get(1));
    assert!(all >= 3, "two pools and one LISTEN connection: {all}");
    assert_eq!(plain, 0);
}

#[tokio::test]
async fn a_store_does_not_reach_a_server_of_another_name() {
    let certificate = Some("DNS:other.example".to_owned());
    let postgres =
        Postgres::start(Options { certificate, ..Options::temporary() }).await.expect("a PostgreSQL");
    let url = postgres.url("postgres");
    assert!(connect(&url, None).span().await.is_err());
    assert!(migrate(&url).await.is_err());
    let of_authority = url.replace("verify-full", "verify-ca");
    migrate(&of_authority).await.expect("a migrated database");
    connect(&of_authority, None).span().await.expect("an answer");
}
