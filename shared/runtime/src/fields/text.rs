//! Reads of texts, names and ids.

use messenger_core::{json, name, notification::EntityId};
use serde_json::{Value, json, value::RawValue};

use super::{Fields, RawField};

/// A text without U+0000.
const TEXT: &str = r"^[^\u0000]*$";
/// A text without U+0000 that is not blank.
const NOT_BLANK: &str = r"^[^\u0000]*[^\s\u0000][^\u0000]*$";

impl Fields {
    /// Returns a required text, which must not be blank.
    pub fn required_text(&mut self, name: &'static str, most: usize) -> String {
        if self.note_required(name, || not_blank(most)) {
            return String::new();
        }
        let text = self.text_within(name, most);
        self.required(name, most, text)
    }

    /// Returns a text that other fields make necessary, which must not be blank then; `None` if it is missing,
    /// `null` or blank while it is not needed.
    pub fn text_if_needed(&mut self, name: &'static str, most: usize, is_needed: bool) -> Option<String> {
        if self.note_optional(name, || text(most)) {
            return None;
        }
        let text = self.text_within(name, most);
        self.if_needed(name, most, text, is_needed)
    }

    /// Returns the same for a name, in its normal form ([`name::normal`]).
    pub fn name_if_needed(&mut self, name: &'static str, most: usize, is_needed: bool) -> Option<String> {
        if self.note_optional(name, || text(most)) {
            return None;
        }
        let text = self.name(name, most);
        self.if_needed(name, most, text, is_needed)
    }

    /// Returns an optional text; `None` if it is missing or `null`. Half of a surrogate pair in it reads as
    /// U+FFFD.
    pub fn optional_text(&mut self, name: &'static str, most: usize) -> Option<String> {
        if self.note_optional(name, || text(most)) {
            return None;
        }
        self.text_within(name, most)
    }

    /// Returns a required field that is text or `null`; `None` for `null`.
    pub fn text_or_null(&mut self, name: &'static str, most: usize) -> Option<String> {
        let schema = || {
            let mut schema = not_blank(most);
            schema["type"] = json!(["string", "null"]);
            schema
        };
        if self.note_required(name, schema) {
            return None;
        }
        if !self.values.contains_key(name) {
            self.wrong(name, &format!("is required: text of 1 to {most} characters, or null"));
        }
        self.text_within(name, most)
    }

    /// Returns a required name in its normal form ([`name::normal`]).
    pub fn required_name(&mut self, name: &'static str, most: usize) -> String {
        if self.note_required(name, || not_blank(most)) {
            return String::new();
        }
        let text = self.name(name, most);
        self.required(name, most, text)
    }

    /// Returns an optional name in its normal form ([`name::normal`]); `None` if it is missing, `null` or
    /// blank.
    pub fn optional_name(&mut self, name: &'static str, most: usize) -> Option<String> {
        if self.note_optional(name, || text(most)) {
            return None;
        }
        self.name(name, most).filter(|text| !name::is_blank(text))
    }

    /// Returns an optional id of an entity: a whole number, or a name of at most `most` characters.
    pub fn entity_id(&mut self, name: &'static str, most: usize) -> Option<EntityId> {
        let schema = || {
            let mut schema = text(most);
            schema["type"] = json!(["integer", "string"]);
            schema["format"] = json!("int64");
            schema
        };
        if self.note_optional(name, schema) {
            return None;
        }
        match self.value(name)? {
            Value::String(_) => {
                self.name(name, most).filter(|text| !name::is_blank(text)).map(EntityId::Text)
            }
            _ => self.whole_as(name, "a whole number of at most 64 bits, or text").map(EntityId::Number),
        }
    }

    /// Returns a list of user ids in their normal form; an empty one if it is missing or `null`.
    pub fn user_ids(&mut self, name: &'static str, most: usize, longest: usize) -> Vec<String> {
        let schema = || json!({ "type": "array", "maxItems": most, "items": not_blank(longest) });
        if self.note_optional(name, schema) {
            return Vec::new();
        }
        let list = match self.value(name) {
            None => return Vec::new(),
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.wrong(name, "must be a list of user ids");
                return Vec::new();
            }
        };
        if list.len() > most {
            self.wrong(name, &format!("must name at most {most} users"));
            return Vec::new();
        }
        let mut users = Vec::with_capacity(list.len());
        for (n, user) in list.into_iter().enumerate() {
            match user {
                // U+FFFD stands for half of a surrogate pair: the id would be that of another user, or of none.
                Value::String(user)
                    if !name::is_blank(&user)
                        && user.chars().count() <= longest
                        && !user.contains(['\0', '\u{fffd}']) =>
                {
                    users.push(name::normal(&user).into_owned());
                }
                _ => self.wrong(&format!("{name}/{n}"), "must be the id of a user"),
            }
        }
        users
    }

    /// Refuses half of a surrogate pair in a user id: with U+FFFD it would name another user, or none.
    pub fn refuse_half(&mut self, name: &'static str) {
        if self.json(name).is_some_and(json::has_half) {
            self.wrong(name, "has half of a character in it (of a surrogate pair): send the whole id");
        }
    }

    fn text_within(&mut self, name: &'static str, most: usize) -> Option<String> {
        let text = self.text(name)?;
        self.within(name, most, text)
    }

    fn name(&mut self, name: &'static str, most: usize) -> Option<String> {
        let text = name::normal(&self.text(name)?).into_owned();
        self.within(name, most, text)
    }

    fn required(&mut self, name: &'static str, most: usize, text: Option<String>) -> String {
        match text {
            Some(text) if name::is_blank(&text) => self.wrong(name, "must not be blank"),
            Some(text) => return text,
            None => self.wrong(name, &format!("is required: text of 1 to {most} characters")),
        }
        String::new()
    }

    fn if_needed(
        &mut self,
        name: &'static str,
        most: usize,
        text: Option<String>,
        is_needed: bool,
    ) -> Option<String> {
        if is_needed && !self.is_wrong(name) {
            return Some(self.required(name, most, text));
        }
        text.filter(|text| !name::is_blank(text))
    }

    pub(super) fn within(&mut self, name: &'static str, most: usize, text: String) -> Option<String> {
        let problem = match text.chars().count() {
            _ if text.contains('\0') => "must not contain the character U+0000".to_owned(),
            length if length > most => format!("must have at most {most} characters, has {length}"),
            _ => return Some(text),
        };
        self.wrong(name, &problem);
        None
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.read.insert(name);
        let problem = match self.values.get(name)? {
            RawField::Text(text) => return Some(text.clone()),
            RawField::Json(raw) => match (json::text(raw), kind(raw)) {
                (Some(text), _) => return Some(text),
                (None, "null") => return None,
                (None, kind) => format!("must be text, is {kind}"),
            },
        };
        self.wrong(name, &problem);
        None
    }
}

fn text(most: usize) -> Value {
    json!({ "type": "string", "maxLength": most, "pattern": TEXT })
}

fn not_blank(most: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": most, "pattern": NOT_BLANK })
}

fn kind(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "a boolean",
        Some(b'"') => "text",
        Some(b'[') => "a list",
        Some(b'{') => "an object",
        _ => "a number",
    }
}
