//! Reads of objects within a body.

use messenger_core::{Error, Result, error::Problem};
use serde_json::{json, value::RawValue};

use super::{Fields, RawField, Source, body};

impl Fields {
    /// Returns an object of a body, read by its own parser; `None` if it is missing or wrong. The problems of
    /// its fields are named by their whole path.
    pub fn required_object<T>(
        &mut self,
        name: &'static str,
        parser: impl FnOnce(Self) -> Result<T>,
    ) -> Option<T> {
        if self.notes.is_some() {
            let notes = Self::describe(Source::Body, parser);
            self.note_required(name, || notes.object());
            return None;
        }
        self.read.insert(name);
        if self.json(name).is_none() {
            self.wrong(name, "is required: a JSON object");
        }
        self.object(name, parser)
    }

    /// Returns an object of a body, read by its own parser; `None` if it is missing, `null` or wrong. The
    /// problems of its fields are named by their whole path.
    pub fn optional_object<T>(
        &mut self,
        name: &'static str,
        parser: impl FnOnce(Self) -> Result<T>,
    ) -> Option<T> {
        if self.notes.is_some() {
            let notes = Self::describe(Source::Body, parser);
            self.note_optional(name, || notes.object());
            return None;
        }
        self.read.insert(name);
        self.object(name, parser)
    }

    /// Returns the objects of a required list, each read by its own parser. A wrong object does not fail the
    /// others. `what` is what they are, as in "notifications".
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        what: &str,
        most: usize,
        parser: impl Fn(Self) -> Result<T>,
    ) -> Vec<Result<T>> {
        if self.notes.is_some() {
            let items = Self::describe(Source::Body, parser).object();
            let list = json!({ "type": "array", "minItems": 1, "maxItems": most, "items": items });
            self.note_required(name, || list);
            return Vec::new();
        }
        self.read.insert(name);
        let list = self.json(name).map(|raw| serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()));
        let problem = match list {
            Some(Ok(list)) if (1..=most).contains(&list.len()) => {
                return list.iter().map(|raw| parser(Self::from_json(raw.get().as_bytes())?)).collect();
            }
            Some(Ok(list)) => format!("must have 1 to {most} {what}, has {}", list.len()),
            Some(Err(_)) => format!("must be a list of {what}"),
            None => format!("is required: a list of {what}"),
        };
        self.wrong(name, &problem);
        Vec::new()
    }

    /// Returns an object of a body; `None` if it is missing, `null` or wrong.
    fn object<T>(&mut self, name: &'static str, parser: impl FnOnce(Self) -> Result<T>) -> Option<T> {
        let raw = self.json(name)?;
        let Ok(members) = body::members(raw.get().as_bytes(), None) else {
            self.wrong(name, "must be a JSON object");
            return None;
        };
        let values = members.into_iter().map(|(name, raw)| (name, RawField::Json(raw))).collect();
        match parser(Self::new(values, Source::Body)) {
            Ok(object) => return Some(object),
            Err(Error::Invalid(problems)) => {
                let nested = problems.into_iter().map(|problem| {
                    let Problem { pointer, code, message } = problem;
                    Problem { pointer: format!("/{name}{pointer}"), code, message }
                });
                self.problems.extend(nested);
            }
            Err(_) => self.wrong(name, "cannot be read"),
        }
        None
    }
}
