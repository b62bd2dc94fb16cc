//! Checks the floors of `shared/core/src`: a file imports from its own floor and from lower ones.
use std::collections::BTreeMap;

use super::modules::{Modules, Target, edges};
use super::source::Source;

/// The folder that the rule is about.
const FOLDER: &str = "shared/core/src/";
/// The floors, the lowest first: folders, and the files that declare their modules.
const FLOORS: [&str; 5] = ["domain", "port", "live", "app", "sync"];
/// Files above all floors.
const TOP: [&str; 3] = ["administration.rs", "lib.rs", "messenger.rs"];

/// Returns each import of a higher floor and each file on no floor, as `path:line: message`.
pub(super) fn violations(sources: &[Source]) -> Vec<String> {
    let rust = sources.iter().filter(|source| source.extension() == "rs");
    let core = rust.filter_map(|source| Some((source.path.strip_prefix(FOLDER)?, source.text.as_str())));
    let files: Vec<_> = core.collect();
    check(&files).into_iter().map(|violation| format!("{FOLDER}{violation}")).collect()
}

/// Takes the path below `src` and the text of each file.
fn check(files: &[(&str, &str)]) -> Vec<String> {
    let outside = files.iter().filter(|(path, _)| floor(path).is_none());
    let outside = outside.map(|(path, _)| {
        format!("{path}:1: the file stands on no floor: move it to one of {}", FLOORS.join(", "))
    });
    let modules = Modules::read(files);
    outside.chain(upward(&modules, &modules.all_targets())).collect()
}

/// Returns the number of the file's floor, counted from below; `None` if it stands on none.
fn floor(path: &str) -> Option<usize> {
    if TOP.contains(&path) {
        return Some(FLOORS.len());
    }
    let first = path.split('/').next().unwrap_or_default();
    FLOORS.iter().position(|floor| first.strip_suffix(".rs").unwrap_or(first) == *floor)
}

fn upward(modules: &Modules<'_>, targets: &[Vec<Target>]) -> Vec<String> {
    let mut found = BTreeMap::new();
    for (from, target) in edges(targets) {
        let (lower, upper) = (modules.all[from].file, modules.all[target.module].file);
        if floor(lower).zip(floor(upper)).is_some_and(|(lower, upper)| lower < upper) {
            found.entry((lower, target.line)).or_insert(upper);
        }
    }
    let order = FLOORS.join(" < ");
    let message =
        |((lower, line), upper)| format!("{lower}:{line}: {upper} stands on a higher floor ({order})");
    found.into_iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATE: [(&str, &str); 8] = [
        (
            "lib.rs",
            "mod app;\npub mod domain;\nmod messenger;\npub mod port;\npub use domain::Room;\npub use messenger::Messenger;\n",
        ),
        ("messenger.rs", "use crate::app::rooms::Rooms;\npub struct Messenger(Rooms);\n"),
        ("app.rs", "pub mod rooms;\n"),
        (
            "app/rooms.rs",
            "use crate::{Room, port::Clock};\npub struct Rooms(Room);\nfn f(_: &dyn Clock) {}\n",
        ),
        ("domain.rs", "mod room;\npub use room::Room;\n"),
        ("domain/room.rs", "pub struct Room;\n"),
        ("port.rs", "mod clock;\npub use clock::Clock;\n"),
        ("port/clock.rs", "use crate::domain::Room;\npub trait Clock { fn now(&self) -> Room; }\n"),
    ];

    /// Checks the crate with these files in the place of its own.
    fn with<'a>(changed: &[(&'a str, &'a str)]) -> Vec<String> {
        let is_kept = |file: &&(&str, &str)| !changed.iter().any(|(path, _)| *path == file.0);
        let mut files: Vec<(&str, &str)> = CRATE.iter().filter(is_kept).copied().collect();
        files.extend(changed);
        check(&files)
    }

    #[test]
    fn imports_of_the_own_floor_and_lower_ones_pass() {
        assert_eq!(with(&[]), [""; 0]);
        assert_eq!(with(&[("app/users.rs", "use super::rooms::Rooms;\nfn f(_: Rooms) {}\n")]), [""; 0]);
    }

    #[test]
    fn imports_of_a_higher_floor_are_refused() {
        let up = |file: &str| format!("{file} stands on a higher floor (domain < port < live < app < sync)");
        let found = with(&[("domain/room.rs", "use crate::{\n    port::Clock,\n};\npub struct Room;\n")]);
        assert!(found.contains(&format!("domain/room.rs:2: {}", up("port/clock.rs"))), "{found:?}");
        let found = with(&[("domain/name.rs", "fn f() { crate::app::rooms::f(); }\n")]);
        assert_eq!(found, [format!("domain/name.rs:1: {}", up("app/rooms.rs"))]);
        let found = with(&[("live/index.rs", "use crate::Messenger;\n")]);
        assert_eq!(found, [format!("live/index.rs:1: {}", up("messenger.rs"))]);
        let found = with(&[("port.rs", "mod clock;\npub use clock::Clock;\npub use crate::app::rooms;\n")]);
        assert_eq!(found, [format!("port.rs:3: {}", up("app/rooms.rs"))]);
    }

    #[test]
    fn a_file_outside_of_the_floors_is_refused() {
        let expected =
            ["util.rs:1: the file stands on no floor: move it to one of domain, port, live, app, sync"];
        assert_eq!(with(&[("util.rs", "")]), expected);
        assert_eq!(with(&[("messenger/build.rs", "")]).len(), 1);
    }
}
