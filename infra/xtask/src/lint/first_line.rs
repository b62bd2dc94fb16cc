//! The first line of every Rust file says what the file is for.
use std::process::Command;

use anyhow::{Context, Result, ensure};
use messenger_devstack::home::workspace;

/// The Rust files, known to git or new, that begin with something else.
pub(super) fn violations() -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "--", "*.rs"])
        .current_dir(workspace());
    let answer = git.output().context("running git ls-files")?;
    ensure!(answer.status.success(), "git ls-files: {}", String::from_utf8_lossy(&answer.stderr));
    let files = String::from_utf8(answer.stdout)?;
    let silent = |file: &&str| {
        // A file that git still lists and somebody has just removed says nothing wrong.
        std::fs::read_to_string(workspace().join(file)).is_ok_and(|text| !says_what_it_is_for(&text))
    };
    Ok(files
        .lines()
        .filter(silent)
        .map(|file| format!("{file} does not begin with a `//!` comment that says what it is for"))
        .collect())
}

/// A shared crate's front page may be its README.
fn says_what_it_is_for(text: &str) -> bool {
    let readme = text.starts_with(r#"#![doc = include_str!("../README.md")]"#);
    readme
        || text
            .strip_prefix("//! ")
            .is_some_and(|rest| rest.starts_with(|first: char| !first.is_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::says_what_it_is_for;

    #[test]
    fn the_first_line_is_a_comment_with_text() {
        assert!(says_what_it_is_for("//! What it is for.\nuse x;"));
        assert!(says_what_it_is_for("#![doc = include_str!(\"../README.md\")]\nmod x;"));
        assert!(!says_what_it_is_for("use x;\n//! Too late."));
        assert!(!says_what_it_is_for("//!\n//! Too late."));
        assert!(!says_what_it_is_for(""));
    }
}
