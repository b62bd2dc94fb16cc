//! The git-ignored directory `.dev`, below which everything is installed and stored.
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::task::spawn_blocking;

use crate::process::Sink;

/// The directory below which everything is installed and stored.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// Returns `.dev` in the root of this workspace.
    pub fn of_workspace() -> Self {
        Self(workspace().join(".dev"))
    }

    /// Returns another directory. It is created with the first file in it.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// Returns a path below the directory.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.join(below)
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::of_workspace()
    }
}

/// Returns the root of this workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// A lock between processes, and between tasks of one process. Dropping it releases it.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing the file releases the lock")] File);

impl Lock {
    /// Takes the lock. Returns `None` if it is held.
    pub fn try_take(path: &Path) -> Result<Option<Self>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("locking {}", path.display()))
            }
        }
    }

    /// Takes the lock. Reports to `progress` if it has to wait.
    pub async fn take(path: &Path, progress: &Sink) -> Result<Self> {
        if let Some(lock) = Self::try_take(path)? {
            return Ok(lock);
        }
        progress("waiting for another process that installs the same");
        let file = open(path)?;
        spawn_blocking(move || file.lock().map(|()| Self(file))).await?.context("waiting for a lock")
    }
}

fn open(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    }
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    options.open(path).with_context(|| format!("opening {}", path.display()))
}

/// Returns the text of the file. At the first call, the text is made and stored; only its owner can read it.
pub fn read_or_create(path: &Path, make: impl FnOnce() -> String) -> Result<String> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    match fs::read_to_string(path) {
        Ok(text) if !text.is_empty() => return Ok(text.trim_end().to_owned()),
        _ => {}
    }
    let text = make();
    let directory = path.parent().context("the path of a stored text has no directory")?;
    fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    let mut options = File::options();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(path).with_context(|| format!("writing {}", path.display()))?;
    writeln!(file, "{text}")?;
    Ok(text)
}

/// Returns 256 random bits as `[0-9a-f]`, for a password or token.
pub fn secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
