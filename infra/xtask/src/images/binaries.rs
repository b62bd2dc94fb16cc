//! Stripped copies of the programs, from which images are made.
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use messenger_devstack::home::workspace;
use messenger_devstack::process::{Launch, Process, Sink};

/// Returns the name of the program of an image.
pub(super) fn program(name: &str) -> String {
    format!("messenger-{name}")
}

/// Strips the programs of these images into `target/images` of the build's context. Returns their number.
pub(super) async fn strip<'n>(
    directory: &Path,
    names: impl Iterator<Item = &'n str>,
    progress: &Sink,
) -> Result<usize> {
    let target = workspace().join("target/images");
    fs::create_dir_all(&target).with_context(|| format!("creating {}", target.display()))?;
    let mut count = 0;
    for name in names {
        let program = program(name);
        let (from, to) = (directory.join(&program), target.join(&program));
        count += 1;
        if is_current(&from, &to)? {
            continue;
        }
        progress(&program);
        let launch = Launch::new("strip", "strip").arg("-o").arg(&to).arg(&from);
        let process = Process::spawn(launch)?;
        let status = process.ended().await;
        ensure!(status.success(), "strip failed ({status}):\n{}", process.last_lines());
    }
    Ok(count)
}

/// Returns whether the copy was made from this very program: it has the same origin, and is not older.
fn is_current(from: &Path, to: &Path) -> Result<bool> {
    let modified = |path: &Path| -> Result<SystemTime> { Ok(fs::metadata(path)?.modified()?) };
    let built = modified(from).with_context(|| format!("no program {}: build it first", from.display()))?;
    let origin = to.with_extension("origin");
    let text = format!("{} {:?}", from.display(), built);
    if to.exists() && fs::read_to_string(&origin).is_ok_and(|stored| stored == text) {
        return Ok(true);
    }
    fs::write(&origin, text).with_context(|| format!("writing {}", origin.display()))?;
    let _ = fs::remove_file(to);
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_another_directory_is_stripped_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["debug", "release", "copy"] {
            fs::write(path(name), name).unwrap();
        }
        assert!(!is_current(&path("debug"), &path("copy")).unwrap());
        assert!(!is_current(&path("debug"), &path("copy")).unwrap(), "the copy is gone");
        fs::write(path("copy"), "stripped").unwrap();
        assert!(is_current(&path("debug"), &path("copy")).unwrap());
        assert!(!is_current(&path("release"), &path("copy")).unwrap());
    }
}
