//! Parsing of bodies and queries into domain values. Every wrong field is named, not only the first.

mod body;
mod misspelt;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::extract::{self, FromRequestParts};
use http::request::Parts;
use messenger_core::{Error, Result, error::Problem, json, name};
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};

use crate::ApiError;

/// Largest body of a request that has a token, a name, or little more.
pub const SMALL_BODY_MAX: usize = 16 << 10;
pub use body::{JsonBody, check_content_encoding};

/// The fields of a request while they are parsed. Call [`finish`](Self::finish) last: it reports all wrong
/// fields.
#[derive(Debug)]
pub struct Fields {
    values: BTreeMap<String, RawField>,
    read: BTreeSet<&'static str>,
    problems: Vec<Problem>,
    prefix: &'static str,
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
        Ok(Self::new(values.map(|(name, raw)| (name, RawField::Json(raw))).collect(), "/"))
    }

    /// Returns the parameters of a query. Of several with one name the last counts.
    pub fn from_query(query: Option<&str>) -> Self {
        Self::new(pairs(query).map(|(name, value)| (name, RawField::Text(value))).collect(), "?")
    }

    fn new(values: BTreeMap<String, RawField>, prefix: &'static str) -> Self {
        Self { values, read: BTreeSet::new(), problems: Vec::new(), prefix }
    }

    /// Returns a required text, which must not be blank.
    pub fn required_text(&mut self, name: &'static str, most: usize) -> String {
        let text = self.optional_text(name, most);
        self.required(name, most, text)
    }

    /// Returns an optional text; `None` if it is missing or `null`. Half of a surrogate pair in it reads as
    /// U+FFFD.
    pub fn optional_text(&mut self, name: &'static str, most: usize) -> Option<String> {
        let text = self.text(name)?;
        self.within(name, most, text)
    }

    /// Returns a required name in its normal form ([`name::normal`]).
    pub fn required_name(&mut self, name: &'static str, most: usize) -> String {
        let text = self.name(name, most);
        self.required(name, most, text)
    }

    /// Returns an optional name in its normal form ([`name::normal`]); `None` if it is missing, `null` or
    /// blank.
    pub fn optional_name(&mut self, name: &'static str, most: usize) -> Option<String> {
        self.name(name, most).filter(|text| !name::is_blank(text))
    }

    /// Refuses half of a surrogate pair in a user id: with U+FFFD it would name another user, or none.
    pub fn refuse_half(&mut self, name: &'static str) {
        if self.json(name).is_some_and(json::has_half) {
            self.wrong(name, "has half of a character in it (of a surrogate pair): send the whole id");
        }
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

    fn within(&mut self, name: &'static str, most: usize, text: String) -> Option<String> {
        let problem = match text.chars().count() {
            _ if text.contains('\0') => "must not contain the character U+0000".to_owned(),
            length if length > most => format!("must have at most {most} characters, has {length}"),
            _ => return Some(text),
        };
        self.wrong(name, &problem);
        None
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
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

    /// Returns a whole number of a body. `42`, `42.0` and `4.2e1` are the same number. `expected` describes
    /// the field in a problem, as in "a whole number".
    pub fn whole(&mut self, name: &'static str, expected: &str) -> Option<i64> {
        self.read.insert(name);
        let number = json::whole(self.json(name)?.get());
        if number.is_none() {
            self.wrong(name, &format!("must be {expected}"));
        }
        number
    }

    /// Returns a whole number of a query, or the default.
    pub fn number(&mut self, name: &'static str, default: i64, least: i64, most: i64) -> i64 {
        match self.value(name) {
            Some(Value::String(text)) => match text.parse() {
                Ok(number) if (least..=most).contains(&number) => number,
                _ => {
                    self.wrong(name, &format!("must be a whole number from {least} to {most}, is `{text}`"));
                    default
                }
            },
            _ => default,
        }
    }

    /// Returns seconds of a query, which are a decimal number, or the default.
    pub fn seconds(&mut self, name: &'static str, default: u32, most: u32) -> Duration {
        let Some(Value::String(text)) = self.value(name) else { return Duration::from_secs(default.into()) };
        match text.parse::<f64>() {
            Ok(seconds) if (0.0..=f64::from(most)).contains(&seconds) => Duration::from_secs_f64(seconds),
            _ => {
                self.wrong(name, &format!("must be a number of seconds from 0 to {most}, is `{text}`"));
                Duration::ZERO
            }
        }
    }

    /// Returns any value; `None` if it is missing or `null`.
    pub fn value(&mut self, name: &'static str) -> Option<Value> {
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

    /// Fails if any field was wrong. Returns the names of the fields that were not read.
    pub fn finish(self) -> Result<Vec<String>> {
        if self.problems.is_empty() {
            Ok(self.values.into_keys().filter(|name| !self.read.contains(name.as_str())).collect())
        } else {
            Err(Error::Invalid(self.problems))
        }
    }

    fn pointer(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
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
