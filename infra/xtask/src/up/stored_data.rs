//! The directory of `cargo xtask up`: its lock, and the deletion of its data.
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use messenger_devstack::home::Lock;
use messenger_devstack::owner::accessible_directory;
use messenger_devstack::process::traced;
use messenger_devstack::{OutputQueue, postgres};

use super::readable;

/// Locks the directory. Returns an error while another `cargo xtask up` uses it.
pub(super) fn lock(directory: &Path) -> Result<Lock> {
    Lock::try_take(&directory.join("lock"))?.with_context(|| {
        format!(
            "another `cargo xtask up` runs in {}: stop it, or name another place with --directory",
            directory.display()
        )
    })
}

/// Prints and deletes the data of PostgreSQL and Synapse, since each refers to the other. Keys, ports and
/// tokens stay.
pub(super) fn delete(directory: &Path) -> Result<()> {
    let (database, homeserver) = (directory.join("postgres"), directory.join("synapse"));
    OutputQueue::stderr().write(format!(
        "Deleting all data of PostgreSQL ({}) and Synapse ({})\n",
        readable(&accessible_directory(&database, &traced())?),
        readable(&homeserver),
    ));
    postgres::erase(&database)?;
    if homeserver.exists() {
        fs::remove_dir_all(&homeserver).with_context(|| format!("deleting {}", homeserver.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_use_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let held = lock(directory.path()).unwrap();
        let error = lock(directory.path()).unwrap_err().to_string();
        assert!(error.contains("another `cargo xtask up` runs in"), "{error}");
        drop(held);
        lock(directory.path()).unwrap();
    }

    #[test]
    fn deleting_removes_databases_and_keeps_secrets() {
        let directory = tempfile::tempdir().unwrap();
        // PostgreSQL's user may enter only an open directory.
        fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        for folder in ["postgres/data", "synapse/media"] {
            fs::create_dir_all(directory.path().join(folder)).unwrap();
        }
        fs::write(directory.path().join("SECRET_KEY"), "secret").unwrap();
        delete(directory.path()).unwrap();
        delete(directory.path()).unwrap();
        let left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["SECRET_KEY"]);
    }
}
