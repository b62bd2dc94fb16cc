//! The describing mode of [`Fields`]: the notes of a parser's reads, as JSON Schema.

use std::sync::{Arc, Mutex};

use messenger_core::lock;
use serde_json::{Map, Value};

use super::{Fields, Source};

/// The notes of the reads of one parser. Clones are the same notes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    fields: Vec<Note>,
    rules: Vec<Value>,
}

/// The note of one read.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    /// The name of the field.
    pub(crate) name: &'static str,
    /// Whether the field must be there.
    pub(crate) is_required: bool,
    /// The kind and the bounds of the field.
    pub(crate) schema: Value,
}

impl Notes {
    /// Returns the notes in the order of the reads.
    pub(crate) fn fields(&self) -> Vec<Note> {
        lock(&self.0).fields.clone()
    }

    /// Returns the JSON Schema of an object with these fields. Other fields are allowed, since they are
    /// ignored.
    pub(crate) fn object(&self) -> Value {
        let noted = lock(&self.0);
        let required = noted.fields.iter().filter(|note| note.is_required).map(|note| note.name.into());
        let properties = noted.fields.iter().map(|note| (note.name.to_owned(), note.schema.clone()));
        let mut schema = Map::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), Value::Object(properties.collect()));
        let required: Vec<Value> = required.collect();
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        if !noted.rules.is_empty() {
            schema.insert("allOf".to_owned(), noted.rules.clone().into());
        }
        Value::Object(schema)
    }
}

impl Fields {
    /// Adds a rule between fields, which the parser checks itself, to the description: a JSON Schema of the
    /// whole object.
    pub fn describe_rule(&self, rule: impl FnOnce() -> Value) {
        if let Some(notes) = &self.notes {
            lock(&notes.0).rules.push(rule());
        }
    }

    /// Notes a read of a required field. Returns whether the parser is only described.
    pub(super) fn note_required(&self, name: &'static str, schema: impl FnOnce() -> Value) -> bool {
        self.note(name, true, schema)
    }

    /// Notes a read of an optional field. Returns whether the parser is only described. In a body, `null`
    /// counts as absent.
    pub(super) fn note_optional(&self, name: &'static str, schema: impl FnOnce() -> Value) -> bool {
        let source = self.source;
        self.note(name, false, || if source == Source::Body { or_null(schema()) } else { schema() })
    }

    fn note(&self, name: &'static str, is_required: bool, schema: impl FnOnce() -> Value) -> bool {
        let Some(notes) = &self.notes else { return false };
        lock(&notes.0).fields.push(Note { name, is_required, schema: schema() });
        true
    }
}

/// Returns a schema that allows `null`, too.
fn or_null(mut schema: Value) -> Value {
    match schema.get_mut("type") {
        Some(Value::Array(types)) => types.push("null".into()),
        Some(one) => *one = Value::Array(vec![one.take(), "null".into()]),
        None => {}
    }
    if let Some(Value::Array(choices)) = schema.get_mut("enum") {
        choices.push(Value::Null);
    }
    schema
}
