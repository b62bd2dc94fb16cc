//! The OpenAPI document (OpenAPI Specification 3.1) of operations.

use std::collections::BTreeMap;

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    Caller, caller,
    code::{ANYWHERE, Code, unique},
    components,
    operation::{Description, Tag},
};

/// Returns the document of these operations.
pub(super) fn document(operations: &[Description], tags: &[Tag]) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut generator =
        settings.with(|settings| settings.definitions_path = "/components/schemas".into()).into_generator();
    let own = components::operations();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations.iter().chain(&own) {
        let described = describe(operation, &mut generator);
        paths.entry(operation.path).or_default().insert(operation.method.to_owned(), described);
    }
    let mut schemas = generator.take_definitions(true);
    components::add_schemas(&mut schemas);
    let tags = tags.iter().chain([&components::TAG]);
    let tags: Vec<_> = tags.map(|tag| json!({ "name": tag.name, "description": tag.description })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Messenger-Service",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Notifications, live events and chat for the satellites and users of a Hub",
            "description": components::DESCRIPTION,
            "license": { "name": "Proprietary" },
        },
        "servers": [{ "url": "/", "description": "The service that serves this document" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": components::headers(),
            "securitySchemes": caller::schemes(),
        },
    })
}

fn describe(operation: &Description, generator: &mut SchemaGenerator) -> Value {
    let mut parameters = path_parameters(operation);
    parameters.extend(operation.parameters.iter().cloned());
    let mut responses = Map::new();
    for answer in &operation.answers {
        responses.insert(answer.status.to_string(), answer.response(generator));
    }
    for (status, codes) in by_status(operation) {
        responses.entry(status.to_string()).or_insert_with(|| problems(status, &codes));
    }
    responses.insert("default".to_owned(), other_problems());
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": responses,
        "security": operation.caller.security(),
    });
    if operation.caller == Caller::Anyone {
        // No requirement: the empty list says that nothing is needed.
        described["security"] = json!([]);
    }
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = &operation.body {
        described["requestBody"] = body.clone();
    }
    described
}

fn path_parameters(operation: &Description) -> Vec<Value> {
    let segments = operation.path.split('/');
    let names = segments.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let schema = operation.path_schema.clone().unwrap_or_else(|| json!({ "type": "string", "minLength": 1 }));
    names.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": schema })).collect()
}

/// Returns the codes of each status that the operation answers with of its own.
fn by_status(operation: &Description) -> BTreeMap<u16, Vec<Code>> {
    let mut statuses: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in &operation.codes {
        let codes = statuses.entry(code.status).or_default();
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    for (status, codes) in &mut statuses {
        let anywhere = ANYWHERE.iter().filter(|code| code.status == *status);
        for code in anywhere {
            if !codes.contains(code) {
                codes.push(*code);
            }
        }
    }
    statuses
}

fn problems(status: u16, codes: &[Code]) -> Value {
    let meanings: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.name, code.meaning)).collect();
    let mut response = problem(codes);
    response["description"] = meanings.join("\n\n").into();
    for (name, only) in components::PROBLEM_HEADERS {
        if only.contains(&status) {
            response["headers"][*name] = json!({ "$ref": format!("#/components/headers/{name}") });
        }
    }
    response
}

/// Returns the answer to requests that no handler has seen.
fn other_problems() -> Value {
    let mut response = problem(ANYWHERE);
    response["description"] = "A problem that any request may have.".into();
    response
}

fn problem(codes: &[Code]) -> Value {
    let names: Vec<_> = codes.iter().map(|code| code.name).collect();
    let schema = json!({
        "$ref": "#/components/schemas/Problem", "properties": { "code": { "enum": unique(names) } },
    });
    json!({
        "headers": { "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } },
        "content": { "application/problem+json": { "schema": schema } },
    })
}
