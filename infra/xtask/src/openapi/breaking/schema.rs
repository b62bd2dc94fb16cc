//! The comparison of two JSON Schemas.
use std::collections::BTreeSet;

use serde_json::Value;

use super::{Comparison, Direction, list, members, text};

/// The bounds of which a larger value accepts more.
const UPPER: [&str; 3] = ["maxLength", "maximum", "maxItems"];
/// The bounds of which a smaller value accepts more.
const LOWER: [&str; 3] = ["minLength", "minimum", "minItems"];

impl Comparison<'_> {
    /// Reports the changes that break a client at this place of a request or an answer.
    pub(super) fn schema(&mut self, place: &str, old: &Value, new: &Value, direction: Direction) {
        let pair = format!("{place}\n{old}\n{new}");
        if old.is_null() || !self.seen.insert(pair) {
            return;
        }
        let (old, new) = (resolved(old, self.old), resolved(new, self.new));
        let (old, new) = (&old, &new);
        self.types(place, old, new, direction);
        self.values(place, old, new, direction);
        if direction == Direction::Request {
            self.bounds(place, old, new);
        }
        self.properties(place, old, new, direction);
        if old.get("items").is_some() {
            self.schema(&format!("{place}[]"), &old["items"], &new["items"], direction);
        }
        self.alternatives(place, old, new, direction);
    }

    fn types(&mut self, place: &str, old: &Value, new: &Value, direction: Direction) {
        let types = |schema: &Value| -> BTreeSet<String> {
            match &schema["type"] {
                Value::Array(types) => types.iter().map(text).collect(),
                Value::String(one) => BTreeSet::from([one.clone()]),
                _ => BTreeSet::new(),
            }
        };
        let (old, new) = (types(old), types(new));
        let lost: Vec<_> = match direction {
            Direction::Request if !new.is_empty() => old.difference(&new).cloned().collect(),
            Direction::Response if !old.is_empty() => new.difference(&old).cloned().collect(),
            _ => return,
        };
        let verb =
            if direction == Direction::Request { "is not accepted any more" } else { "is possible now" };
        for kind in lost {
            self.report(format!("{place}: the type {kind} {verb}"));
        }
    }

    /// Compares closed sets. Codes of problems that are gone break clients that wait for them, although they
    /// only read them.
    fn values(&mut self, place: &str, old: &Value, new: &Value, direction: Direction) {
        let (Some(before), Some(after)) = (old["enum"].as_array(), new["enum"].as_array()) else {
            if direction == Direction::Request && old.get("enum").is_none() && new.get("enum").is_some() {
                self.report(format!("{place}: only {} is accepted now", new["enum"]));
            }
            if old.get("const").is_some() && old["const"] != new["const"] {
                self.report(format!("{place}: it was {} and is {}", old["const"], new["const"]));
            }
            return;
        };
        for value in before.iter().filter(|value| !after.contains(value)) {
            self.report(format!("{place}: the value {value} is gone"));
        }
        if direction == Direction::Response && !place.ends_with("field code") {
            for value in after.iter().filter(|value| !before.contains(value)) {
                self.report(format!("{place}: the value {value} is new, and no client knows it"));
            }
        }
    }

    fn bounds(&mut self, place: &str, old: &Value, new: &Value) {
        let narrower =
            UPPER.iter().map(|bound| (bound, true)).chain(LOWER.iter().map(|bound| (bound, false)));
        for (bound, is_upper) in narrower {
            let (before, after) = (old[*bound].as_f64(), new[*bound].as_f64());
            let is_narrower = match (before, after) {
                (None, Some(_)) => true,
                (Some(before), Some(after)) => {
                    if is_upper {
                        after < before
                    } else {
                        after > before
                    }
                }
                (_, None) => false,
            };
            if is_narrower {
                self.report(format!("{place}: {bound} was {} and is {}", old[*bound], new[*bound]));
            }
        }
        if new.get("pattern").is_some() && old["pattern"] != new["pattern"] {
            self.report(format!("{place}: pattern was {} and is {}", old["pattern"], new["pattern"]));
        }
    }

    fn properties(&mut self, place: &str, old: &Value, new: &Value, direction: Direction) {
        let required = |schema: &Value, name: &str| list(&schema["required"]).iter().any(|one| one == name);
        for (name, property) in members(&old["properties"]) {
            let place = format!("{place}, field {name}");
            let Some(other) = new["properties"].get(name) else {
                self.report(format!("{place}: it is gone"));
                continue;
            };
            match direction {
                Direction::Request if required(new, name) && !required(old, name) => {
                    self.report(format!("{place}: it is required now"));
                }
                Direction::Response if required(old, name) && !required(new, name) => {
                    self.report(format!("{place}: it is not always there any more"));
                }
                _ => {}
            }
            self.schema(&place, property, other, direction);
        }
        for (name, _) in members(&new["properties"]) {
            let is_new = old["properties"].get(name).is_none();
            if direction == Direction::Request && is_new && required(new, name) {
                self.report(format!("{place}, field {name}: it is new and required"));
            }
        }
    }

    /// Compares combined schemas by their names, or by their places if they have none.
    fn alternatives(&mut self, place: &str, old: &Value, new: &Value, direction: Direction) {
        for key in ["oneOf", "anyOf", "allOf"] {
            let (before, after) = (list(&old[key]), list(&new[key]));
            for (n, schema) in before.iter().enumerate() {
                let named = |other: &&Value| !schema["$ref"].is_null() && other["$ref"] == schema["$ref"];
                let other = after.iter().find(named).or_else(|| after.get(n));
                match other {
                    Some(other) if schema["$ref"] == other["$ref"] => {
                        let name = text(&schema["$ref"]).rsplit('/').next().unwrap_or_default().to_owned();
                        self.schema(&format!("{place} {name}"), schema, other, direction);
                    }
                    _ if key != "allOf" => self.report(format!("{place}: {schema} is gone")),
                    _ => {}
                }
            }
        }
    }
}

/// Returns a schema with the one that it refers to.
fn resolved(schema: &Value, document: &Value) -> Value {
    let Some(pointer) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) else {
        return schema.clone();
    };
    let mut whole = document.pointer(pointer).cloned().unwrap_or_default();
    for (key, value) in members(schema).filter(|(key, _)| *key != "$ref") {
        merge(&mut whole, key, value);
    }
    whole
}

/// Adds a keyword beside `$ref`: properties and required names in addition to those referred to.
fn merge(whole: &mut Value, key: &str, value: &Value) {
    match (key, value) {
        ("properties", Value::Object(properties)) => {
            for (name, property) in properties {
                whole["properties"][name] = property.clone();
            }
        }
        ("required", Value::Array(names)) => {
            let all = list(&whole["required"]).iter().chain(names).cloned().collect();
            whole["required"] = Value::Array(all);
        }
        _ => whole[key] = value.clone(),
    }
}
