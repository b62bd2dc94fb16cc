//! Splits Rust source into identifiers, punctuation, literals and comments.

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Keywords, too.
    Identifier,
    /// One character, or `::`.
    Punctuation,
    /// A number, string, character or lifetime.
    Literal,
    /// A comment that documents nothing.
    Comment,
    /// `///` or `/**`.
    OuterDoc,
    /// `//!` or `/*!`.
    InnerDoc,
}

/// A piece of source text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// The line of its first character; the first line is 1.
    pub(super) line: usize,
}

impl Token<'_> {
    pub(super) fn is_comment(&self) -> bool {
        matches!(self.kind, Kind::Comment | Kind::OuterDoc | Kind::InnerDoc)
    }

    pub(super) fn is_identifier(&self) -> bool {
        self.kind == Kind::Identifier
    }
}

/// Returns all tokens, without whitespace.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    loop {
        let trimmed = rest.trim_start();
        line += newlines(&rest[..rest.len() - trimmed.len()]);
        if trimmed.is_empty() {
            return tokens;
        }
        let (kind, length) = first(trimmed);
        let (token, after) = trimmed.split_at(length);
        tokens.push(Token { kind, text: token, line });
        line += newlines(token);
        rest = after;
    }
}

/// Returns the tokens that the compiler sees: no comments.
pub(super) fn code(text: &str) -> Vec<Token<'_>> {
    let mut tokens = tokens(text);
    tokens.retain(|token| !token.is_comment());
    tokens
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

/// Returns kind and length of the token with which the text begins.
fn first(text: &str) -> (Kind, usize) {
    if text.starts_with("//") {
        let kind = match text.as_bytes() {
            [_, _, b'/', b'/', ..] => Kind::Comment,
            [_, _, b'/', ..] => Kind::OuterDoc,
            [_, _, b'!', ..] => Kind::InnerDoc,
            _ => Kind::Comment,
        };
        return (kind, text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        let kind = match text.as_bytes() {
            [_, _, b'*', b'*' | b'/', ..] => Kind::Comment,
            [_, _, b'*', ..] => Kind::OuterDoc,
            [_, _, b'!', ..] => Kind::InnerDoc,
            _ => Kind::Comment,
        };
        return (kind, block_comment(text));
    }
    if let Some(length) = string(text).or_else(|| quoted(text)) {
        return (Kind::Literal, length);
    }
    let word = word(text);
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        (Kind::Literal, word)
    } else if word > 0 {
        let is_raw = &text[..word] == "r" && text[word..].starts_with('#');
        let raw = if is_raw { self::word(&text[word + 1..]) } else { 0 };
        (Kind::Identifier, if raw > 0 { word + 1 + raw } else { word })
    } else if text.starts_with("::") {
        (Kind::Punctuation, 2)
    } else {
        (Kind::Punctuation, text.chars().next().map_or(1, char::len_utf8))
    }
}

/// Returns the length of the word with which the text begins.
fn word(text: &str) -> usize {
    // Bytes above 127 belong to letters: Rust has no other such characters outside of strings and comments.
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
    text.bytes().position(|byte| !is_word(&byte)).unwrap_or(text.len())
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Returns the length of the string literal with which the text begins. It may have a prefix, as `br`.
fn string(text: &str) -> Option<usize> {
    let unprefixed = text.strip_prefix(['b', 'c']).unwrap_or(text);
    if let Some(hashes) = unprefixed.strip_prefix('r') {
        let content = hashes.trim_start_matches('#').strip_prefix('"')?;
        let hashes = &hashes[..hashes.len() - content.len() - 1];
        let end = format!("\"{hashes}");
        let begin = text.len() - content.len();
        return Some(content.find(&end).map_or(text.len(), |found| begin + found + end.len()));
    }
    let content = unprefixed.strip_prefix('"')?;
    Some(text.len() - content.len() + until(content, '"'))
}

/// Returns the length of the character, byte or lifetime with which the text begins.
fn quoted(text: &str) -> Option<usize> {
    let content = text.strip_prefix("b'").or_else(|| text.strip_prefix('\''))?;
    let begin = text.len() - content.len();
    let mut characters = content.chars();
    let (first, second) = (characters.next()?, characters.next());
    if first == '\\' || second == Some('\'') {
        return Some(begin + until(content, '\''));
    }
    Some(begin + word(content))
}

/// Returns the length up to and with the quote that no backslash precedes.
fn until(content: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in content.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + character.len_utf8(),
            _ => {}
        }
    }
    content.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, text: &str) -> Vec<&str> {
        tokens(text).into_iter().filter(|token| token.kind == kind).map(|token| token.text).collect()
    }

    #[test]
    fn strings_and_characters_hide_their_content() {
        let text =
            r##"let a = "fn \" // b"; let c = r#"use "x" "#; let d = '"'; let e = b'\''; let f = br"\";"##;
        assert_eq!(of(Kind::Identifier, text), ["let", "a", "let", "c", "let", "d", "let", "e", "let", "f"]);
        let expected = [r#""fn \" // b""#, r##"r#"use "x" "#"##, "'\"'", r"b'\''", r#"br"\""#];
        assert_eq!(of(Kind::Literal, text), expected);
    }

    #[test]
    fn a_lifetime_is_no_open_character() {
        assert_eq!(of(Kind::Identifier, "fn a<'b>(c: &'b str, d: 'static)"), ["fn", "a", "c", "str", "d"]);
    }

    #[test]
    fn the_first_characters_of_a_comment_give_its_kind() {
        let text = "//! a\n/// b\n//// c\n// d\n/** e */ /*! f /* g */ */ /* h */ /**/";
        assert_eq!(of(Kind::InnerDoc, text), ["//! a", "/*! f /* g */ */"]);
        assert_eq!(of(Kind::OuterDoc, text), ["/// b", "/** e */"]);
        assert_eq!(of(Kind::Comment, text), ["//// c", "// d", "/* h */", "/**/"]);
    }

    #[test]
    fn a_token_knows_its_line() {
        let lines: Vec<_> =
            tokens("a\n\"b\nb\"\n/* c\n */ d::r#e 1.5_f64").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 4, 5, 5, 5, 5, 5, 5]);
        assert_eq!(of(Kind::Identifier, "d::r#e 1"), ["d", "r#e"]);
        assert_eq!(of(Kind::Punctuation, "d::e: f"), ["::", ":"]);
    }
}
