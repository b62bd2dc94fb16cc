//! Names that Rust code defines: types, functions, modules, constants, and fields of structs and variants.
use super::Definition;
use crate::lint::rust::Token;

const KEYWORDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "mod", "const", "static"];

/// Returns each definition with its line.
pub(super) fn definitions<'a>(tokens: &[Token<'a>]) -> Vec<Definition<'a>> {
    let tokens: Vec<_> = tokens.iter().filter(|token| !token.is_comment()).copied().collect();
    let mut definitions = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let [keyword, name] = pair else { continue };
        let is_definition = KEYWORDS.contains(&keyword.text) && name.is_identifier();
        if !is_definition || KEYWORDS.contains(&name.text) {
            continue;
        }
        definitions.push((name.line, name.text.trim_start_matches("r#")));
        match keyword.text {
            "struct" => definitions.extend(fields(&tokens[at + 2..], 1)),
            "enum" => definitions.extend(fields(&tokens[at + 2..], 2)),
            _ => {}
        }
    }
    definitions
}

/// Returns the fields of the type whose name stands before these tokens. They stand in braces of this depth.
fn fields<'a>(tokens: &[Token<'a>], depth: usize) -> Vec<Definition<'a>> {
    let mut fields = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" | "(" | "[" => open.push(token.text),
            ";" if open.is_empty() => return fields,
            "}" | ")" | "]" => {
                open.pop();
                if open.is_empty() && token.text == "}" {
                    return fields;
                }
            }
            ":" if open.len() == depth && open.iter().all(|bracket| *bracket == "{") && at > 1 => {
                let (name, before) = (tokens[at - 1], tokens[at - 2].text);
                if name.is_identifier() && ["{", ",", "pub", ")", "]"].contains(&before) {
                    fields.push((name.line, name.text.trim_start_matches("r#")));
                }
            }
            _ => {}
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::rust::tokens;

    fn names(text: &str) -> Vec<&str> {
        definitions(&tokens(text)).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn items_are_definitions() {
        let text = "pub mod a;\npub(crate) const fn b<C>(d: E) -> F { let g = 1; h(i) }\ntrait J { type K; fn l(&self); }\n\
                    static M: N = 1;\nconst O: P = 1;\ntype Q = R;\nuse s::t as u;\n";
        assert_eq!(names(text), ["a", "b", "J", "K", "l", "M", "O", "Q"]);
    }

    #[test]
    fn fields_of_structs_and_variants_are_definitions() {
        let text = "struct A<T> where T: B {\n    #[serde(default)]\n    pub(crate) c: D<E>,\n    pub f: fn(g: H),\n    r#i: J,\n}\n\
                    struct K(L);\nstruct M;\nenum N {\n    O,\n    P { q: R },\n    S(T),\n}\nfn u() { V { w: 1 }; }\n";
        assert_eq!(names(text), ["A", "c", "f", "i", "K", "M", "N", "q", "u"]);
    }
}
