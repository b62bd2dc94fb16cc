//! Server processes of a data directory, found by the working directory that PostgreSQL gives all of them. Connections have
//! process groups of their own, and what survived a `kill -9` is nobody's child.
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Makes way for a new server: ends what runs in the directory, and removes a `postmaster.pid` that nobody owns. The server would
/// take another process that has that number by now for a living one of its own. Without `/proc` (macOS) that stays its decision.
pub(super) fn clear(data: &Path) -> Result<()> {
    end(data);
    ensure!(processes(data).is_empty(), "a PostgreSQL in {} does not end", data.display());
    if Path::new("/proc/self/cwd").exists() {
        let _ = fs::remove_file(data.join("postmaster.pid"));
    }
    Ok(())
}

/// Kills them, and waits until they are gone.
pub(super) fn end(data: &Path) {
    for _ in 0..200 {
        if processes(data).is_empty() {
            return;
        }
        signal(data, Signal::KILL);
        pause();
    }
}

/// Signals all of them.
pub(super) fn signal(data: &Path, signal: Signal) {
    for pid in processes(data) {
        // It may have ended meanwhile.
        let _ = kill_process(pid, signal);
    }
}

fn processes(data: &Path) -> Vec<Pid> {
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| server(&entry.path(), &data)).collect()
}

/// The number of the process, if it is a server in this directory and not, say, somebody's shell.
fn server(process: &Path, data: &PathBuf) -> Option<Pid> {
    let number = process.file_name()?.to_str()?.parse().ok()?;
    let here = fs::read_link(process.join("cwd")).ok()? == *data;
    let postgres = fs::read_to_string(process.join("comm")).ok()?.trim() == "postgres";
    Pid::from_raw(number).filter(|_| here && postgres)
}

#[expect(clippy::disallowed_methods, reason = "25 ms while a killed process ends; `Drop` cannot await")]
fn pause() {
    std::thread::sleep(Duration::from_millis(25));
}
