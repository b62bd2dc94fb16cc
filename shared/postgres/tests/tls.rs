//! Connections to a real PostgreSQL that accepts clients with TLS only.
#![expect(clippy::expect_used, reason = "a missing prerequisite fails the test")]

use std::error::Error;

use messenger_devstack::certificates::{self, Certificates};
use messenger_devstack::postgres::{Options, Postgres};
use messenger_devstack::process::traced;
use messenger_postgres::{ConnectError, connect};
use tempfile::TempDir;

/// Returns whether the server sees TLS on this connection, and its version.
const SEEN: &str = "select coalesce(version, 'none') from pg_stat_ssl where pid = pg_backend_pid()";

async fn server(certificate_for: &str) -> Postgres {
    let options = Options { certificate: Some(certificate_for.to_owned()), ..Options::temporary() };
    Postgres::start(options).await.expect("a PostgreSQL")
}

/// Returns the connection string of a server with other parameters for TLS.
fn with(postgres: &Postgres, parameters: &str) -> String {
    let url = postgres.url("postgres");
    let (address, _) = url.split_once('?').expect("parameters");
    format!("{address}?{parameters}")
}

fn trusting(postgres: &Postgres, mode: &str) -> String {
    let authority = postgres.certificates().expect("TLS").authority();
    with(postgres, &format!("sslmode={mode}&sslrootcert={}", authority.display()))
}

async fn seen(url: &str) -> String {
    let client = connect(url).await.map_err(|error| causes(&error)).expect("a connection");
    client.query_one(SEEN, &[]).await.expect("a row").get(0)
}

/// Returns an error with all its causes.
fn causes(error: &ConnectError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

async fn refusal(url: &str) -> String {
    connect(url).await.map(drop).map_err(|error| causes(&error)).expect_err("a refusal")
}

async fn other_authority() -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let other =
        Certificates::ensure(directory.path(), certificates::LOCAL, &traced()).await.expect("certificates");
    let path = other.authority().display().to_string();
    (directory, path)
}

#[tokio::test]
async fn every_mode_but_disable_encrypts() {
    let postgres = server(certificates::LOCAL).await;
    let by_name = trusting(&postgres, "verify-full").replace("127.0.0.1", "localhost");
    let authority = postgres.certificates().expect("TLS").authority();
    let keywords = format!(
        "host=localhost port={} user=messenger password='{}' dbname=postgres sslmode=verify-full sslrootcert='{}'",
        postgres.port(),
        postgres.password(),
        authority.display()
    );
    for url in [
        postgres.url("postgres"),
        by_name,
        keywords,
        trusting(&postgres, "verify-ca"),
        trusting(&postgres, "require"),
        trusting(&postgres, "prefer"),
        with(&postgres, "sslmode=require"),
        with(&postgres, ""),
    ] {
        assert_eq!(seen(&url).await, "TLSv1.3", "{url}");
    }
}

#[tokio::test]
async fn a_server_that_demands_tls_refuses_a_connection_without_it_and_says_so() {
    let postgres = server(certificates::LOCAL).await;
    let refusal = refusal(&with(&postgres, "sslmode=disable")).await;
    assert!(refusal.contains("no pg_hba.conf entry") && refusal.contains("no encryption"), "{refusal}");
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused_under_verify_full_only() {
    let postgres = server("DNS:other.example").await;
    let refusal = refusal(&postgres.url("postgres")).await;
    assert!(refusal.contains("certificate not valid for name \"127.0.0.1\""), "{refusal}");
    for mode in ["verify-ca", "require"] {
        assert_eq!(seen(&trusting(&postgres, mode)).await, "TLSv1.3", "{mode}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_wherever_one_is_named() {
    let postgres = server(certificates::LOCAL).await;
    let (_directory, other) = other_authority().await;
    for mode in ["verify-full", "verify-ca", "require", "prefer"] {
        let refusal = refusal(&with(&postgres, &format!("sslmode={mode}&sslrootcert={other}"))).await;
        assert!(refusal.contains("invalid peer certificate"), "{mode}: {refusal}");
    }
    let refusal = refusal(&with(&postgres, "sslmode=verify-full")).await;
    assert!(refusal.contains("UnknownIssuer"), "the system does not know it: {refusal}");
}

#[tokio::test]
async fn channel_binding_is_used_with_tls_and_can_be_demanded() {
    let postgres = server(certificates::LOCAL).await;
    // The password of the cluster is stored for another method.
    let client = connect(&postgres.url("postgres")).await.expect("a connection");
    let with_scram = format!(
        "set password_encryption = 'scram-sha-256'; alter role messenger password '{}'",
        postgres.password()
    );
    client.batch_execute(&with_scram).await.expect("a password for SCRAM");
    let url = format!("{}&channel_binding=require", postgres.url("postgres"));
    assert_eq!(seen(&url).await, "TLSv1.3");
    let plain =
        Postgres::start(Options { certificate: None, ..Options::temporary() }).await.expect("a PostgreSQL");
    let refusal = refusal(&format!("{}?channel_binding=require", plain.url("postgres"))).await;
    assert!(refusal.contains("channel binding"), "{refusal}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_demanded() {
    let plain =
        Postgres::start(Options { certificate: None, ..Options::temporary() }).await.expect("a PostgreSQL");
    let url = plain.url("postgres");
    let refusal = refusal(&format!("{url}?sslmode=require")).await;
    assert!(refusal.contains("server does not support TLS"), "{refusal}");
    assert_eq!(seen(&format!("{url}?sslmode=prefer")).await, "none");
}
