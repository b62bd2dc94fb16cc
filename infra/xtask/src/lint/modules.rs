//! The files of a crate as modules, and the way from a path in code to the file that it names.
mod imports;

use std::collections::{HashMap, HashSet};

use super::rust::{Token, code};
use imports::{Import, References};

/// The files that declare the modules of a crate, without their ending.
const ROOTS: [&str; 2] = ["lib", "main"];
/// Keywords before the name of an item.
const ITEMS: [&str; 7] = ["fn", "struct", "enum", "trait", "type", "const", "static"];
/// The longest chain of re-exports that is followed.
const REEXPORTS: usize = 16;

/// A file of the crate.
#[derive(Debug)]
pub(super) struct Module<'a> {
    /// The path of the file, below the root of the crate.
    pub(super) file: &'a str,
    /// The path of the module, without `crate`.
    name: Vec<&'a str>,
    references: References<'a>,
    items: HashSet<&'a str>,
}

/// A file that another one refers to, with the line of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) module: usize,
    pub(super) line: usize,
    /// Whether it is only passed on, by `pub use`.
    pub(super) is_passed_on: bool,
}

/// All files of the crate.
#[derive(Debug)]
pub(super) struct Modules<'a> {
    pub(super) all: Vec<Module<'a>>,
    by_name: HashMap<Vec<&'a str>, usize>,
}

impl<'a> Modules<'a> {
    /// Takes the path below the root of the crate and the text of each file.
    pub(super) fn read(files: &[(&'a str, &'a str)]) -> Self {
        let all: Vec<Module<'_>> = files.iter().map(|(file, text)| Module::read(file, text)).collect();
        let by_name = all.iter().enumerate().map(|(at, module)| (module.name.clone(), at)).collect();
        Self { all, by_name }
    }

    /// Returns the targets of each file.
    pub(super) fn all_targets(&self) -> Vec<Vec<Target>> {
        (0..self.all.len()).map(|from| self.targets(from)).collect()
    }

    /// Returns whether the first module contains the second one.
    pub(super) fn contains(&self, outer: usize, inner: usize) -> bool {
        self.all[inner].name.starts_with(&self.all[outer].name)
    }

    /// Returns whether the file has something else than `mod x;`, `use` and attributes.
    pub(super) fn has_code(&self, module: usize) -> bool {
        self.all[module].references.has_code
    }

    /// Returns the other files of the crate that this one refers to.
    fn targets(&self, from: usize) -> Vec<Target> {
        let references = &self.all[from].references;
        let imports = references.imports.iter().map(|import| {
            let uses = import.name.and_then(|name| references.identifiers.get(name)).copied();
            let is_passed_on = import.is_public && uses.is_none();
            (import.line, self.absolute(from, &import.inside, &import.path), is_passed_on)
        });
        let mentions = references
            .mentions
            .iter()
            .map(|mention| (mention.line, self.absolute(from, &mention.inside, &mention.path), false));
        let found = imports.chain(mentions).filter_map(|(line, path, is_passed_on)| {
            let module = self.file_of(&path?, REEXPORTS)?;
            Some(Target { module, line, is_passed_on })
        });
        found.filter(|target| target.module != from).collect()
    }

    /// Returns the path from the root of the crate; `None` if it belongs to another crate.
    fn absolute(&self, from: usize, inside: &[&'a str], path: &[&'a str]) -> Option<Vec<&'a str>> {
        let module = &self.all[from];
        let mut here: Vec<&str> = module.name.iter().chain(inside).copied().collect();
        let (first, rest) = path.split_first()?;
        match *first {
            "crate" => Some(rest.to_vec()),
            "self" => Some([&here, rest].concat()),
            "super" => {
                here.pop()?;
                let supers = rest.iter().take_while(|part| **part == "super").count();
                here.truncate(here.len().saturating_sub(supers));
                Some([&here, &rest[supers..]].concat())
            }
            name => {
                let child = [here.as_slice(), &[name]].concat();
                if self.by_name.contains_key(&child) {
                    return Some([&here, path].concat());
                }
                let import = module.import(name).filter(|import| import.path.first() != Some(&name))?;
                let begin = self.absolute(from, &import.inside, &import.path)?;
                Some([begin.as_slice(), rest].concat())
            }
        }
    }

    /// Returns the file that defines what the path names, through re-exports of at most this many files.
    fn file_of(&self, path: &[&'a str], reexports: usize) -> Option<usize> {
        let mut at = *self.by_name.get(&[][..])?;
        for (depth, name) in path.iter().enumerate() {
            if let Some(child) = self.by_name.get(&path[..=depth]) {
                at = *child;
                continue;
            }
            return Some(self.definition(at, name, &path[depth + 1..], reexports).unwrap_or(at));
        }
        Some(at)
    }

    /// Returns the file that defines a name of this module; `None` if the module has no such name.
    fn definition(&self, at: usize, name: &'a str, rest: &[&'a str], reexports: usize) -> Option<usize> {
        let module = &self.all[at];
        let reexports = reexports.checked_sub(1)?;
        if module.items.contains(name) {
            return Some(at);
        }
        if let Some(import) = module.import(name) {
            let path = self.absolute(at, &import.inside, &import.path)?;
            return self.file_of(&[path.as_slice(), rest].concat(), reexports);
        }
        let globs = module.references.imports.iter().filter(|import| import.name.is_none());
        let mut candidates = globs.filter_map(|import| {
            let path = self.absolute(at, &import.inside, &import.path)?;
            let source = self.file_of(&path, reexports).filter(|source| *source != at)?;
            self.definition(source, name, rest, reexports)
        });
        candidates.next()
    }
}

