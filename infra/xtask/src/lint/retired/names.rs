//! Finds words that are refused as whole names, where a type, function, field, table or file gets its name.
mod python;
mod rust;
mod sql;

use std::collections::HashMap;

use super::glossary::Retired;
use super::parts;
use crate::lint::rust::Token;
use crate::lint::source::Source;

/// A definition: the line and the name.
type Definition<'a> = (usize, &'a str);

/// The words of the glossary: a name with a capital as it stands, any other by its parts, joined with `_`.
#[derive(Debug)]
pub(super) struct Names<'a>(HashMap<String, &'a Retired>);

impl<'a> Names<'a> {
    pub(super) fn new(entries: &'a [Retired]) -> Self {
        let key =
            |word: &str| if word.starts_with(char::is_uppercase) { word.to_owned() } else { normal(word) };
        Self(entries.iter().map(|entry| (key(&entry.word), entry)).collect())
    }

    /// Returns each definition of the file whose name is retired, with its line. The line of a path is 1.
    pub(super) fn find(&self, source: &Source, tokens: &[Token<'_>]) -> Vec<(usize, &'a Retired)> {
        let stems = source.path.split('/').map(|part| (1, part.split('.').next().unwrap_or_default()));
        let definitions = match source.extension() {
            "rs" => rust::definitions(tokens),
            "sql" => sql::definitions(&source.text),
            "py" => python::definitions(&source.text),
            _ => Vec::new(),
        };
        stems
            .chain(definitions)
            .filter_map(|(line, name)| {
                let entry = self.0.get(name).or_else(|| self.0.get(&normal(name)));
                Some((line, *entry?))
            })
            .collect()
    }
}

fn normal(name: &str) -> String {
    parts(name).join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        let entries =
            ["koala", "Emu"].map(|word| Retired { word: word.to_owned(), replacement: "bird".to_owned() });
        let source = Source::new(path, text);
        Names::new(&entries).find(&source, &source.tokens()).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn a_retired_name_is_refused_where_it_is_defined() {
        assert_eq!(
            found("a.rs", "fn koala() {}\nstruct Koala;\nconst KOALA: u8 = 1;\nfn _koala() {}\n"),
            [1, 2, 3, 4]
        );
        assert_eq!(found("a.rs", "struct Emu;\n"), [1]);
        assert_eq!(found("a.sql", "create table koala (id int);\n"), [1]);
        assert_eq!(found("a.py", "def _koala(): ...\n"), [1]);
        assert_eq!(found("a/koala.rs", ""), [1]);
        assert_eq!(found("koala/a.d.ts", ""), [1]);
    }

    #[test]
    fn a_retired_name_passes_in_prose_as_a_part_of_a_name_and_as_a_variable() {
        let text = "// A koala.\nfn a_koala(koala: u8) { let emu = koala; }\nuse emu::Emu;\n";
        assert_eq!(found("a.rs", text), [0; 0]);
        assert_eq!(found("a.rs", "fn emu() {}\nconst EMU: u8 = 1;\n"), [0; 0], "the name has a capital");
        assert_eq!(found("a_koala.md", "koala"), [0; 0]);
    }
}
