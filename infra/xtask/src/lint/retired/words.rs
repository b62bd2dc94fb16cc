//! Finds words that are refused everywhere: in code, comments, documents and paths.
use std::collections::{BTreeMap, HashMap};

use super::glossary::Retired;
use super::{parts, words};
use crate::lint::rust::Token;
use crate::lint::source::Source;

/// The words of the glossary, ordered by the way in which they are looked for.
#[derive(Debug, Default)]
pub(super) struct Words<'a> {
    /// With their parts: words and parts of identifiers, in any case, with or without a plural `s`.
    plain: Vec<(Vec<String>, &'a Retired)>,
    /// By name: names with a capital, which are identifiers in code.
    capital: HashMap<&'a str, &'a Retired>,
    /// Pieces of code, such as `struct Emu`.
    pieces: Vec<&'a Retired>,
}

impl<'a> Words<'a> {
    pub(super) fn new(entries: &'a [Retired]) -> Self {
        let mut all = Self::default();
        for entry in entries {
            let word = entry.word.as_str();
            if !word.chars().all(is_word) {
                all.pieces.push(entry);
            } else if word.starts_with(char::is_uppercase) {
                all.capital.insert(word, entry);
            } else {
                all.plain.push((parts(word), entry));
            }
        }
        all
    }

    /// Returns each retired word of the file with its line, each word once a line. The line of a path is 1.
    pub(super) fn find(
        &self,
        source: &Source,
        tokens: &[Token<'_>],
    ) -> BTreeMap<(usize, &'a str), &'a Retired> {
        // Looking for each word in each line would take seconds.
        let possible = self.possible_in(&format!("{}\n{}", source.path, source.text));
        let lines = source.text.lines().enumerate().map(|(number, line)| (number + 1, line));
        let lines = lines.filter(|_| !possible.is_empty());
        let in_lines = std::iter::once((1, source.path.as_str()))
            .chain(lines)
            .flat_map(|(number, line)| possible.in_line(line).map(move |entry| (number, entry)));
        let capitals = self.capitals(source, tokens);
        in_lines.chain(capitals).map(|(line, entry)| ((line, entry.word.as_str()), entry)).collect()
    }

    /// Returns the words and pieces of code that the text may have.
    fn possible_in(&self, text: &str) -> Self {
        let lower = text.to_lowercase();
        let has = |(parts, _): &&(Vec<String>, &Retired)| parts.iter().all(|part| lower.contains(part));
        Self {
            plain: self.plain.iter().filter(has).cloned().collect(),
            capital: HashMap::new(),
            pieces: self.pieces.iter().copied().filter(|entry| text.contains(&entry.word)).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.pieces.is_empty()
    }

    fn in_line(&self, line: &str) -> impl Iterator<Item = &'a Retired> {
        let pieces = self.pieces.iter().copied().filter(move |entry| has_piece(line, &entry.word));
        let lower = line.to_lowercase();
        let possible =
            self.plain.iter().filter(move |(parts, _)| parts.iter().all(|part| lower.contains(part)));
        let plain = possible.filter(move |(parts, _)| words(line).any(|word| has_parts(word, parts)));
        pieces.chain(plain.map(|(_, entry)| *entry))
    }

    /// Returns names with a capital: in the code of Rust, and in code spans of its comments and of Markdown.
    fn capitals(&self, source: &Source, tokens: &[Token<'_>]) -> Vec<(usize, &'a Retired)> {
        let mut found = Vec::new();
        let mut look = |line: usize, code: &str| {
            found.extend(words(code).filter_map(|word| Some((line, *self.capital.get(word)?))));
        };
        match source.extension() {
            "rs" => {
                for token in tokens {
                    if token.is_identifier() {
                        look(token.line, token.text);
                    } else if token.is_comment() {
                        code_spans(token.text).for_each(|(line, code)| look(token.line + line, code));
                    }
                }
            }
            "md" => code_spans(&source.text).for_each(|(line, code)| look(line + 1, code)),
            _ => {}
        }
        found
    }
}

/// Returns the texts between backticks, each with its line; the first line is 0.
fn code_spans(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    lines.flat_map(|(number, line)| line.split('`').skip(1).step_by(2).map(move |code| (number, code)))
}

/// Returns whether the line has the piece of code, not as a part of longer words.
fn has_piece(line: &str, piece: &str) -> bool {
    let continues =
        |end: Option<char>, next: Option<char>| end.is_some_and(is_word) && next.is_some_and(is_word);
    line.match_indices(piece).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + piece.len()..]);
        !continues(piece.chars().next(), before.chars().next_back())
            && !continues(piece.chars().next_back(), after.chars().next())
    })
}

