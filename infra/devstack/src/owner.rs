//! Whom a server runs as: PostgreSQL refuses to run as root.
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::process::Sink;

/// `nobody` on Linux. `initdb` wants a user that has a name.
const UNPRIVILEGED: u32 = 65_534;

/// A user and a group that a process is run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

impl Owner {
    /// `None`: we are not root, so a process runs as ourselves. Otherwise whoever owns `directory` already, or
    /// an unprivileged user.
    pub fn for_directory(directory: &Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let owned = fs::metadata(directory).ok().filter(|found| found.uid() != 0);
        let (uid, gid) = owned.map_or((UNPRIVILEGED, UNPRIVILEGED), |found| (found.uid(), found.gid()));
        Some(Self { uid, gid })
    }

    /// Hands the file or directory (not what is in it) to this owner.
    pub fn take(self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("giving {} to uid {}", path.display(), self.uid))
    }

    /// The first directory on the way to `path` that this owner may not pass.
    pub fn obstacle(self, path: &Path) -> Option<PathBuf> {
        let above = path.ancestors().skip(1).filter(|directory| !directory.as_os_str().is_empty());
        above.filter(|directory| !self.may_pass(directory)).last().map(Path::to_owned)
    }

    fn may_pass(self, directory: &Path) -> bool {
        fs::metadata(directory).is_ok_and(|found| found.mode() & self.bit(&found) != 0)
    }

    /// The permission to search a directory, as it applies to this owner.
    fn bit(self, found: &Metadata) -> u32 {
        if found.uid() == self.uid {
            0o100
        } else if found.gid() == self.gid {
            0o010
        } else {
            0o001
        }
    }
}

/// `wanted`, or another place for it when the user that a server must run as cannot get there, as below `/root`.
pub fn passable(wanted: &Path, progress: &Sink) -> Result<PathBuf> {
    let wanted = std::path::absolute(wanted)?;
    let Some(owner) = Owner::for_directory(&wanted) else { return Ok(wanted) };
    let parent = wanted.ancestors().skip(1).find(|directory| directory.exists()).unwrap_or(&wanted);
    let Some(obstacle) = owner.obstacle(&parent.join("inside")) else { return Ok(wanted) };
    let elsewhere = elsewhere(&wanted)?;
    progress(&format!(
        "PostgreSQL cannot run as root, and uid {} may not pass {}: using {}",
        owner.uid,
        obstacle.display(),
        elsewhere.display(),
    ));
    Ok(elsewhere)
}

/// A directory for the same purpose where everybody may pass, the same one at each call.
fn elsewhere(wanted: &Path) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    wanted.hash(&mut hasher);
    let directory = PathBuf::from(format!("/var/tmp/messenger-{:016x}", hasher.finish()));
    if let Err(error) = fs::DirBuilder::new().mode(0o755).create(&directory) {
        ensure!(error.kind() == ErrorKind::AlreadyExists, "creating {}: {error}", directory.display());
        // Anybody may put a directory there: only root's own, which this code made, is used.
        let found = fs::symlink_metadata(&directory)?;
        ensure!(found.is_dir() && found.uid() == 0, "{} belongs to somebody else", directory.display());
    }
    Ok(directory.join(wanted.file_name().unwrap_or("data".as_ref())))
}
