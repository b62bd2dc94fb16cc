//! Bodies and queries become domain values. Every wrong field is named, not only the first.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    body::Bytes,
    extract::{self, FromRequest, FromRequestParts, Request},
};
use http::{StatusCode, header::CONTENT_TYPE, request::Parts};
use messenger_core::{Error, Result, error::Problem};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Failed;

/// Largest body of a request that says a token, a name, or little more.
pub const SMALL_BODY_MAX: usize = 16 << 10;

/// The fields of a request, being read. Ends with [`finish`](Self::finish), which reports everything that was wrong.
#[derive(Debug)]
pub struct Fields {
    values: Map<String, Value>,
    read: BTreeSet<&'static str>,
    problems: Vec<Problem>,
    prefix: &'static str,
}

/// A JSON object as body.
pub struct JsonBody {
    /// Its fields.
    pub fields: Fields,
    /// Its bytes, as they came.
    pub bytes: Bytes,
}

/// The parts of a path that say which one. What is no UTF-8 is none of ours: 404.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        match extract::Path::from_request_parts(parts, state).await {
            Ok(extract::Path(named)) => Ok(Self(named)),
            Err(_) => Err(Error::NotFound("what the path names").into()),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = axum::response::Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        use axum::response::IntoResponse as _;
        let is_json = request.headers().get(CONTENT_TYPE).is_none_or(|kind| {
            let kind = kind.to_str().unwrap_or_default().to_ascii_lowercase();
            let essence = kind.split(';').next().unwrap_or_default().trim().to_owned();
            essence == "application/json" || essence.ends_with("+json")
        });
        if !is_json {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response());
        }
        let bytes =
            Bytes::from_request(request, state).await.map_err(axum::response::IntoResponse::into_response)?;
        let fields = Fields::from_json(&bytes).map_err(|error| Failed::from(error).into_response())?;
        Ok(Self { fields, bytes })
    }
}

impl Fields {
    /// The fields of a JSON object.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let invalid = |message: String| Error::Invalid(vec![Problem::new("", message).coded("invalid_json")]);
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(values)) => {
                Ok(Self { values, read: BTreeSet::new(), problems: Vec::new(), prefix: "/" })
            }
            Ok(_) => Err(invalid("the body must be a JSON object".to_owned())),
            Err(error) => Err(invalid(format!("the body is no JSON: {error}"))),
        }
    }

    /// The parameters of a query. A parameter that is given twice counts once, as it came last.
    pub fn from_query(query: Option<&str>) -> Self {
        let values = pairs(query).map(|(name, value)| (name, Value::String(value))).collect();
        Self { values, read: BTreeSet::new(), problems: Vec::new(), prefix: "?" }
    }

    /// Text that must be there and say something.
    pub fn required_text(&mut self, name: &'static str, most: usize) -> String {
        match self.optional_text(name, most) {
            Some(text) if text.trim().is_empty() => self.wrong(name, "must not be blank"),
            Some(text) => return text,
            None => self.wrong(name, &format!("is required: text of 1 to {most} characters")),
        }
        String::new()
    }

    /// Text that may be missing or `null`.
    pub fn optional_text(&mut self, name: &'static str, most: usize) -> Option<String> {
        let problem = match self.value(name)? {
            Value::String(text) if text.contains('\0') => "must not contain the character U+0000".to_owned(),
            Value::String(text) if text.chars().count() > most => {
                format!("must have at most {most} characters, has {}", text.chars().count())
            }
            Value::String(text) => return Some(text),
            other => format!("must be text, is {}", kind(&other)),
        };
        self.wrong(name, &problem);
        None
    }

    /// A whole number of a query.
    pub fn number(&mut self, name: &'static str, default: i64, least: i64, most: i64) -> i64 {
        match self.value(name) {
            None => default,
            Some(Value::String(text)) => match text.parse() {
                Ok(number) if (least..=most).contains(&number) => number,
                _ => {
                    self.wrong(name, &format!("must be a whole number from {least} to {most}, is `{text}`"));
                    default
                }
            },
            Some(other) => {
                self.wrong(name, &format!("must be a whole number, is {}", kind(&other)));
                default
            }
        }
    }

    /// Seconds of a query, as a decimal number.
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

    /// Any value that is there and not `null`. Counts as read.
    pub fn value(&mut self, name: &'static str) -> Option<Value> {
        self.read.insert(name);
        self.values.get(name).filter(|value| !value.is_null()).cloned()
    }

    /// Says that a field is wrong.
    pub fn wrong(&mut self, name: &str, message: &str) {
        self.wrong_as(name, Problem::INVALID, message);
    }

    /// Says that a field is wrong, with a code of its own. What follows from a first problem is not said.
    pub fn wrong_as(&mut self, name: &str, code: &'static str, message: &str) {
        let pointer = self.pointer(name);
        if self.problems.iter().all(|problem| problem.pointer != pointer) {
            self.problems.push(Problem::new(pointer, message).coded(code));
        }
    }

    /// Fails if any field was wrong. Returns the names of the fields that nobody read.
    pub fn finish(self) -> Result<Vec<String>> {
        if self.problems.is_empty() {
            Ok(self
                .values
                .into_iter()
                .map(|(name, _)| name)
                .filter(|name| !self.read.contains(name.as_str()))
                .collect())
        } else {
            Err(Error::Invalid(self.problems))
        }
    }

    fn pointer(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// One parameter of a query, decoded.
pub fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    pairs(query).find(|(key, _)| key == name).map(|(_, value)| value).filter(|value| !value.is_empty())
}

fn pairs(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
