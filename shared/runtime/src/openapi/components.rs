//! The parts of the document that all functions share: problems, headers, and the operations that every
//! function has.

use schemars::Schema;
use serde_json::{Map, Value, json};

use super::{
    ResponseObject,
    code::{self, unique},
    operation::{Description, Tag},
};

/// The text at the top of the document.
pub(super) const DESCRIPTION: &str = "Times are RFC 3339 in UTC. Errors are `application/problem+json` \
(RFC 9457) with a stable `code`. In a body, `null` counts as absent, and unknown fields are ignored. The \
contract in words is docs/api.md.";

/// The group of the operations that every function has.
pub(super) const TAG: Tag = Tag { name: "Process", description: "Probes of a process, and this document" };

/// The headers of problems, with the statuses that always have them.
pub(super) const PROBLEM_HEADERS: &[(&str, &[u16])] = &[
    ("WWW-Authenticate", &[401]),
    ("Retry-After", &[429, 503]),
    ("Accept-Encoding", &[415]),
    ("Content-Range", &[416]),
];

/// Returns the operations that every function has beside its own.
pub(super) fn operations() -> Vec<Description> {
    let (text, json) = (&["text/plain"], &["application/json"]);
    let mut live = Description::new("get", "/livez", "isAlive", "Tells whether the process runs");
    live.answers = vec![ResponseObject::media(200, text, "The process runs.")];
    live.codes = vec![code::BROKER_ENDED];
    let mut ready =
        Description::new("get", "/readyz", "isReady", "Tells whether the parts of the process work");
    ready.answers = vec![ResponseObject::media(200, json, "The process takes requests.")];
    ready.codes = vec![code::DATABASE_UNAVAILABLE, code::NOT_READY];
    let mut metrics = Description::new("get", "/metrics", "getMetrics", "Returns the metrics for Prometheus");
    metrics.answers = vec![ResponseObject::media(200, text, "All series in the text format.")];
    metrics.codes = vec![code::NOT_FOUND];
    let mut document =
        Description::new("get", "/openapi.json", "getDocument", "Returns this document: OpenAPI 3.1");
    document.answers = vec![ResponseObject::media(200, json, "The document.")];
    let operations = [live, ready, metrics, document];
    operations.into_iter().map(|operation| Description { tag: TAG.name, ..operation }).collect()
}

/// Adds the schemas that no operation refers to by a type.
pub(super) fn add_schemas(schemas: &mut Map<String, Value>) {
    schemas.insert("Problem".to_owned(), problem());
}

/// Returns the headers that answers refer to.
pub(super) fn headers() -> Value {
    json!({
        "X-Request-Id": {
            "description": "The id of the request, in our log as well.",
            "required": true, "schema": { "type": "string" },
        },
        "Retry-After": {
            "description": "Seconds until another attempt may succeed.",
            "required": true, "schema": { "type": "integer", "minimum": 1 },
        },
        "WWW-Authenticate": { "required": true, "schema": { "type": "string", "const": "Bearer" } },
        "Accept-Encoding": {
            "description": "`identity` for a compressed body.",
            "required": false, "schema": { "type": "string", "const": "identity" },
        },
        "Content-Range": {
            "description": "The size of the file.",
            "required": true, "schema": { "type": "string", "pattern": r"^bytes \*/\d+$" },
        },
    })
}

/// Returns the schema of a problem (RFC 9457).
fn problem() -> Value {
    let codes = unique(code::ALL.iter().map(|code| code.name).collect());
    let schema: Schema = schemars::json_schema!({
        "description": "An answer with an error status (RFC 9457).",
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": { "type": "string", "pattern": "^urn:messenger-service:problem:[a-z_]+$" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "description": "A sentence that says what to do.", "type": "string" },
            "code": { "description": "Stable, for programs.", "enum": codes },
            "request_id": { "description": "The value of `X-Request-Id`.", "type": "string" },
            "errors": {
                "description": "Each wrong field.",
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "message"],
                    "properties": {
                        "pointer": {
                            "description": "A JSON Pointer, `?name` for a parameter, empty for the body.",
                            "type": "string",
                        },
                        "message": { "type": "string" },
                    },
                },
            },
            "parts": {
                "description": "The parts of a process that is not ready, in `/readyz` only.",
                "type": "array",
            },
            "version": {
                "description": "The present version of an object that has changed since.",
                "type": "integer", "format": "int64",
            },
            "successor_room_id": {
                "description": "The room that replaced the room.", "type": "string",
            },
        },
    });
    schema.into()
}