/// Returns each reference as the file that makes it and its target.
pub(super) fn edges(targets: &[Vec<Target>]) -> impl Iterator<Item = (usize, &Target)> {
    targets.iter().enumerate().flat_map(|(from, targets)| targets.iter().map(move |target| (from, target)))
}

impl<'a> Module<'a> {
    fn read(file: &'a str, text: &'a str) -> Self {
        let tokens = code(text);
        let stem = file.strip_suffix(".rs").unwrap_or(file);
        let name = if ROOTS.contains(&stem) { Vec::new() } else { stem.split('/').collect() };
        Self { file, name, references: References::read(&tokens), items: items(&tokens) }
    }

    /// Returns the import that gives this name to the whole file.
    fn import(&self, name: &str) -> Option<&Import<'a>> {
        let mut outer = self.references.imports.iter().filter(|import| import.inside.is_empty());
        outer.find(|import| import.name == Some(name))
    }
}

fn items<'a>(tokens: &[Token<'a>]) -> HashSet<&'a str> {
    let names = tokens.windows(2).filter(|pair| ITEMS.contains(&pair[0].text) && pair[1].is_identifier());
    let macros = tokens.windows(3).filter(|three| three[0].text == "macro_rules" && three[1].text == "!");
    names.map(|pair| pair[1].text).chain(macros.map(|three| three[2].text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the files that `from` refers to.
    fn targets(files: &[(&str, &str)], from: &str) -> Vec<String> {
        let modules = Modules::read(files);
        let at = modules.all.iter().position(|module| module.file == from).unwrap();
        let shown = |target: &Target| {
            let passed_on = if target.is_passed_on { " passed on" } else { "" };
            format!("{} {}{passed_on}", target.line, modules.all[target.module].file)
        };
        modules.targets(at).iter().map(shown).collect()
    }

    const CRATE: [(&str, &str); 5] = [
        ("lib.rs", "pub mod a;\npub mod d;\npub use a::b::Thing;\npub use d::*;\n"),
        ("a.rs", "mod b;\nmod c;\npub use b::Thing;\npub use self::c::make as create;\n"),
        ("a/b.rs", "pub struct Thing;\n"),
        ("a/c.rs", "use super::Thing;\npub fn make() {}\n"),
        ("d.rs", "pub struct Other;\npub fn f() {}\n"),
    ];

    fn with(text: &str) -> Vec<String> {
        let mut files = CRATE.to_vec();
        files.push(("e.rs", text));
        targets(&files, "e.rs")
    }

    #[test]
    fn a_path_leads_to_the_file_that_defines_the_item() {
        assert_eq!(with("use crate::a::b::Thing;\n"), ["1 a/b.rs"]);
        assert_eq!(with("use crate::a;\n\nfn f() { a::create(); }\n"), ["1 a.rs", "3 a/c.rs"]);
        assert_eq!(with("use super::a::Thing;\n"), ["1 a/b.rs"]);
        assert_eq!(with("fn f(_: crate::d::Other) {}\n"), ["1 d.rs"]);
        assert_eq!(with("mod tests { use super::super::d::f; }\n"), ["1 d.rs"]);
    }

    #[test]
    fn reexports_are_followed() {
        assert_eq!(with("use crate::Thing;\n"), ["1 a/b.rs"]);
        assert_eq!(with("use crate::Other;\n"), ["1 d.rs"]);
        assert_eq!(targets(&CRATE, "a/c.rs"), ["1 a/b.rs"]);
        assert_eq!(targets(&CRATE, "a.rs"), ["3 a/b.rs passed on", "4 a/c.rs passed on"]);
    }

    #[test]
    fn other_crates_and_the_file_itself_are_no_targets() {
        let text = "use std::sync::Arc;\nuse tokio::a::Thing;\nmod tests { use super::*; }\nfn f() { Arc::new(Self::g()) }\n";
        assert_eq!(with(text), [""; 0]);
    }
}