/// Returns whether the identifier has these parts, one after the other; the last one may have a plural `s`.
fn has_parts(identifier: &str, wanted: &[String]) -> bool {
    let Some((last, others)) = wanted.split_last() else { return false };
    let is_last = |part: &String| part == last || part.strip_suffix('s') == Some(last);
    parts(identifier)
        .windows(wanted.len())
        .any(|parts| parts.starts_with(others) && parts.last().is_some_and(is_last))
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(usize, String)> {
        let words = ["wombat", "left_over", "Koala", ".yelp(", "struct Emu"];
        let entry = |word: &str| Retired { word: word.to_owned(), replacement: "bird".to_owned() };
        let entries: Vec<Retired> = words.into_iter().map(entry).collect();
        let source = Source::new(path, text);
        let found = Words::new(&entries).find(&source, &source.tokens());
        found.into_keys().map(|(line, word)| (line, word.to_owned())).collect()
    }

    fn one(path: &str, text: &str) -> Option<String> {
        let mut found = found(path, text);
        assert!(found.len() < 2, "{found:?}");
        found.pop().map(|(_, word)| word)
    }

    #[test]
    fn a_word_is_refused_in_any_case_and_as_a_part_of_an_identifier() {
        let refused = [
            "// A Wombat.",
            "let wombats = 1;",
            "fn find_wombat() {}",
            "struct WombatStore;",
            "\"WOMBAT_ID\"",
        ];
        for text in refused {
            assert_eq!(one("a.rs", text).as_deref(), Some("wombat"), "{text}");
        }
        for passes in ["// Wombatted.", "let wombatant = 1;", "struct Wom;\nstruct Bat;"] {
            assert_eq!(one("a.rs", passes), None, "{passes}");
        }
        for path in ["a.sql", "a.py", "a.md", "a.toml"] {
            assert_eq!(one(path, "the wombat").as_deref(), Some("wombat"), "{path}");
        }
    }

    #[test]
    fn a_word_is_refused_in_a_path() {
        assert_eq!(found("src/wombat/den.rs", ""), [(1, "wombat".to_owned())]);
        assert_eq!(found("src/WombatDen.md", ""), [(1, "wombat".to_owned())]);
    }

    #[test]
    fn the_parts_of_a_word_belong_to_one_identifier() {
        for text in ["let left_over = 1;", "const MAX_LEFT_OVERS: u8 = 1;", "struct LeftOver;"] {
            assert_eq!(one("a.rs", text).as_deref(), Some("left_over"), "{text}");
        }
        assert_eq!(one("a.rs", "// It is left over."), None);
        assert_eq!(one("a.rs", "let left = over;"), None);
    }

    #[test]
    fn a_name_with_a_capital_is_refused_in_code_only() {
        for text in ["struct Koala;", "let a: Koala;", "/// A [`Koala`]."] {
            assert_eq!(one("a.rs", text).as_deref(), Some("Koala"), "{text}");
        }
        for passes in ["// Koala is an animal.", "let a = \"Koala\";", "let koala = 1;", "struct KoalaDen;"] {
            assert_eq!(one("a.rs", passes), None, "{passes}");
        }
        assert_eq!(one("a.md", "the type `a::Koala`").as_deref(), Some("Koala"));
        assert_eq!(one("a.md", "Koala `a` Koala"), None);
        assert_eq!(found("a.rs", "\n/* a\n `Koala` */"), [(3, "Koala".to_owned())]);
    }

    #[test]
    fn a_piece_of_code_is_refused_as_it_stands() {
        assert_eq!(one("a.rs", "a.yelp(1)").as_deref(), Some(".yelp("));
        assert_eq!(one("a.rs", "pub struct Emu {").as_deref(), Some("struct Emu"));
        for passes in ["fn yelp() {}", "struct EmuEgg;", "let a: Emu;"] {
            assert_eq!(one("a.rs", passes), None, "{passes}");
        }
    }

    #[test]
    fn a_word_is_reported_once_a_line() {
        let wombat = |line| (line, "wombat".to_owned());
        assert_eq!(found("a.md", "a wombat, a wombat\n\na wombat"), [wombat(1), wombat(3)]);
    }
}
