//! Parsing of bodies and queries into domain values. Every wrong field is named, not only the first.
//!
//! A parser also describes itself: on [`Fields`] in describing mode each read notes the name, the kind and
//! the bounds of its field, and returns its default. A parser must therefore reach all of its reads, whatever
//! they return.

mod body;
mod choice;
mod misspelt;
mod notes;
mod number;
mod object;
pub mod target;
mod text;
mod time;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{self, FromRequestParts};
use http::request::Parts;
use messenger_core::{Error, Result, error::Problem, json};
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};

use crate::ApiError;

/// Largest body of a request that has a token, a name, or little more.
pub const SMALL_BODY_MAX: usize = 16 << 10;
pub use body::{JsonBody, OptionalJsonBody, check_content_encoding};
pub use misspelt::{misspelling_of, near_misses};
pub(crate) use notes::{Note, Notes};

/// The fields of a request while they are parsed. Call [`finish`](Self::finish) last: it reports all wrong
/// fields.
#[derive(Debug)]
pub struct Fields {
    values: BTreeMap<String, RawField>,
    read: BTreeSet<&'static str>,
    problems: Vec<Problem>,
    source: Source,
    /// The notes of the reads; `None` unless the parser is described.
    notes: Option<Notes>,
}

/// The part of a request that fields come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Members of a JSON object.
    Body,
    /// Parameters of a query.
    Query,
}

/// An unparsed value. Unknown fields are never parsed, so they may hold any JSON.
#[derive(Debug)]
enum RawField {
    /// A parameter of a query.
    Text(String),
    /// A field of a body.
    Json(Box<RawValue>),
}

/// The parameters of a path. A path that is not UTF-8 names nothing: 404.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match extract::Path::from_request_parts(parts, state).await {
            Ok(extract::Path(named)) => Ok(Self(named)),
            Err(_) => Err(Error::NotFound("what the path names").into()),
        }
    }
}

impl Fields {
    /// Returns the fields of a JSON object.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        Self::from_body(bytes, None)
    }

    fn from_body(bytes: &[u8], charset: Option<&str>) -> Result<Self> {
        let values = body::members(bytes, charset)?.into_iter();
        Ok(Self::new(values.map(|(name, raw)| (name, RawField::Json(raw))).collect(), Source::Body))
    }

    /// Returns the parameters of a query. Of several with one name the last counts.
    pub fn from_query(query: Option<&str>) -> Self {
        Self::new(pairs(query).map(|(name, value)| (name, RawField::Text(value))).collect(), Source::Query)
    }

    fn new(values: BTreeMap<String, RawField>, source: Source) -> Self {
        Self { values, read: BTreeSet::new(), problems: Vec::new(), source, notes: None }
    }

    /// Runs a parser in describing mode. Returns the notes of its reads.
    pub(crate) fn describe<T>(source: Source, parser: impl FnOnce(Self) -> T) -> Notes {
        let notes = Notes::default();
        parser(Self { notes: Some(notes.clone()), ..Self::new(BTreeMap::new(), source) });
        notes
    }

    /// Returns any value; `None` if it is missing or `null`.
    fn value(&mut self, name: &'static str) -> Option<Value> {
        self.read.insert(name);
        match self.values.get(name)? {
            RawField::Text(text) => Some(Value::String(text.clone())),
            RawField::Json(raw) => Some(raw).filter(|raw| raw.get() != "null").map(|raw| json::value(raw)),
        }
    }

    /// Returns the JSON of a field of a body; `None` if it is missing or `null`.
    fn json(&self, name: &str) -> Option<&RawValue> {
        match self.values.get(name)? {
            RawField::Json(raw) => Some(&**raw).filter(|raw| raw.get() != "null"),
            RawField::Text(_) => None,
        }
    }

    /// Records a problem of a field.
    pub fn wrong(&mut self, name: &str, message: &str) {
        self.wrong_as(name, Problem::INVALID, message);
    }

    /// Records a problem of a field with a code of its own. Only the first problem of each field is kept.
    pub fn wrong_as(&mut self, name: &str, code: &'static str, message: &str) {
        let pointer = self.pointer(name);
        if self.problems.iter().all(|problem| problem.pointer != pointer) {
            self.problems.push(Problem::new(pointer, message).coded(code));
        }
    }

    /// Returns whether a field, or a part of it, was wrong.
    pub fn is_wrong(&self, name: &str) -> bool {
        let pointer = self.pointer(name);
        let mut places = self.problems.iter().filter_map(|problem| problem.pointer.strip_prefix(&pointer));
        places.any(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Fails if any field was wrong. Returns the names of the fields that were not read.
    pub fn finish(self) -> Result<Vec<String>> {
        if self.problems.is_empty() || self.notes.is_some() {
            Ok(self.values.into_keys().filter(|name| !self.read.contains(name.as_str())).collect())
        } else {
            Err(Error::Invalid(self.problems))
        }
    }

    fn pointer(&self, name: &str) -> String {
        match self.source {
            Source::Body => format!("/{name}"),
            Source::Query => format!("?{name}"),
        }
    }
}

/// Returns one parameter of a query, decoded. Of several the last one counts; empty ones count as absent.
pub fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    query_value_where(query, |parameter| parameter == name)
}

/// Returns the same for a parameter that has several names.
pub fn query_value_where(query: Option<&str>, is_name: impl Fn(&str) -> bool) -> Option<String> {
    pairs(query).filter(|(name, value)| is_name(name) && !value.is_empty()).last().map(|(_, value)| value)
}

fn pairs(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned()
}
