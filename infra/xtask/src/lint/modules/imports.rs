//! Reads `use` declarations and paths from the tokens of a file.
use std::collections::HashMap;

use crate::lint::rust::Token;

/// One name that a `use` declaration brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import<'a> {
    pub(super) line: usize,
    /// The modules inside the file in which it stands.
    pub(super) inside: Vec<&'a str>,
    /// As written, with `crate`, `self` and `super`.
    pub(super) path: Vec<&'a str>,
    /// The name in this file; `None`: all names of the path (`*`).
    pub(super) name: Option<&'a str>,
    pub(super) is_public: bool,
}

/// A path in code, such as `crate::port::Clock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mention<'a> {
    pub(super) line: usize,
    /// The modules inside the file in which it stands.
    pub(super) inside: Vec<&'a str>,
    pub(super) path: Vec<&'a str>,
}

/// Everything in a file that refers to other files.
#[derive(Debug, Default)]
pub(super) struct References<'a> {
    pub(super) imports: Vec<Import<'a>>,
    pub(super) mentions: Vec<Mention<'a>>,
    /// The number of times that each identifier occurs in code, `use` declarations aside.
    pub(super) identifiers: HashMap<&'a str, usize>,
    /// Whether the file has something else than `mod x;`, `use` and attributes.
    pub(super) has_code: bool,
}

