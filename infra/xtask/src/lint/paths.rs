//! Checks that the paths which the documents name exist: pieces of code that look like a path of this
//! repository, and the targets of links.
use std::collections::BTreeSet;

use super::source::Source;

/// The documents in the root of the repository whose paths are checked, beside those in `docs/`.
const ROOT_DOCUMENTS: [&str; 2] = ["README.md", "CONTRIBUTING.md"];

/// The extensions of files that a document names by their path from the root of the repository.
const EXTENSIONS: [&str; 4] = ["rs", "snap", "sql", "toml"];

/// The files and folders of the repository.
struct Tree<'a> {
    paths: BTreeSet<&'a str>,
    /// The folders in the root.
    roots: BTreeSet<&'a str>,
}

/// Returns each path that does not exist as `path:line: message`.
pub(super) fn violations(sources: &[Source]) -> Vec<String> {
    let tree = Tree::new(sources);
    let documents = sources.iter().filter(|source| is_checked(source));
    documents.flat_map(|document| of_document(document, &tree)).collect()
}

fn is_checked(source: &Source) -> bool {
    ROOT_DOCUMENTS.contains(&source.path.as_str())
        || source.path.starts_with("docs/") && source.extension() == "md"
}

fn of_document(document: &Source, tree: &Tree<'_>) -> Vec<String> {
    let path = &document.path;
    let mut violations = Vec::new();
    if document.text.trim().is_empty() {
        violations.push(format!("{path}:1: the document is empty"));
    }
    for (line, text) in prose(&document.text) {
        for code in text.split('`').skip(1).step_by(2) {
            if tree.is_path(code, path) && !tree.has(code) {
                violations.push(format!(
                    "{path}:{line}: `{code}` does not exist: write the path from the root of the repository"
                ));
            }
        }
        for target in link_targets(text) {
            if !tree.has(&resolved(path, target)) {
                violations.push(format!("{path}:{line}: the link's target {target} does not exist"));
            }
        }
    }
    violations
}

/// Returns the lines outside code blocks with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some((number + 1, line))
    })
}

/// Returns the targets of a line's links that are files, without their anchors.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.contains(':') && !target.starts_with('#'));
    files.map(|target| target.split('#').next().unwrap_or(target))
}

/// Returns the path from the root of the repository of a link in a document.
fn resolved(document: &str, target: &str) -> String {
    let mut parts: Vec<_> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl<'a> Tree<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let mut paths = BTreeSet::new();
        for source in sources {
            let folders = source.path.match_indices('/').map(|(at, _)| &source.path[..at]);
            paths.extend(folders.chain([source.path.as_str()]));
        }
        let roots = sources.iter().filter_map(|source| Some(source.path.split_once('/')?.0)).collect();
        Self { paths, roots }
    }

    /// Returns whether a piece of code is meant as a path of the repository. In `docs/` that is also the bare
    /// name of a Rust or SQL file, which several folders may have.
    fn is_path(&self, code: &str, document: &str) -> bool {
        let is_plain = |next: char| next.is_ascii_alphanumeric() || "_-./*".contains(next);
        if code.starts_with('/') || !code.chars().all(is_plain) {
            return false;
        }
        let extension = code.rsplit_once('.').map_or("", |(_, extension)| extension);
        match code.split_once('/') {
            Some((root, _)) => EXTENSIONS.contains(&extension) || self.roots.contains(root),
            None => ["rs", "sql"].contains(&extension) && document.starts_with("docs/"),
        }
    }

    /// Returns whether a file or folder exists; `*` stands for any one part of the path.
    fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || self.paths.contains(path)
            || path.contains('*') && self.paths.iter().any(|known| matches(known, path))
    }
}

/// Returns whether a path matches a pattern, in which `*` stands for any one part.
fn matches(path: &str, pattern: &str) -> bool {
    let (parts, wanted): (Vec<_>, Vec<_>) = (path.split('/').collect(), pattern.split('/').collect());
    parts.len() == wanted.len()
        && parts.iter().zip(wanted).all(|(part, wanted)| wanted == "*" || *part == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(document: &str, text: &str) -> Vec<String> {
        let sources = [
            Source::new(document, text),
            Source::new("docs/other.md", "Other."),
            Source::new("shared/core/src/port.rs", ""),
            Source::new("functions/poll/tests/http.rs", ""),
        ];
        violations(&sources)
    }

    #[test]
    fn a_path_that_does_not_exist_is_refused() {
        for code in ["shared/core/src/part.rs", "core/src/port.rs", "shared/cor", "port.rs", "shared/*/test"]
        {
            let expected = format!(
                "docs/a.md:2: `{code}` does not exist: write the path from the root of the repository"
            );
            assert_eq!(found("docs/a.md", &format!("x\nsee `{code}`\n")), [expected]);
        }
    }

    #[test]
    fn an_empty_document_is_refused() {
        assert_eq!(found("docs/a.md", "\n"), ["docs/a.md:1: the document is empty"]);
    }

    #[test]
    fn a_path_that_exists_passes() {
        for code in
            ["shared/core/src/port.rs", "shared/core", "shared/", "functions/*/tests", "docs/other.md"]
        {
            assert_eq!(found("docs/a.md", &format!("`{code}`")), [""; 0], "{code}");
        }
    }

    #[test]
    fn other_pieces_of_code_are_no_paths() {
        for code in
            ["/sync", "application/json", "notifications/send", "Feed", "a.b/c d.rs", "hub-messenger.js"]
        {
            assert_eq!(found("docs/a.md", &format!("`{code}`")), [""; 0], "{code}");
        }
        assert_eq!(found("docs/a.md", "```sh\ncat `shared/none.rs` [a](none.md)\n```\n"), [""; 0]);
        assert_eq!(found("CONTRIBUTING.md", "`foo.rs` stands beside `foo/`"), [""; 0]);
        assert_eq!(found("CHANGELOG.md", "`shared/none.rs`"), [""; 0], "it tells of the past");
    }

    #[test]
    fn the_target_of_a_link_exists() {
        let expected = ["docs/a.md:1: the link's target ../none.md does not exist"];
        assert_eq!(
            found("docs/a.md", "[a](other.md#b), [c](../none.md), [d](#e), [f](https://g/h)"),
            expected
        );
        assert_eq!(found("README.md", "[a](docs/other.md) [b](shared/core)"), [""; 0]);
    }
}
