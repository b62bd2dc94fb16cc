//! The server processes of a data directory, found by their working directory. The process of a connection
//! has its own process group, and a process that survived a `kill -9` of its parent is no child of this
//! process.
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::freeze::wait_until_stopped;

/// Kills the processes of a former server and removes its `postmaster.pid`: a new server would not start if
/// another process has that number. Without `/proc` (macOS) the file stays.
pub(super) fn remove(data: &Path) -> Result<()> {
    kill(data);
    ensure!(processes(data).is_empty(), "a PostgreSQL in {} does not end", data.display());
    if Path::new("/proc/self/cwd").exists() {
        let _ = fs::remove_file(data.join("postmaster.pid"));
    }
    Ok(())
}

/// Kills all processes, and waits at most five seconds until they have ended.
pub(super) fn kill(data: &Path) {
    for _ in 0..200 {
        if processes(data).is_empty() {
            return;
        }
        signal(data, Signal::KILL);
        pause();
    }
}

/// Sends a signal to all processes.
pub(super) fn signal(data: &Path, signal: Signal) {
    for pid in processes(data) {
        // The process may have ended.
        let _ = kill_process(pid, signal);
    }
}

/// Freezes all processes with `SIGSTOP`. When this returns, none of them runs.
pub(super) fn freeze(data: &Path) {
    // The second time for processes that were made during the first.
    for _ in 0..2 {
        signal(data, Signal::STOP);
        processes(data).into_iter().for_each(wait_until_stopped);
    }
}

fn processes(data: &Path) -> Vec<Pid> {
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| server(&entry.path(), &data)).collect()
}

/// Returns the number of the process if it is a PostgreSQL in this directory.
fn server(process: &Path, data: &PathBuf) -> Option<Pid> {
    let number = process.file_name()?.to_str()?.parse().ok()?;
    let is_here = fs::read_link(process.join("cwd")).ok()? == *data;
    let is_postgres = fs::read_to_string(process.join("comm")).ok()?.trim() == "postgres";
    Pid::from_raw(number).filter(|_| is_here && is_postgres)
}

#[expect(clippy::disallowed_methods, reason = "25 ms while a killed process ends; `Drop` cannot await")]
fn pause() {
    std::thread::sleep(Duration::from_millis(25));
}
