//! Brings a database to the present schema: migrations, then the files of functions whose text has changed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use messenger_core::{Result, error::Failure};
use tokio_postgres::Client;

use crate::{
    connection::{self, CONNECT_WAIT, Connector},
    error::{Context, fault},
};

mod embedded {
    refinery::embed_migrations!("migrations");
}

macro_rules! function_files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../functions/", $name, ".sql")))),*]
    };
}

/// Names and texts of the files in `functions/`, in the order in which they are applied. A file may be
/// applied again at any time.
const FUNCTION_FILES: &[(&str, &str)] = function_files![
    "room_views",
    "append_event",
    "append_events",
    "audit_log",
    "admin_users",
    "close_room",
    "feed_copy",
    "memberships",
    "notification_id_at",
    "find_notifications",
    "search_messages",
    "store_alarm_inputs",
    "accept_notifications",
    "apply_alarm_changes",
    "alarm_messages",
    "announce_notification",
    "store_sent",
    "inbox",
    "admin_notifications",
    "ingest_events",
    "receipts",
    "redactions",
    "register_room",
    "rotate_events",
    "sign_in",
    "statistics",
    "succeed_room",
    "user_changes",
];

/// Held until all is applied, so that any number of processes may start at once.
const LOCK: &str = "select pg_advisory_lock(hashtext('messenger_migrations'))";
/// A process of an older release leaves the functions of a newer one alone: the newer ones serve both.
const IS_APPLIED: &str = "select exists (select from applied_functions where name = $1
    and (sha256 = encode(sha256(convert_to($2, 'UTF8')), 'hex') or release > $3))";
const STORE_APPLIED: &str = "insert into applied_functions (name, sha256, release)
    values ($1, encode(sha256(convert_to($2, 'UTF8')), 'hex'), $3)
    on conflict (name) do update
    set sha256 = excluded.sha256, release = excluded.release, applied_at = now()";
const MIGRATING: &str = "migrating the database";

/// Returns a digest of all migrations and functions.
pub fn schema() -> u64 {
    let mut digest = DefaultHasher::new();
    for migration in embedded::migrations::runner().get_migrations() {
        migration.checksum().hash(&mut digest);
    }
    FUNCTION_FILES.hash(&mut digest);
    digest.finish()
}

/// Applies the migrations that are missing, and the functions that have changed. A repeated call changes
/// nothing. The lock belongs to a session, so `listen_url` must not lead through a pooler that shares sessions
/// between transactions.
pub async fn migrate(listen_url: &str) -> Result<()> {
    let connector = Connector::new("DATABASE_LISTEN_URL", listen_url, connection::MIGRATING, CONNECT_WAIT)?;
    let (mut client, connection) = connector.open().await.context("connecting to the database")?;
    let driver = tokio::spawn(connection);
    client.batch_execute(LOCK).await.context(MIGRATING)?;
    let report = embedded::migrations::runner()
        .run_async(&mut client)
        .await
        .map_err(|error| fault(Failure::Broken, MIGRATING, error))?;
    for migration in report.applied_migrations() {
        tracing::info!(%migration, "migration applied");
    }
    for file in apply_functions(&mut client).await.context(MIGRATING)? {
        tracing::info!(file, "functions applied");
    }
    drop(client);
    match driver.await {
        Ok(ended) => ended.context(MIGRATING),
        Err(error) => Err(fault(Failure::Broken, MIGRATING, error)),
    }
}

/// Applies the changed files in one transaction, and returns their names.
async fn apply_functions(client: &mut Client) -> Result<Vec<&'static str>, tokio_postgres::Error> {
    let release = release();
    let transaction = client.transaction().await?;
    let mut applied = Vec::new();
    for (name, text) in FUNCTION_FILES {
        if transaction.query_one(IS_APPLIED, &[name, text, &release]).await?.get(0) {
            continue;
        }
        transaction.batch_execute(text).await?;
        transaction.execute(STORE_APPLIED, &[name, text, &release]).await?;
        applied.push(*name);
    }
    transaction.commit().await?;
    Ok(applied)
}

/// Returns the version of this crate, in a form that PostgreSQL compares number by number.
fn release() -> Vec<i32> {
    let numbers =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
    numbers.iter().map(|number| number.parse().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_file_in_the_folder_is_applied() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("functions");
        let files: BTreeSet<_> = fs::read_dir(folder)
            .expect("the folder is readable")
            .map(|file| file.expect("the entry is readable").file_name().into_string().expect("UTF-8"))
            .collect();
        let applied: BTreeSet<_> = FUNCTION_FILES.iter().map(|(name, _)| format!("{name}.sql")).collect();
        assert_eq!(files, applied);
    }

    #[test]
    fn each_function_is_defined_once() {
        let mut names = BTreeSet::new();
        for line in FUNCTION_FILES.iter().flat_map(|(_, text)| text.lines()) {
            if let Some(definition) = line.strip_prefix("create or replace function ") {
                let name = definition.split('(').next();
                assert!(names.insert(name), "{name:?} is defined twice");
            }
        }
        assert!(!names.is_empty());
    }
}
