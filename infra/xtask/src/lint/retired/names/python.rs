//! Names that Python code defines: functions, classes, and attributes in the body of a class.
use super::Definition;

/// Returns each definition with its line.
pub(super) fn definitions(text: &str) -> Vec<Definition<'_>> {
    let mut definitions = Vec::new();
    // The blocks around a line: their indentation, and whether they are classes.
    let mut blocks: Vec<(usize, bool)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if code.is_empty() || code.starts_with('#') {
            continue;
        }
        let indentation = line.len() - code.len();
        while blocks.last().is_some_and(|(block, _)| *block >= indentation) {
            blocks.pop();
        }
        let (name, after) = word(code.trim_start_matches("async ").trim_start());
        let is_keyword = name == "class" || name == "def";
        if is_keyword {
            definitions.push((number + 1, word(after.trim_start()).0));
        } else if blocks.last().is_some_and(|(_, is_class)| *is_class)
            && after.trim_start().starts_with([':', '='])
        {
            definitions.push((number + 1, name));
        }
        blocks.push((indentation, name == "class"));
    }
    definitions
}

/// Splits off the word with which the text begins.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|next: char| !(next.is_alphanumeric() || next == '_')).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_classes_and_their_attributes_are_definitions() {
        let text = "class A:\n    \"\"\"Text.\"\"\"\n\n    b: int\n    c = 1\n\n    async def d(self, e: int) -> None:\n        \
                    f: int = 1\n        self.g = f\n\n    h: str\ndef i() -> int:\n    j: int = 1\n# def k\nl = 1\n";
        let names: Vec<_> = definitions(text).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["A", "b", "c", "d", "h", "i"]);
    }
}
