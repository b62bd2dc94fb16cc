//! Bringing a database to the present schema.

use messenger_core::{Error, Result, error::Failure};
use tokio_postgres::NoTls;

use crate::{
    error::{Context, fault},
    pool::connection,
};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Held while migrations run, so that any number of processes may start at once.
const LOCK: &str = "select pg_advisory_lock(hashtext('messenger_migrations'))";
const DOING: &str = "migrating the database";

/// What tells this schema from any other: of its migrations.
pub fn schema() -> u64 {
    let migrations = embedded::migrations::runner();
    migrations.get_migrations().iter().fold(0, |digest, one| digest.rotate_left(7) ^ one.checksum())
}

/// Applies what is missing. Again is no change.
pub async fn migrate(database_url: &str) -> Result<()> {
    let mut config = connection(database_url)?;
    // A migration may take as long as it takes.
    config.options("-c statement_timeout=0 -c lock_timeout=0");
    let (mut client, connection) = config.connect(NoTls).await.context("connecting to the database")?;
    let connection = tokio::spawn(connection);
    client.batch_execute(LOCK).await.context(DOING)?;
    let report = embedded::migrations::runner()
        .run_async(&mut client)
        .await
        .map_err(|error| fault(Failure::Broken, DOING, error))?;
    for migration in report.applied_migrations() {
        tracing::info!(%migration, "migrated");
    }
    drop(client);
    match connection.await {
        Ok(ended) => ended.context(DOING),
        Err(error) => Err(Error::from(Box::new(messenger_core::error::Fault {
            system: messenger_core::error::System::Database,
            failure: Failure::Broken,
            refusal: None,
            context: DOING,
            source: Some(error.into()),
        }))),
    }
}
