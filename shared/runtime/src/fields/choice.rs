//! Reads of values of a closed set.

use serde_json::{Value, json};

use super::{Fields, Source};

/// Longest text that is compared with the choices, in characters.
const CHOICE_MAX: usize = 100;

impl Fields {
    /// Returns one of these texts; `None` if the field is missing or `null`, or empty in a query. Any other
    /// text is a problem with this code.
    pub fn one_of(
        &mut self,
        name: &'static str,
        choices: &[&'static str],
        code: &'static str,
    ) -> Option<&'static str> {
        if self.note_optional(name, || json!({ "type": "string", "enum": choices })) {
            return None;
        }
        let text = self.text(name)?;
        let text = self.within(name, CHOICE_MAX, text)?;
        if text.is_empty() && self.source == Source::Query {
            return None;
        }
        let known = choices.iter().copied().find(|known| *known == text);
        if known.is_none() {
            self.wrong_as(name, code, &format!("must be {}, is `{text}`", alternatives(choices)));
        }
        known
    }

    /// Returns true or false; `None` if it is missing, empty or `null`. In a query it is a word.
    pub fn optional_flag(&mut self, name: &'static str) -> Option<bool> {
        if self.note_optional(name, || json!({ "type": "boolean" })) {
            return None;
        }
        let problem = match self.value(name)? {
            Value::Bool(flag) => return Some(flag),
            Value::String(text) => match text.trim() {
                "" => return None,
                "true" => return Some(true),
                "false" => return Some(false),
                other => format!("must be `true` or `false`, is `{}`", shown(other)),
            },
            _ => "must be true or false".to_owned(),
        };
        self.wrong(name, &problem);
        None
    }

    /// Returns true or false, which is required.
    pub fn required_flag(&mut self, name: &'static str) -> bool {
        if self.note_required(name, || json!({ "type": "boolean" })) {
            return false;
        }
        let problem = match self.value(name) {
            Some(Value::Bool(flag)) => return flag,
            Some(_) => "must be true or false",
            None => "is required: true or false",
        };
        self.wrong(name, problem);
        false
    }
}

/// Returns the beginning of a text, for a problem.
fn shown(text: &str) -> String {
    text.chars().take(CHOICE_MAX).collect()
}

/// Returns the choices as a part of a sentence.
pub(super) fn alternatives(choices: &[&str]) -> String {
    let quoted: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
