//! Names that SQL defines: tables, columns, functions, types and indexes.
use super::Definition;

/// Kinds of objects that `create` makes.
const OBJECTS: [&str; 9] =
    ["table", "view", "function", "procedure", "type", "index", "trigger", "sequence", "domain"];
/// Words that may stand between `create` and the kind.
const BEFORE_KIND: [&str; 8] =
    ["or", "replace", "unique", "temp", "temporary", "unlogged", "materialized", "recursive"];
/// Words that may stand between the kind and the name.
const BEFORE_NAME: [&str; 5] = ["if", "not", "exists", "concurrently", "only"];
/// Words with which a part of a table begins that is no column.
const CONSTRAINTS: [&str; 7] = ["constraint", "primary", "unique", "foreign", "check", "exclude", "like"];

/// A word in lower case or one character, with its line.
struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// Returns each definition with its line.
pub(super) fn definitions(text: &str) -> Vec<Definition<'_>> {
    let tokens = tokens(text);
    let is =
        |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.text.eq_ignore_ascii_case(word));
    let is_one = |at: usize, words: &[&str]| words.iter().any(|word| is(at, word));
    let mut definitions = Vec::new();
    for at in 0..tokens.len() {
        if is(at, "create") {
            let kind = skip(at + 1, |at| is_one(at, &BEFORE_KIND));
            if is_one(kind, &OBJECTS) {
                let mut name = skip(kind + 1, |at| is_one(at, &BEFORE_NAME));
                if is(name + 1, ".") {
                    name += 2;
                }
                definitions.extend(named(&tokens, name));
                let columns = if is(kind, "type") { skip(name + 1, |at| is(at, "as")) } else { name + 1 };
                if is_one(kind, &["table", "type"]) {
                    definitions.extend(columns_of(&tokens, columns));
                }
            }
        } else if is(at, "returns") && is(at + 1, "table") {
            definitions.extend(columns_of(&tokens, at + 2));
        } else if is(at, "add") && is(at + 1, "column") {
            definitions.extend(named(&tokens, skip(at + 2, |at| is_one(at, &BEFORE_NAME))));
        } else if is(at, "rename") {
            let to = skip(at + 1, |at| at < tokens.len() && !is_one(at, &["to", ";"]));
            definitions.extend(named(&tokens, to + 1));
        }
    }
    definitions
}

/// Returns the first position from `at` on that is not to be skipped.
fn skip(mut at: usize, is_skipped: impl Fn(usize) -> bool) -> usize {
    while is_skipped(at) {
        at += 1;
    }
    at
}

fn named<'a>(tokens: &[Token<'a>], at: usize) -> Option<Definition<'a>> {
    tokens.get(at).map(|token| (token.line, token.text))
}

/// Returns the first word of each part in the parentheses that open at `begin`.
fn columns_of<'a>(tokens: &[Token<'a>], begin: usize) -> Vec<Definition<'a>> {
    let mut columns = Vec::new();
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(begin) {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        let begins = depth == 1 && ["(", ","].contains(&token.text);
        let next = tokens.get(at + 1).filter(|_| begins);
        columns.extend(next.filter(|next| is_column(next.text)).map(|next| (next.line, next.text)));
    }
    columns
}

fn is_column(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && !CONSTRAINTS.iter().any(|constraint| constraint.eq_ignore_ascii_case(word))
}

/// Returns words and characters without comments and strings.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut in_string = false;
    for (number, line) in text.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            if first == '\'' {
                in_string = !in_string;
            } else if !in_string && rest.starts_with("--") {
                break;
            }
            let word = rest.find(|next: char| !(next.is_alphanumeric() || next == '_')).unwrap_or(rest.len());
            let (text, after) = rest.split_at(word.max(first.len_utf8()));
            if !in_string && !first.is_whitespace() && first != '\'' && first != '"' {
                tokens.push(Token { text, line: number + 1 });
            }
            rest = after;
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        definitions(text).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn tables_and_their_columns_are_definitions() {
        let text = "create table if not exists a (\n    b bigint primary key, -- c d\n    e numeric(1, 2) check (f > 0),\n    \
                    primary key (g, h),\n    CONSTRAINT i unique (j),\n    k text default 'l, m'\n);\n\
                    create unlogged table public.n (o int);\ncreate type p as (q text, r int);\n";
        assert_eq!(names(text), ["a", "b", "e", "k", "n", "o", "p", "q", "r"]);
    }

    #[test]
    fn functions_and_what_they_return_are_definitions() {
        let text = "create or replace function a(b int) returns table (c int, d text) as $$\n  select e from f\n$$;\n\
                    create unique index g on h (i);\n";
        assert_eq!(names(text), ["a", "c", "d", "g"]);
    }

    #[test]
    fn changes_of_tables_are_definitions() {
        let text = "alter table a add column if not exists b int, add constraint c check (d);\n\
                    alter table e rename column f to g;\nalter table h rename to i;\n-- create table j\n";
        assert_eq!(names(text), ["b", "g", "i"]);
    }
}
