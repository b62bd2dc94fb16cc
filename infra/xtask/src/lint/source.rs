//! The text files of the repository, as git lists them.
use std::process::Command;

use anyhow::{Context, Result, ensure};
use messenger_devstack::home::workspace;

use super::rust::{self, Token};

/// A text file.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Relative to the root of the repository, with `/` between its parts.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Returns the part of the file name after the last dot; empty if there is no dot.
    pub(super) fn extension(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// Returns the tokens of a Rust file; none of any other file.
    pub(super) fn tokens(&self) -> Vec<Token<'_>> {
        if self.extension() == "rs" { rust::tokens(&self.text) } else { Vec::new() }
    }
}

/// Reads all files that git tracks or would add. Files that are not UTF-8 are left out.
pub(super) fn read_all() -> Result<Vec<Source>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(workspace());
    let output = git.output().context("running git ls-files")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let paths = String::from_utf8(output.stdout)?;
    // git lists a file until its deletion is staged: a missing file is skipped.
    let read = |path: &str| {
        let text = std::fs::read_to_string(workspace().join(path)).ok()?;
        Some(Source { path: path.to_owned(), text })
    };
    Ok(paths.lines().filter_map(read).collect())
}
