//! The secrets of the Compose file: files in `.secrets`, made where they are missing.
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use messenger_devstack::home::{read_or_create, secret, workspace};

/// The secrets without a certain form.
const RANDOM: [&str; 5] =
    ["postgres_password", "secret_key", "hub_secret_key", "service_token", "metrics_token"];
const DATABASE_URL: &str = "database_url";

/// The values that the tests and the homeserver need.
#[derive(Clone, Debug)]
pub(super) struct Secrets {
    pub(super) database_url: String,
    pub(super) hub_secret_key: String,
    pub(super) service_token: String,
    pub(super) secret_key: String,
}

/// Makes the missing files. All users of this machine may read the files, and only root and their owner may
/// enter the directory: a container gets single files.
pub(super) fn ensure() -> Result<Secrets> {
    let directory = directory();
    fs::create_dir_all(directory.join("certificates"))
        .with_context(|| format!("creating {}", directory.display()))?;
    fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
    for name in RANDOM {
        value(name, secret)?;
    }
    let password = value("postgres_password", secret)?;
    let database_url =
        value(DATABASE_URL, || format!("postgres://messenger:{password}@postgres:5432/messenger"))?;
    Ok(Secrets {
        database_url,
        hub_secret_key: value("hub_secret_key", secret)?,
        service_token: value("service_token", secret)?,
        secret_key: value("secret_key", secret)?,
    })
}

fn directory() -> PathBuf {
    workspace().join(".secrets")
}

fn value(name: &str, make: impl FnOnce() -> String) -> Result<String> {
    let file = directory().join(name);
    let text = read_or_create(&file, make)?;
    fs::set_permissions(&file, Permissions::from_mode(0o644))
        .with_context(|| format!("opening {} for the programs' user", file.display()))?;
    Ok(text)
}
