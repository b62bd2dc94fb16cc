//! Reads of objects within a body.

use messenger_core::{Error, Result, error::Problem};

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
