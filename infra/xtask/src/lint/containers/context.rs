//! Checks the context of the images, by the rules of `.dockerignore`: it has what the programs are built of,
//! and neither secrets nor what was built.
use anyhow::{Context, Result};

use super::super::source::Source;

const FILE: &str = ".dockerignore";
/// Paths that stay outside, whether they exist or not.
const OUTSIDE: [&str; 12] = [
    ".env",
    ".secrets/secret_key",
    ".git/config",
    ".dev/venv/bin/python",
    "docker-compose.local.yml",
    "target/debug/messenger-rooms",
    "target/release/messenger-rooms",
    "functions/rooms/.env",
    "infra/images/.secrets/secret_key",
    "shared/hub_messenger_client/.venv/bin/python",
    "tests/end_to_end/target/debug/x",
    "tests/sse_clients/node_modules/x/index.js",
];
/// Paths that are inside.
const INSIDE: [&str; 3] = ["Cargo.toml", "Cargo.lock", "target/images/messenger-rooms"];
/// The most bytes of our files in the context.
const MOST: usize = 6_000_000;

/// The patterns of a `.dockerignore`, in their order: the last one that fits a path decides.
struct Patterns<'a>(Vec<Pattern<'a>>);

struct Pattern<'a> {
    parts: Vec<&'a str>,
    includes: bool,
}

/// Returns each violation as `path:line: message`.
pub(super) fn violations(sources: &[Source]) -> Result<Vec<String>> {
    let text = sources.iter().find(|source| source.path == FILE).map(|source| source.text.as_str());
    let patterns = Patterns::parse(text.with_context(|| format!("{FILE} is missing"))?);
    let paths = || sources.iter().map(|source| source.path.as_str());
    let missing = paths().filter(|path| is_needed(path)).chain(INSIDE).filter(|path| !patterns.let_in(path));
    let missing = missing.map(|path| format!("{FILE}:1: {path} is missing in the context"));
    let leaked = OUTSIDE.into_iter().filter(|path| patterns.let_in(path));
    let leaked = leaked.map(|path| format!("{FILE}:1: {path} is in the context"));
    let ours = sources.iter().filter(|source| patterns.let_in(&source.path));
    let size: usize = ours.map(|source| source.text.len()).sum();
    let large = (size > MOST).then(|| format!("{FILE}:1: the context has {size} bytes, more than {MOST}"));
    Ok(missing.chain(leaked).chain(large).collect())
}

/// Returns whether a program cannot be built without this file: it is a manifest, or a part of what is
/// deployed that is no test.
fn is_needed(path: &str) -> bool {
    let is_deployed = ["functions/", "shared/"].iter().any(|folder| path.starts_with(folder));
    let is_rust =
        !path.starts_with("shared/hub_messenger_client/") && !path.starts_with("shared/hub_messenger_js/");
    path.ends_with("/Cargo.toml")
        || is_deployed && is_rust && !path.contains("/tests/") && !path.contains("/.")
}

impl<'a> Patterns<'a> {
    fn parse(text: &'a str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let patterns = lines.map(|line| {
            let pattern = line.strip_prefix('!');
            Pattern { parts: pattern.unwrap_or(line).split('/').collect(), includes: pattern.is_some() }
        });
        Self(patterns.collect())
    }

    /// Returns whether a file is in the context.
    fn let_in(&self, path: &str) -> bool {
        let path: Vec<_> = path.split('/').collect();
        self.0.iter().rfind(|pattern| pattern.fits(&path)).is_none_or(|pattern| pattern.includes)
    }
}

impl Pattern<'_> {
    /// Returns whether the pattern fits the path or a folder above it.
    fn fits(&self, path: &[&str]) -> bool {
        (1..=path.len()).any(|length| fits(&self.parts, &path[..length]))
    }
}

fn fits(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => (0..=path.len()).any(|skipped| fits(rest, &path[skipped..])),
        ([part, rest @ ..], [name, below @ ..]) => part_fits(part, name) && fits(rest, below),
        _ => false,
    }
}

/// Returns whether a part of a pattern, with at most one `*`, fits a name.
fn part_fits(part: &str, name: &str) -> bool {
    match part.split_once('*') {
        None => part == name,
        Some((begin, end)) => {
            name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../../../../.dockerignore");

    fn found(ignore: &str) -> Vec<String> {
        let needed = ["functions/rooms/src/lib.rs", "tests/bench/Cargo.toml", "shared/store/functions/a.sql"];
        let needed = needed.iter().map(|path| Source::new(path, ""));
        violations(&needed.chain([Source::new(FILE, ignore)]).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_context_has_the_sources_and_no_secret() {
        assert_eq!(found(GOOD), [""; 0]);
    }

    #[test]
    fn a_context_with_a_secret_or_without_a_source_is_refused() {
        let all = found("# nothing");
        assert_eq!(all.len(), OUTSIDE.len());
        assert!(all.contains(&".dockerignore:1: .env is in the context".to_owned()), "{all:?}");
        let expected = ".dockerignore:1: functions/rooms/src/lib.rs is missing in the context";
        assert_eq!(found(&format!("{GOOD}\n**/lib.rs")), [expected]);
        assert_eq!(found("*").len(), INSIDE.len() + 3);
    }

    #[test]
    fn the_last_pattern_that_fits_a_path_or_a_folder_above_it_decides() {
        let lets_in = |text: &str, path| Patterns::parse(text).let_in(path);
        for (text, path, expected) in [
            ("*", "a", false),
            ("*", "a/b", false),
            ("*\n!a", "a/b", true),
            ("*\n!a\na/b", "a/b/c", false),
            ("**/b", "b", false),
            ("**/b", "a/x/b/c", false),
            ("**/.*", "a/.env", false),
            ("**/*.pyc", "a/b.pyc", false),
            ("**/*.pyc", "a/b.py", true),
            ("a/*/c", "a/b/c/d", false),
            ("a/*/c", "a/c", true),
            ("**/target\n!target/images", "target/images/x", true),
            ("**/target\n!target/images", "target/debug/x", false),
        ] {
            assert_eq!(lets_in(text, path), expected, "{text:?}: {path}");
        }
    }
}
