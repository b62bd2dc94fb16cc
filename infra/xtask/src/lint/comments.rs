//! Checks that a doc comment begins with a verb or a noun phrase, and with no relative clause or question.
use super::rust::{self, Kind};
use super::source::Source;

/// Words with which no doc comment begins.
const REFUSED: [&str; 8] = ["what", "who", "whose", "whoever", "whatever", "how", "which", "where"];

/// The first line of a doc comment that has text.
struct FirstLine<'a> {
    line: usize,
    text: &'a str,
}

/// Returns each doc comment that begins with a refused word, as `path:line: message`.
pub(super) fn violations(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(of_file).collect()
}

fn of_file(source: &Source) -> Vec<String> {
    let first_lines = match source.extension() {
        "rs" => in_rust(&source.text),
        "py" => in_python(&source.text),
        "js" | "mjs" | "ts" => in_javascript(&source.text),
        _ => Vec::new(),
    };
    let refused =
        first_lines.iter().filter_map(|first_line| Some((first_line.line, refused(first_line.text)?)));
    let message = |(line, word)| {
        let path = &source.path;
        format!(
            "{path}:{line}: the doc comment begins with \"{word}\": use a verb (\"Returns …\") or a noun phrase"
        )
    };
    refused.map(message).collect()
}

/// Returns the first word, if it is refused.
fn refused(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(|mark: char| mark.is_whitespace() || "#*_".contains(mark));
    let end = text.find(|next: char| !next.is_alphabetic()).unwrap_or(text.len());
    let word = &text[..end];
    REFUSED.contains(&word.to_lowercase().as_str()).then_some(word)
}

fn in_rust(text: &str) -> Vec<FirstLine<'_>> {
    let mut first_lines = Vec::new();
    // The block of doc comments that has no text yet, or whose first line was found.
    let mut block: Option<(Kind, bool)> = None;
    for token in rust::tokens(text) {
        if !matches!(token.kind, Kind::OuterDoc | Kind::InnerDoc) {
            block = None;
            continue;
        }
        if block.is_some_and(|(kind, is_open)| kind == token.kind && is_open) {
            continue;
        }
        let content = token.text.get(3..).unwrap_or_default().trim_end_matches("*/");
        let first_line = first_line(content, token.line);
        block = Some((token.kind, first_line.is_some()));
        first_lines.extend(first_line);
    }
    first_lines
}

/// Docstrings: strings that are statements of their own.
fn in_python(text: &str) -> Vec<FirstLine<'_>> {
    let mut first_lines = Vec::new();
    let mut inside: Option<&str> = None;
    let mut previous = "";
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if let Some(quotes) = inside {
            if trimmed.contains(quotes) {
                inside = None;
            }
            continue;
        }
        let quotes = if line.contains("\"\"\"") { "\"\"\"" } else { "'''" };
        let unprefixed = trimmed.trim_start_matches(['r', 'R']);
        if let Some(content) = unprefixed.strip_prefix(quotes)
            && !previous.ends_with(['(', '[', '{', ',', '=', '+', '\\'])
        {
            let rest = &text[offset(text, content)..];
            first_lines.extend(first_line(rest.split(quotes).next().unwrap_or_default(), number + 1));
        }
        if line.matches(quotes).count() % 2 == 1 {
            inside = Some(quotes);
        }
        if !trimmed.is_empty() && !trimmed.starts_with('#') {
            previous = trimmed;
        }
    }
    first_lines
}

fn in_javascript(text: &str) -> Vec<FirstLine<'_>> {
    let begins = text.match_indices("/**").filter(|(at, _)| {
        let line = text[..*at].rsplit('\n').next().unwrap_or_default();
        line.trim().is_empty()
    });
    begins
        .filter_map(|(at, begin)| {
            let content = text[at + begin.len()..].split("*/").next().unwrap_or_default();
            first_line(content, 1 + text[..at].matches('\n').count())
        })
        .collect()
}

/// Returns the first line of the content that has text. The content begins at `line`.
fn first_line(content: &str, line: usize) -> Option<FirstLine<'_>> {
    let lines = content.lines().enumerate().map(|(number, text)| FirstLine { line: line + number, text });
    let mut filled =
        lines.filter(|first_line| !first_line.text.trim().trim_start_matches('*').trim().is_empty());
    filled.next()
}

/// Returns the position of `part`, a slice of `text`.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr() as usize - text.as_ptr() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns line and word of each violation.
    fn found(path: &str, text: &str) -> Vec<String> {
        let prefix = format!("{path}:");
        let short = |violation: String| {
            let (line, message) = violation.strip_prefix(&prefix).unwrap().split_once(": ").unwrap();
            format!("{line} {}", message.split('"').nth(1).unwrap())
        };
        violations(&[Source::new(path, text)]).into_iter().map(short).collect()
    }

    #[test]
    fn a_rust_comment_that_begins_with_a_question_word_is_refused() {
        let text = "//! What it does.\n\n/// whoever asks\nfn a() {}\nstruct B {\n    /// Which.\n    c: u8,\n}\n\
                    /** Where it is. */\n/// \n///  **How** often.\nfn d() {}\n";
        assert_eq!(found("a.rs", text), ["1 What", "3 whoever", "6 Which", "9 Where"]);
        assert_eq!(found("a.rs", "/// \n///  **How** often.\nfn d() {}\n"), ["2 How"]);
    }

    #[test]
    fn only_the_first_line_of_a_rust_doc_comment_counts() {
        let text = "//! Rules.\n//! What follows is free.\n\n/// Returns a room.\n///\n/// Who asks.\nfn a() {\n    \
                    // What this does.\n    let b = \"/// What\";\n}\n/// Whether it is so.\nconst C: u8 = 1;\n\
                    /// Whatsoever.\n//// What\n/// `what` is code.\nfn d() {}\n";
        assert_eq!(found("a.rs", text), [""; 0]);
    }

    #[test]
    fn a_docstring_that_begins_with_a_question_word_is_refused() {
        let text = "\"\"\"What it does.\"\"\"\n\nclass A:\n    \"\"\"\n    Who asks.\n    \"\"\"\n    b: int\n    \
                    r'''How often.'''\n";
        assert_eq!(found("a.py", text), ["1 What", "5 Who", "8 How"]);
        let passes = "\"\"\"Rules.\n\nWhat follows is free.\n\"\"\"\nQUERY = \"\"\"\nWhat\n\"\"\"\nask(\n    \
                      \"\"\"What\"\"\",\n)\n# What\n";
        assert_eq!(found("a.py", passes), [""; 0]);
    }

    #[test]
    fn a_javascript_doc_comment_that_begins_with_a_question_word_is_refused() {
        let text = "/**\n * Whose it is.\n */\nfunction a() {}\n  /** What it does. */\n";
        assert_eq!(found("a.js", text), ["2 Whose", "5 What"]);
        assert_eq!(found("a.d.ts", "/** Returns it.\n * What */\n/* What */\n// What\n"), [""; 0]);
    }

    #[test]
    fn other_files_have_no_doc_comments() {
        assert_eq!(found("a.md", "/// What\n"), [""; 0]);
    }
}
