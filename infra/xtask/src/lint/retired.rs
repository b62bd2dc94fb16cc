//! Checks that the words which the glossary retired do not come back.
mod glossary;
mod names;
mod words;

use anyhow::{Context, Result};

use super::source::Source;
use glossary::{Glossary, Retired};
use names::Names;
use words::Words;

/// The file that lists the retired words.
pub(super) const GLOSSARY: &str = "docs/glossary.md";

/// The files that people write.
const EXTENSIONS: [&str; 8] = ["js", "md", "mjs", "py", "rs", "sql", "toml", "ts"];

/// Returns each retired word as `path:line: message`. The glossary lists the words, and may contain them.
pub(super) fn violations(sources: &[Source]) -> Result<Vec<String>> {
    let glossary =
        sources.iter().find(|source| source.path == GLOSSARY).context("docs/glossary.md is missing")?;
    let glossary = Glossary::parse(&glossary.text)?;
    let (words, names) = (Words::new(&glossary.words), Names::new(&glossary.names));
    let written = sources.iter().filter(|source| EXTENSIONS.contains(&source.extension()));
    Ok(written
        .filter(|source| source.path != GLOSSARY)
        .flat_map(|source| of_file(source, &words, &names))
        .collect())
}

fn of_file(source: &Source, words: &Words<'_>, names: &Names<'_>) -> Vec<String> {
    let path = &source.path;
    let tokens = source.tokens();
    let words = words.find(source, &tokens).into_iter().map(|((line, _), Retired { word, replacement })| {
        (line, format!("{path}:{line}: \"{word}\" is retired, use: {replacement}"))
    });
    let names = names.find(source, &tokens).into_iter().map(|(line, Retired { word, replacement })| {
        (line, format!("{path}:{line}: \"{word}\" is retired as a name, use: {replacement}"))
    });
    let mut found: Vec<_> = words.chain(names).collect();
    found.sort();
    found.into_iter().map(|(_, message)| message).collect()
}

/// Returns the identifiers and words of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|next: char| !(next.is_alphanumeric() || next == '_')).filter(|word| !word.is_empty())
}

/// Returns the parts of an identifier in lower case: `http` and `server` of `HttpServer` and `http_server`.
fn parts(identifier: &str) -> Vec<String> {
    let characters: Vec<char> = identifier.chars().collect();
    let mut parts = vec![String::new()];
    for (at, character) in characters.iter().enumerate() {
        let is_next_lower = characters.get(at + 1).is_some_and(|next| next.is_lowercase());
        let is_after_lower = at > 0 && !characters[at - 1].is_uppercase();
        if *character == '_' || character.is_uppercase() && (is_after_lower || is_next_lower) {
            parts.push(String::new());
        }
        if *character != '_'
            && let Some(part) = parts.last_mut()
        {
            part.extend(character.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "### Refused everywhere\n| `wombat` | bear |\n### Refused as names\n| `emu` | `Bird` |\n";

    #[test]
    fn a_violation_names_the_place_and_the_replacement() {
        let sources = [
            Source::new(GLOSSARY, TEXT),
            Source::new("a.rs", "// A wombat.\nfn emu() {}\n"),
            Source::new("a.lock", "wombat"),
        ];
        let expected =
            ["a.rs:1: \"wombat\" is retired, use: bear", "a.rs:2: \"emu\" is retired as a name, use: `Bird`"];
        assert_eq!(violations(&sources).unwrap(), expected);
        assert!(violations(&sources[1..]).is_err());
    }

    #[test]
    fn an_identifier_is_split_into_parts() {
        for identifier in ["http_server", "HttpServer", "HTTPServer", "_HTTP_SERVER_", "httpServer"] {
            assert_eq!(parts(identifier), ["http", "server"], "{identifier}");
        }
        assert_eq!(parts("v2_A"), ["v2", "a"]);
        assert_eq!(parts("__"), [""; 0]);
    }
}
