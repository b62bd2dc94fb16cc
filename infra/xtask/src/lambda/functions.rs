//! The functions: their names, and their built programs.
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use messenger_devstack::home::workspace;

/// The programs for Lambda, below the root of the workspace: cargo-lambda makes a folder for each.
pub(super) const DIRECTORY: &str = "target/functions";

/// Returns the names of all functions, such as `rooms`. The router is none: a gateway takes its place.
pub(super) fn all() -> Result<Vec<String>> {
    let folder = workspace().join("functions");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name != "router").collect();
    names.sort_unstable();
    Ok(names)
}

/// Returns the functions of these names; all of them without a name.
pub(super) fn chosen(names: &[String]) -> Result<Vec<String>> {
    let all = all()?;
    match names.iter().find(|name| !all.contains(name)) {
        Some(unknown) => bail!("there is no function {unknown}; the functions are {}", all.join(", ")),
        None if names.is_empty() => Ok(all),
        None => Ok(names.to_vec()),
    }
}

/// Returns the name of the program of a function.
pub(super) fn program(name: &str) -> String {
    format!("messenger-{name}")
}

/// Returns the folder of the program for Lambda.
pub(super) fn folder(name: &str) -> PathBuf {
    workspace().join(DIRECTORY).join(program(name))
}

/// Returns the size of a file in megabytes.
#[expect(clippy::cast_precision_loss, reason = "a size for readers")]
pub(super) fn megabytes(path: &Path) -> Result<f64> {
    let metadata = path.metadata().with_context(|| format!("reading {}", path.display()))?;
    Ok(metadata.len() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_all_programs_of_the_service_but_the_router() {
        let all = all().unwrap();
        assert!(all.contains(&"worker".to_owned()) && !all.contains(&"router".to_owned()), "{all:?}");
        assert_eq!(chosen(&["rooms".to_owned()]).unwrap(), ["rooms"]);
        let error = chosen(&["xtask".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("there is no function xtask") && error.contains("rooms, users"), "{error}");
    }
}
