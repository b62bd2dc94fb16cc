//! The user that a server runs as: PostgreSQL refuses to run as root.
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::process::Sink;

/// `nobody` on Linux. `initdb` needs a user with a name.
const UNPRIVILEGED: u32 = 65_534;

/// The user and group of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

impl Owner {
    /// Returns the owner of `directory`, or an unprivileged user if root owns it. Returns `None` if this
    /// process is not root: its children run as the same user.
    pub fn for_directory(directory: &Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let owned = fs::metadata(directory).ok().filter(|found| found.uid() != 0);
        let (uid, gid) = owned.map_or((UNPRIVILEGED, UNPRIVILEGED), |found| (found.uid(), found.gid()));
        Some(Self { uid, gid })
    }

    /// Makes this user the owner of a file or directory, but not of the files in it.
    pub fn chown(self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("making uid {} the owner of {}", self.uid, path.display()))
    }

    /// Returns the first directory above `path` that this user may not enter; `None` if there is none.
    pub fn first_closed_directory(self, path: &Path) -> Option<PathBuf> {
        let above = path.ancestors().skip(1).filter(|directory| !directory.as_os_str().is_empty());
        above.filter(|directory| !self.may_enter(directory)).last().map(Path::to_owned)
    }

    fn may_enter(self, directory: &Path) -> bool {
        fs::metadata(directory).is_ok_and(|found| found.mode() & self.enter_bit(&found) != 0)
    }

    /// Returns the permission bit by which this user may enter the directory.
    fn enter_bit(self, found: &Metadata) -> u32 {
        if found.uid() == self.uid {
            0o100
        } else if found.gid() == self.gid {
            0o010
        } else {
            0o001
        }
    }
}

/// Returns `wanted`, or another directory if the user of the server may not enter it, as below `/root`.
pub fn accessible_directory(wanted: &Path, progress: &Sink) -> Result<PathBuf> {
    let wanted = std::path::absolute(wanted)?;
    let Some(owner) = Owner::for_directory(&wanted) else { return Ok(wanted) };
    let parent = wanted.ancestors().skip(1).find(|directory| directory.exists()).unwrap_or(&wanted);
    let Some(closed) = owner.first_closed_directory(&parent.join("inside")) else { return Ok(wanted) };
    let fallback = fallback(&wanted)?;
    progress(&format!(
        "PostgreSQL cannot run as root, and uid {} may not enter {}: using {}",
        owner.uid,
        closed.display(),
        fallback.display(),
    ));
    Ok(fallback)
}

/// Returns a directory that every user may enter. It is the same one for the same `wanted`.
fn fallback(wanted: &Path) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    wanted.hash(&mut hasher);
    let directory = PathBuf::from(format!("/var/tmp/messenger-{:016x}", hasher.finish()));
    if let Err(error) = fs::DirBuilder::new().mode(0o755).create(&directory) {
        ensure!(error.kind() == ErrorKind::AlreadyExists, "creating {}: {error}", directory.display());
        // Any user may create a directory there: it is used only if root owns it.
        let found = fs::symlink_metadata(&directory)?;
        ensure!(found.is_dir() && found.uid() == 0, "{} belongs to another user", directory.display());
    }
    Ok(directory.join(wanted.file_name().unwrap_or("data".as_ref())))
}