impl<'a> References<'a> {
    /// Reads the tokens of a file, which have no comments.
    pub(super) fn read(tokens: &[Token<'a>]) -> Self {
        let mut references = Self::default();
        // The modules inside the file that are open, each with the depth of its brace.
        let mut inside: Vec<(&str, usize)> = Vec::new();
        let (mut at, mut depth) = (0, 0);
        while at < tokens.len() {
            let modules: Vec<_> = inside.iter().map(|(name, _)| *name).collect();
            match tokens[at].text {
                "use" => {
                    at = references.read_use(tokens, at, &modules);
                    continue;
                }
                "mod" if text(tokens, at + 2) == "{" => {
                    references.has_code = true;
                    depth += 1;
                    inside.push((tokens[at + 1].text, depth));
                    at += 3;
                    continue;
                }
                "mod" if text(tokens, at + 2) == ";" => {
                    at += 3;
                    continue;
                }
                "#" => {
                    at = attribute_end(tokens, at);
                    continue;
                }
                "pub" => {
                    at = visibility_end(tokens, at);
                    continue;
                }
                "{" => depth += 1,
                "}" => {
                    inside.retain(|(_, brace)| *brace < depth);
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
            references.has_code = true;
            if tokens[at].is_identifier() {
                at = references.read_path(tokens, at, modules);
            } else {
                at += 1;
            }
        }
        references
    }

    /// Reads the declaration that begins with `use`; returns the position after it.
    fn read_use(&mut self, tokens: &[Token<'a>], begin: usize, inside: &[&'a str]) -> usize {
        let end = (begin..tokens.len()).find(|at| tokens[*at].text == ";").unwrap_or(tokens.len());
        // `use<…>` in a return type is no declaration.
        if text(tokens, begin + 1) == "<" {
            return begin + 1;
        }
        let is_public = begin > 0 && ["pub", ")"].contains(&tokens[begin - 1].text);
        let mut tree = Tree { tokens: &tokens[..end], at: begin + 1, leaves: Vec::new() };
        tree.read(&[]);
        self.imports.extend(tree.leaves.into_iter().map(|(line, path, name)| Import {
            line,
            inside: inside.to_vec(),
            path,
            name,
            is_public,
        }));
        end + 1
    }

    /// Reads the path or the single identifier at this position; returns the position after it.
    fn read_path(&mut self, tokens: &[Token<'a>], begin: usize, inside: Vec<&'a str>) -> usize {
        let mut path = vec![tokens[begin].text];
        let mut at = begin + 1;
        while text(tokens, at) == "::" && tokens.get(at + 1).is_some_and(Token::is_identifier) {
            path.push(tokens[at + 1].text);
            at += 2;
        }
        for identifier in &path {
            *self.identifiers.entry(identifier).or_default() += 1;
        }
        // A path that begins with `::` belongs to another crate; one after `.` is a method.
        let is_own = begin == 0 || !["::", "."].contains(&tokens[begin - 1].text);
        if is_own && path.len() > 1 {
            self.mentions.push(Mention { line: tokens[begin].line, inside, path });
        }
        at
    }
}

/// A `use` tree that is being read.
struct Tree<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    leaves: Vec<(usize, Vec<&'a str>, Option<&'a str>)>,
}

impl<'a> Tree<'_, 'a> {
    fn read(&mut self, prefix: &[&'a str]) {
        let mut path = prefix.to_vec();
        let mut line = self.tokens.get(self.at).map_or(0, |token| token.line);
        while let Some(token) = self.tokens.get(self.at) {
            match token.text {
                "{" => return self.read_group(&path),
                "*" => {
                    self.at += 1;
                    self.leaves.push((token.line, path, None));
                    return;
                }
                "," | "}" => break,
                "as" => {
                    let name = text(self.tokens, self.at + 1);
                    self.at += 2;
                    self.leaves.push((line, path, Some(name)));
                    return;
                }
                "::" => self.at += 1,
                name => {
                    if name != "self" || path.is_empty() {
                        path.push(name);
                    }
                    line = token.line;
                    self.at += 1;
                }
            }
        }
        if let Some(name) = path.last().copied() {
            self.leaves.push((line, path, Some(name)));
        }
    }

    fn read_group(&mut self, prefix: &[&'a str]) {
        self.at += 1;
        while let Some(token) = self.tokens.get(self.at) {
            match token.text {
                "}" => {
                    self.at += 1;
                    return;
                }
                "," => self.at += 1,
                _ => self.read(prefix),
            }
        }
    }
}

/// Returns the text of a token; empty after the last one.
fn text<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

/// Returns the position after `#[…]` or `#![…]`.
fn attribute_end(tokens: &[Token<'_>], begin: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(begin + 1) {
        match token.text {
            "[" => depth += 1,
            "]" => depth -= 1,
            "!" => {}
            _ if depth == 0 => return at,
            _ => {}
        }
        if depth == 0 && token.text == "]" {
            return at + 1;
        }
    }
    tokens.len()
}

/// Returns the position after `pub` or `pub(…)`.
fn visibility_end(tokens: &[Token<'_>], begin: usize) -> usize {
    let is_restricted =
        text(tokens, begin + 1) == "(" && ["crate", "super", "self", "in"].contains(&text(tokens, begin + 2));
    if !is_restricted {
        return begin + 1;
    }
    (begin..tokens.len()).find(|at| tokens[*at].text == ")").map_or(tokens.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::rust::code;

    fn imports(text: &str) -> Vec<String> {
        let references = References::read(&code(text));
        let shown = |import: &Import| {
            let place =
                import.inside.iter().map(|module| format!("[{module}] ")).collect::<Vec<_>>().concat();
            let public = if import.is_public { "pub " } else { "" };
            format!(
                "{} {place}{public}{} {}",
                import.line,
                import.path.join("::"),
                import.name.unwrap_or("*")
            )
        };
        references.imports.iter().map(shown).collect()
    }

    #[test]
    fn a_use_tree_has_one_import_for_each_name() {
        let text = "use crate::{\n    Error,\n    port::{self, Clock as Time, time::*},\n};\npub(crate) use super::a;\npub use b::C;\n";
        let expected = [
            "2 crate::Error Error",
            "3 crate::port port",
            "3 crate::port::Clock Time",
            "3 crate::port::time *",
            "5 pub super::a a",
            "6 pub b::C C",
        ];
        assert_eq!(imports(text), expected);
    }

    #[test]
    fn an_import_knows_its_module_inside_the_file() {
        let text =
            "use a::b;\nmod c {\n    use super::d;\n    mod e { use f::g; }\n    use h::i;\n}\nuse j::k;\n";
        let expected = ["1 a::b b", "3 [c] super::d d", "4 [c] [e] f::g g", "5 [c] h::i i", "7 j::k k"];
        assert_eq!(imports(text), expected);
    }

    #[test]
    fn paths_in_code_are_read() {
        let text = "fn a(b: crate::C) -> D { e.f(super::g::h(1)); ::i::j(); k::<l::M>() }";
        let references = References::read(&code(text));
        let paths: Vec<_> = references.mentions.iter().map(|mention| mention.path.join("::")).collect();
        assert_eq!(paths, ["crate::C", "super::g::h", "l::M"]);
        assert_eq!(references.identifiers.get("C"), Some(&1));
    }

    #[test]
    fn a_file_that_declares_and_imports_only_has_no_code() {
        let has_code = |text| References::read(&code(text)).has_code;
        assert!(!has_code(
            "//! Text.\n#![doc = \"x\"]\nmod a;\n#[cfg(test)]\npub mod b;\npub(crate) use a::{C, D};\n"
        ));
        assert!(has_code("mod a;\npub type B = a::C;\n"));
        assert!(has_code("mod a { use b::C; }\n"));
    }
}
