//! The successful answers of operations.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// A successful answer of an operation.
#[derive(Debug, Clone)]
pub struct ResponseObject {
    pub(super) status: u16,
    description: &'static str,
    content: Content,
    /// Further media types of the answer.
    others: &'static [&'static str],
    headers: Vec<Header>,
}

#[derive(Debug, Clone)]
enum Content {
    None,
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Media types whose content is not described.
    Media(&'static [&'static str]),
    /// Server-sent events with this `data`.
    Events(fn(&mut SchemaGenerator) -> Schema),
}

#[derive(Debug, Clone)]
struct Header {
    name: &'static str,
    is_required: bool,
    schema: Value,
    description: &'static str,
}

impl ResponseObject {
    /// Describes an answer in JSON.
    pub fn json<T: JsonSchema>(status: u16, description: &'static str) -> Self {
        Self::new(status, description, Content::Json(SchemaGenerator::subschema_for::<T>))
    }

    /// Describes an answer without a body.
    pub fn empty(status: u16, description: &'static str) -> Self {
        Self::new(status, description, Content::None)
    }

    /// Describes an answer of one of these media types.
    pub fn media(status: u16, types: &'static [&'static str], description: &'static str) -> Self {
        Self::new(status, description, Content::Media(types))
    }

    /// Describes a stream of server-sent events, with the type of their `data`.
    pub fn events<T: JsonSchema>(description: &'static str) -> Self {
        Self::new(200, description, Content::Events(SchemaGenerator::subschema_for::<T>))
    }

    fn new(status: u16, description: &'static str, content: Content) -> Self {
        Self { status, description, content, others: &[], headers: Vec::new() }
    }

    /// Adds media types in which the answer comes on request, and whose content is not described.
    #[must_use]
    pub fn or_media(self, others: &'static [&'static str]) -> Self {
        Self { others, ..self }
    }

    /// Adds a header that every such answer has.
    #[must_use]
    pub fn header(self, name: &'static str, schema: Value, description: &'static str) -> Self {
        self.with_header(Header { name, is_required: true, schema, description })
    }

    /// Adds a header that some of these answers have.
    #[must_use]
    pub fn optional_header(self, name: &'static str, schema: Value, description: &'static str) -> Self {
        self.with_header(Header { name, is_required: false, schema, description })
    }

    fn with_header(mut self, header: Header) -> Self {
        self.headers.push(header);
        self
    }

    /// Returns the response object of OpenAPI.
    pub(super) fn response(&self, generator: &mut SchemaGenerator) -> Value {
        let mut headers = Map::new();
        headers.insert("X-Request-Id".to_owned(), json!({ "$ref": "#/components/headers/X-Request-Id" }));
        for Header { name, is_required, schema, description } in &self.headers {
            let header = json!({ "description": description, "required": is_required, "schema": schema });
            headers.insert((*name).to_owned(), header);
        }
        let mut response = json!({ "description": self.description, "headers": headers });
        match &self.content {
            Content::None => {}
            Content::Json(schema) => {
                response["content"] = json!({ "application/json": { "schema": schema(generator) } });
            }
            Content::Events(data) => {
                // OpenAPI 3.1 has no word for the items of a stream.
                let stream = json!({ "schema": { "type": "string" }, "x-event-data": data(generator) });
                response["content"] = json!({ "text/event-stream": stream });
            }
            Content::Media(types) => {
                let types = types.iter().map(|one| ((*one).to_owned(), json!({})));
                response["content"] = Value::Object(types.collect());
            }
        }
        for other in self.others {
            response["content"][*other] = json!({});
        }
        response
    }
}
