//! Checks that the files of a crate do not import one another in a circle.
mod graph;

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{Modules, Target, edges};
use super::source::Source;
use graph::{Graph, circles};

/// The files that declare the modules of a crate.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];
/// The crate in which a file and the files below it do not import one another either.
const STRICT: &str = "shared/core/src/";

/// Returns each circle in a crate as `path:line: message`.
pub(super) fn violations(sources: &[Source]) -> Vec<String> {
    let found = crates(sources).into_iter().flat_map(|(folder, files)| {
        let circles = check(&files, folder == STRICT);
        circles.into_iter().map(move |violation| format!("{folder}{violation}"))
    });
    found.collect()
}

/// Returns the folder of each crate, with a slash at its end, and the path below it and the text of each of
/// its files. A `main.rs` beside a `lib.rs` is a crate of its own with one file, and is left out.
fn crates(sources: &[Source]) -> BTreeMap<&str, Vec<(&str, &str)>> {
    let rust: Vec<&Source> = sources.iter().filter(|source| source.extension() == "rs").collect();
    let paths: BTreeSet<&str> = rust.iter().map(|source| source.path.as_str()).collect();
    let has_root = |folder: &str| ROOTS.iter().any(|root| paths.contains(format!("{folder}{root}").as_str()));
    let mut crates: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for source in rust {
        let path = source.path.as_str();
        let mut folders = path.rmatch_indices('/').map(move |(slash, _)| &path[..=slash]);
        let Some(folder) = folders.find(|folder| has_root(folder)) else { continue };
        let file = &path[folder.len()..];
        if file != "main.rs" || !paths.contains(format!("{folder}lib.rs").as_str()) {
            crates.entry(folder).or_default().push((file, &source.text));
        }
    }
    crates
}

/// Takes the path below the folder of the crate and the text of each file.
///
/// Files without code of their own (`mod` and `use` only) do not count, nor do names that are only passed on.
/// Unless the check is strict, a file may also import from a file above it that imports from it.
fn check(files: &[(&str, &str)], is_strict: bool) -> Vec<String> {
    let modules = Modules::read(files);
    let targets = modules.all_targets();
    let counts = |from: usize, target: &Target| {
        let is_above = modules.contains(target.module, from);
        let have_code = modules.has_code(from) && modules.has_code(target.module);
        have_code && !target.is_passed_on && (is_strict || !is_above)
    };
    let mut graph = Graph::new();
    let mut lines = BTreeMap::new();
    for (from, target) in edges(&targets).filter(|(from, target)| counts(*from, target)) {
        graph.entry(from).or_default().insert(target.module);
        lines.entry((from, target.module)).or_insert(target.line);
    }
    let message = |circle: Vec<usize>| {
        let first = circle[0];
        let line = lines[&(first, *circle.get(1).unwrap_or(&first))];
        let way: Vec<_> = circle.iter().chain([&first]).map(|module| modules.all[*module].file).collect();
        format!("{}:{line}: files import one another in a circle: {}", way[0], way.join(" → "))
    };
    circles(&graph).into_iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: (&str, &str) = ("lib.rs", "mod a;\nmod b;\nmod c;\n");

    #[test]
    fn a_circle_of_files_is_refused() {
        let files = [
            ROOT,
            ("a.rs", "\nuse super::b;\nfn f() { b::g(); }\n"),
            ("b.rs", "use crate::c::h;\npub fn g() { h() }\n"),
            ("c.rs", "pub fn h() { super::a::f() }\n"),
        ];
        let expected = "a.rs:2: files import one another in a circle: a.rs → b.rs → c.rs → a.rs";
        assert_eq!(check(&files, false), [expected]);
        assert_eq!(check(&files[..3], false), [""; 0]);
    }

    #[test]
    fn a_file_and_those_below_it_may_import_one_another_unless_the_check_is_strict() {
        let child = ("a/clock.rs", "use super::Now;\npub struct Clock(Now);\n");
        let parent = "mod clock;\npub use clock::Clock;\npub struct Now;\n";
        assert_eq!(check(&[ROOT, child, ("a.rs", parent)], true), [""; 0], "it only passes a name on");
        let user = format!("{parent}fn f(_: Clock) {{}}\n");
        assert_eq!(check(&[ROOT, child, ("a.rs", &user)], true).len(), 1);
        assert_eq!(check(&[ROOT, child, ("a.rs", &user)], false), [""; 0]);
    }

    #[test]
    fn files_belong_to_the_nearest_crate_above_them() {
        let paths = [
            "tests/x/src/lib.rs",
            "tests/x/src/main.rs",
            "tests/x/src/a/b.rs",
            "tests/x/tests/y/main.rs",
            "tests/x/tests/y/c.rs",
            "tests/x/tests/alone.rs",
        ];
        let sources = paths.map(|path| Source::new(path, ""));
        let found = crates(&sources);
        let files = |folder: &str| found[folder].iter().map(|(file, _)| *file).collect::<Vec<_>>();
        assert_eq!(found.len(), 2);
        assert_eq!(files("tests/x/src/"), ["lib.rs", "a/b.rs"]);
        assert_eq!(files("tests/x/tests/y/"), ["main.rs", "c.rs"]);
    }

    #[test]
    fn a_circle_is_reported_with_its_path_in_the_repository() {
        let sources = [
            Source::new("infra/x/src/main.rs", "mod a;\nmod b;\n"),
            Source::new("infra/x/src/a.rs", "use crate::b::B;\npub struct A(B);\n"),
            Source::new("infra/x/src/b.rs", "use crate::a::A;\npub struct B(A);\n"),
        ];
        let found = violations(&sources);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("infra/x/src/a.rs:1: files import one another"), "{found:?}");
    }
}
