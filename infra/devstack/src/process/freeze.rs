//! Waits for the effect of `SIGSTOP`.
use std::fs;
use std::time::Duration;

use rustix::process::Pid;

/// The pauses between two looks, of 1 ms each: five seconds in all.
const LOOKS: usize = 5_000;

/// Waits until all threads of a process have stopped, at most five seconds. On a busy machine they run on for a
/// while after the signal. Without `/proc` (macOS) this returns at once.
pub(crate) fn wait_until_stopped(pid: Pid) {
    for _ in 0..LOOKS {
        if !has_running_thread(pid) {
            return;
        }
        pause();
    }
}

fn has_running_thread(pid: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
    let mut stats = threads.into_iter().flatten().flatten().map(|thread| thread.path().join("stat"));
    stats.any(|stat| fs::read_to_string(stat).is_ok_and(|stat| !is_stopped(&stat)))
}

/// Returns whether a thread is stopped or has ended (proc(5), `/proc/pid/stat`, field 3).
fn is_stopped(stat: &str) -> bool {
    stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with(['T', 't', 'Z', 'X']))
}

#[expect(clippy::disallowed_methods, reason = "a millisecond until a thread gets a processor")]
fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_follows_the_name_whatever_the_name_holds() {
        assert!(is_stopped("17 (a ) R (b) T 1 17"));
        assert!(!is_stopped("17 (T) R 1 17"));
        assert!(!is_stopped(""));
    }
}
