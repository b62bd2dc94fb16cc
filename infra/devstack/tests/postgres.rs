//! A real PostgreSQL starts whoever we are, and comes back with its data.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use messenger_devstack::postgres::{Options, Postgres};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_postgres::{Client, Error, NoTls};

async fn connect(postgres: &Postgres, database: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(&postgres.url(database), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn allow(directory: &TempDir, mode: u32) {
    std::fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
}

async fn with_a_row(postgres: &Postgres) {
    postgres.ensure_database("kept").await.unwrap();
    postgres.ensure_database("kept").await.unwrap();
    let client = connect(postgres, "kept").await.unwrap();
    client.batch_execute("create table note (text text); insert into note values ('ÄÖ')").await.unwrap();
}

async fn row(postgres: &Postgres) -> String {
    let client = connect(postgres, "kept").await.unwrap();
    client.query_one("select lower(text) from note", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn stopped_and_started_again_it_has_its_data_on_the_same_port() {
    let mut postgres = Postgres::start(Options::temporary()).await.unwrap();
    with_a_row(&postgres).await;
    let url = postgres.url("kept");
    postgres.stop().await;
    assert!(connect(&postgres, "kept").await.is_err());
    postgres.start_again().await.unwrap();
    assert_eq!(postgres.url("kept"), url);
    assert_eq!(row(&postgres).await, "äö");
}

#[tokio::test]
async fn a_durable_one_outlives_kill_and_a_stale_pid_file() {
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let place = directory.path().join("cluster");
    allow(&directory, 0o755);
    let mut postgres = Postgres::start(Options::durable(&place)).await.unwrap();
    with_a_row(&postgres).await;
    postgres.kill();
    let pid_file = place.join("data/postmaster.pid");
    let stale = std::fs::read_to_string(&pid_file).unwrap();
    // As after a reboot: another process, ours, has the number by now.
    let (_, rest) = stale.split_once('\n').unwrap();
    std::fs::write(&pid_file, format!("{}\n{rest}", std::process::id())).unwrap();
    drop(postgres);
    let postgres = Postgres::start(Options::durable(&place)).await.unwrap();
    assert_eq!(postgres.directory(), place);
    assert_eq!(row(&postgres).await, "äö");
}

#[tokio::test]
async fn paused_it_keeps_connections_open_and_answers_nothing() {
    let postgres = Postgres::start(Options::temporary()).await.unwrap();
    let client = connect(&postgres, "postgres").await.unwrap();
    postgres.pause();
    let question = client.simple_query("select 1");
    tokio::pin!(question);
    assert!(timeout(Duration::from_millis(300), &mut question).await.is_err());
    postgres.resume();
    timeout(Duration::from_secs(10), question).await.unwrap().unwrap();
}

#[tokio::test]
async fn where_its_user_may_not_pass_it_takes_another_directory() {
    if !rustix::process::geteuid().is_root() {
        // Without root, PostgreSQL runs as ourselves and passes wherever we pass: the other tests show that.
        return;
    }
    let closed = tempfile::tempdir().unwrap();
    allow(&closed, 0o700);
    let postgres = Postgres::start(Options::durable(closed.path().join("cluster"))).await.unwrap();
    assert!(postgres.directory().starts_with("/var/tmp"), "{}", postgres.directory().display());
    assert!(connect(&postgres, "postgres").await.is_ok());
    let used = postgres.directory().parent().unwrap().to_owned();
    drop(postgres);
    std::fs::remove_dir_all(used).unwrap();
}

#[tokio::test]
async fn a_missing_password_is_refused() {
    let postgres = Postgres::start(Options::temporary()).await.unwrap();
    let url = format!("postgres://messenger:wrong@127.0.0.1:{}/postgres", postgres.port());
    assert!(tokio_postgres::connect(&url, NoTls).await.is_err());
}

#[tokio::test]
async fn where_the_system_has_none_it_comes_from_the_package_registry() {
    let options = Options { packaged: true, ..Options::temporary() };
    let mut postgres = Postgres::start(options).await.unwrap();
    assert!(postgres.version().starts_with("18."), "{}", postgres.version());
    with_a_row(&postgres).await;
    postgres.stop().await;
    postgres.start_again().await.unwrap();
    assert_eq!(row(&postgres).await, "äö");
}
