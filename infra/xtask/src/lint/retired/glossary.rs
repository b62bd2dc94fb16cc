//! Reads the retired words from the two tables of `docs/glossary.md`.
use anyhow::{Result, ensure};

/// The heading above the table of words that are refused everywhere.
const WORDS: &str = "### Refused everywhere";
/// The heading above the table of words that are refused as names.
const NAMES: &str = "### Refused as names";

/// A word of the first column, and the second column of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Retired {
    pub(super) word: String,
    pub(super) replacement: String,
}

/// The retired words of the glossary.
#[derive(Clone, Debug)]
pub(super) struct Glossary {
    /// Refused in code, comments and documents.
    pub(super) words: Vec<Retired>,
    /// Refused as the whole name of a type, function, module, field, table, column or file.
    pub(super) names: Vec<Retired>,
}

impl Glossary {
    /// Returns an error if one of the tables is missing or empty.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let glossary = Self { words: table(text, WORDS), names: table(text, NAMES) };
        ensure!(!glossary.words.is_empty(), "the glossary has no table of words below \"{WORDS}\"");
        ensure!(!glossary.names.is_empty(), "the glossary has no table of words below \"{NAMES}\"");
        Ok(glossary)
    }
}

/// Returns each word in backticks of the first column below the heading.
fn table(text: &str, heading: &str) -> Vec<Retired> {
    let section = text.lines().skip_while(|line| *line != heading).skip(1);
    let rows = section.take_while(|line| !line.starts_with('#')).filter_map(row);
    rows.flat_map(|(words, replacement)| {
        let words = words.split('`').skip(1).step_by(2);
        words.map(move |word| Retired { word: word.to_owned(), replacement: replacement.to_owned() })
    })
    .collect()
}

fn row(line: &str) -> Option<(&str, &str)> {
    let (words, replacement) = line.strip_prefix('|')?.strip_suffix('|')?.split_once('|')?;
    Some((words.trim(), replacement.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Glossary\n\n`none`\n\n### Refused everywhere\n\nText with `code`.\n\n| old | new |\n|---|---|\n\
                        | `wombat`, `.yelp(` | marsupial, `shout` |\n| `emu` | bird |\n\n### Refused as names\n\n\
                        | old | new |\n|---|---|\n| `koala` | bear |\n\n## Next\n\n| `other` | table |\n";

    #[test]
    fn the_words_are_those_in_backticks_in_the_first_columns() {
        let glossary = Glossary::parse(TEXT).unwrap();
        let words: Vec<_> =
            glossary.words.iter().map(|entry| (entry.word.as_str(), entry.replacement.as_str())).collect();
        assert_eq!(
            words,
            [("wombat", "marsupial, `shout`"), (".yelp(", "marsupial, `shout`"), ("emu", "bird")]
        );
        assert_eq!(glossary.names, [Retired { word: "koala".to_owned(), replacement: "bear".to_owned() }]);
    }

    #[test]
    fn a_glossary_without_a_table_is_an_error() {
        let error = Glossary::parse(&TEXT.replace("as names", "as nouns")).unwrap_err().to_string();
        assert!(error.contains("### Refused as names"), "{error}");
    }
}
