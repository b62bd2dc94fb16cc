//! Each test gets its own database, also when many tests ask at the same time.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use messenger_devstack::TestDatabase;
use messenger_devstack::database::template;
use tokio_postgres::Client;

async fn connect(url: &str) -> Client {
    messenger_postgres::connect(url).await.unwrap()
}

async fn rows(database: &TestDatabase) -> i64 {
    connect(database.url()).await.query_one("select count(*) from note", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_template_is_prepared_once_and_each_copy_is_independent() {
    let name = format!("devstack_{}", std::process::id());
    let prepared = Arc::new(AtomicU32::new(0));
    let create = || {
        let (name, prepared) = (name.clone(), Arc::clone(&prepared));
        tokio::spawn(async move {
            let prepare = async |url: &str| {
                prepared.fetch_add(1, Ordering::Relaxed);
                connect(url).await.batch_execute("create table note as select 1").await?;
                Ok(())
            };
            let name = template(&name, 1, prepare).await.unwrap();
            TestDatabase::create(Some(&name)).await.unwrap()
        })
    };
    let (first, second, third) = tokio::join!(create(), create(), create());
    let (first, second) = (first.unwrap(), second.unwrap());
    drop(third.unwrap());
    assert_eq!(prepared.load(Ordering::Relaxed), 1);
    connect(first.url()).await.batch_execute("insert into note values (2)").await.unwrap();
    assert_eq!((rows(&first).await, rows(&second).await), (2, 1));
}

#[tokio::test]
async fn a_dropped_database_is_removed_although_a_client_is_connected() {
    let database = TestDatabase::create(None).await.unwrap();
    let (other, name) = (TestDatabase::create(None).await.unwrap(), database.name().to_owned());
    let _connected = connect(database.url()).await;
    drop(database);
    let known = "select from pg_database where datname = $1";
    assert!(connect(other.url()).await.query_opt(known, &[&name]).await.unwrap().is_none());
}
