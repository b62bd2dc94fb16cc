//! The check that answers are those that the OpenAPI document describes. Each answer of a test goes through
//! it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE};
use jsonschema::Validator;
use messenger_core::lock;
use serde_json::{Map, Value};

/// The codes of answers to a path or a method that is not described.
const UNKNOWN: [(u16, &str); 2] = [(404, "not_found"), (405, "method_not_allowed")];

/// A document against which answers are checked. Objects of answers have no other fields than those that are
/// described.
pub struct Conformity {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// An answer to be checked.
pub struct Answered<'a> {
    /// The method of the request.
    pub method: &'a Method,
    /// The path of the request, without its query.
    pub path: &'a str,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body as JSON; `None` if it was not read, or is no JSON.
    pub body: Option<&'a Value>,
}

impl Conformity {
    /// Wraps an OpenAPI document.
    pub fn new(mut document: Value) -> Self {
        if let Some(schemas) = document.pointer_mut("/components/schemas") {
            close(schemas);
        }
        Self { document, validators: Mutex::default() }
    }

    /// Checks an answer. Returns the difference between it and the description.
    pub fn check(&self, answered: &Answered<'_>) -> Result<(), String> {
        let described = |problem| {
            let Answered { method, path, status, body, .. } = answered;
            let body = body.map(Value::to_string).unwrap_or_default();
            format!("{method} {path}: the answer {status} is not as described: {problem}\n{body}")
        };
        self.compare(answered).map_err(described)
    }

    /// Checks the `data` of an event of the stream at this path. Returns the difference between it and the
    /// description.
    pub fn check_event(&self, path: &str, data: &Value) -> Result<(), String> {
        let stream = &self.document["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"];
        let schema = stream.get("x-event-data").ok_or_else(|| format!("{path} is described as no stream"))?;
        self.check_body(&format!("{path} data"), schema, data)
            .map_err(|problem| format!("{path}: the event is not as described: {problem}\n{data}"))
    }

    fn compare(&self, answered: &Answered<'_>) -> Result<(), String> {
        let Some((path, operation)) = self.operation(answered.method, answered.path) else {
            return check_unknown(answered);
        };
        let status = answered.status.as_u16().to_string();
        let responses = &operation["responses"];
        let (status, response) = match responses.get(&status) {
            Some(response) => (status.as_str(), response),
            None => ("default", &responses["default"]),
        };
        self.check_headers(response, answered.headers)?;
        let Some(content) = response.get("content").and_then(Value::as_object) else {
            return match answered.headers.get(CONTENT_TYPE) {
                // The head of 304 is that of the answer that the client has.
                Some(_) if answered.status == StatusCode::NOT_MODIFIED => Ok(()),
                None => Ok(()),
                Some(kind) => Err(format!("no body is described, and there is one of {kind:?}")),
            };
        };
        let schema = content_of(content, answered.headers)?;
        match (schema, answered.body) {
            (Some(schema), Some(body)) => {
                self.check_body(&format!("{} {path} {status}", answered.method), schema, body)
            }
            _ => Ok(()),
        }
    }

    /// Finds the operation of a request, with its path in the document. Of several the one with the most fixed
    /// segments matches, as in the router.
    fn operation(&self, method: &Method, path: &str) -> Option<(&str, &Value)> {
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        let paths = self.document["paths"].as_object()?.iter();
        let matching =
            paths.filter_map(|(template, item)| Some((fixed_segments(template, path)?, template, item)));
        let (_, template, item) = matching.max_by_key(|(fixed, _, _)| *fixed)?;
        Some((template, item.get(method.as_str().to_lowercase())?))
    }

    fn check_headers(&self, response: &Value, headers: &HeaderMap) -> Result<(), String> {
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let header = self.resolved(header);
            let Some(value) = headers.get(name) else {
                if header["required"] == true {
                    return Err(format!("the header {name} is missing"));
                }
                continue;
            };
            let text = value.to_str().map_err(|_| format!("the header {name} is no text"))?;
            let schema = &header["schema"];
            let value = match schema["type"].as_str() {
                Some("integer") => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
                _ => Value::from(text),
            };
            self.check_body(&schema.to_string(), schema, &value)
                .map_err(|problem| format!("the header {name}: {problem}"))?;
        }
        Ok(())
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.document.pointer(pointer)).unwrap_or(value)
    }

    /// Validates a value. `key` names the schema, which is compiled once.
    fn check_body(&self, key: &str, schema: &Value, value: &Value) -> Result<(), String> {
        let known = lock(&self.validators).get(key).cloned();
        let validator = if let Some(known) = known {
            known
        } else {
            let compiled = Arc::new(self.compile(schema)?);
            lock(&self.validators).insert(key.to_owned(), compiled.clone());
            compiled
        };
        let problems: Vec<_> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    fn compile(&self, schema: &Value) -> Result<Validator, String> {
        let mut schema = schema.clone();
        close(&mut schema);
        // References of a schema are relative to its document.
        schema["components"] = self.document["components"].clone();
        jsonschema::validator_for(&schema).map_err(|error| format!("the schema is invalid: {error}"))
    }
}

/// Returns the number of fixed segments if a path matches a template.
fn fixed_segments(template: &str, path: &str) -> Option<usize> {
    let (templates, segments): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let mut fixed = 0;
    for (template, segment) in templates.iter().zip(&segments) {
        if template == segment {
            fixed += 1;
        } else if !template.starts_with('{') || segment.is_empty() {
            return None;
        }
    }
    (templates.len() == segments.len()).then_some(fixed)
}

/// Checks the answer to a request that is not described.
fn check_unknown(answered: &Answered<'_>) -> Result<(), String> {
    // A preflight request is answered before any route (CORS).
    if *answered.method == Method::OPTIONS {
        return Ok(());
    }
    let code = answered.body.and_then(|body| body["code"].as_str());
    let status = answered.status.as_u16();
    let is_refused =
        UNKNOWN.iter().any(|(known, name)| *known == status && code.is_none_or(|code| code == *name));
    // A request that no handler has seen may have the problems of any request.
    let is_unread = matches!(status, 400 | 408 | 414 | 429 | 431 | 502 | 503 | 504);
    if is_refused || is_unread { Ok(()) } else { Err("no such operation is described".to_owned()) }
}

/// Returns the schema of the answer's media type; `None` if its content is not described.
fn content_of<'a>(content: &'a Map<String, Value>, headers: &HeaderMap) -> Result<Option<&'a Value>, String> {
    let kind =
        headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).ok_or("there is no Content-Type")?;
    let essence = |kind: &str| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let described: BTreeMap<_, _> = content.iter().map(|(name, media)| (essence(name), media)).collect();
    let media = described.get(&essence(kind)).ok_or_else(|| format!("Content-Type is {kind}"))?;
    Ok(media.get("schema"))
}

/// Closes each object: an answer has no fields that are not described. Parts of a combined schema stay open.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let is_part = ["$ref", "allOf", "anyOf", "oneOf"].iter().any(|key| object.contains_key(*key));
            let is_open = !object.contains_key("additionalProperties");
            if object.get("properties").is_some_and(Value::is_object) && is_open && !is_part {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}
