//! The differences between two OpenAPI documents that break a client of the older one.
mod schema;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The direction of a value: a change that breaks a sender is harmless for a receiver, and the reverse.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// Sent by the client.
    Request,
    /// Read by the client.
    Response,
}

/// A document in comparison with another one.
struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    changes: BTreeSet<String>,
    /// The pairs of schemas that are compared already, or at this moment: schemas may refer to themselves.
    seen: BTreeSet<String>,
}

/// Returns a sentence for each change that breaks a client of the old document.
pub(super) fn changes(old: &Value, new: &Value) -> Vec<String> {
    let mut comparison = Comparison { old, new, changes: BTreeSet::new(), seen: BTreeSet::new() };
    for (path, item) in members(&old["paths"]) {
        for (method, operation) in members(item) {
            let name = format!("{} {path}", method.to_uppercase());
            match new["paths"].get(path).and_then(|item| item.get(method)) {
                None => comparison.report(format!("{name}: the operation is gone")),
                Some(other) => comparison.operation(&name, operation, other),
            }
        }
    }
    comparison.changes.into_iter().collect()
}

impl Comparison<'_> {
    fn report(&mut self, change: String) {
        self.changes.insert(change);
    }

    fn operation(&mut self, name: &str, old: &Value, new: &Value) {
        self.security(name, &old["security"], &new["security"]);
        self.parameters(name, old, new);
        self.body(name, &old["requestBody"], &new["requestBody"]);
        for (status, response) in members(&old["responses"]) {
            let place = format!("{name}, answer {status}");
            match new["responses"].get(status) {
                None if status.starts_with('2') => self.report(format!("{place}: it is gone")),
                None => self.report(format!("{place}: it is gone, with its codes")),
                Some(other) => self.response(&place, response, other),
            }
        }
    }

    /// Compares the security requirements, of which a client fulfils one. An empty list needs nothing.
    fn security(&mut self, name: &str, old: &Value, new: &Value) {
        let (before, after) = (list(old), list(new));
        let is_narrower = before.is_empty() || before.iter().any(|one| !after.contains(one));
        if is_narrower && !after.is_empty() {
            self.report(format!("{name}: the caller's credentials were {old} and are {new}"));
        }
    }

    fn parameters(&mut self, name: &str, old: &Value, new: &Value) {
        let key = |parameter: &Value| (parameter["in"].clone(), parameter["name"].clone());
        let (old, new) = (list(&old["parameters"]), list(&new["parameters"]));
        for parameter in old {
            let place = format!("{name}, {} parameter {}", text(&parameter["in"]), text(&parameter["name"]));
            match new.iter().find(|other| key(other) == key(parameter)) {
                None => self.report(format!("{place}: it is gone")),
                Some(other) => {
                    if other["required"] == true && parameter["required"] != true {
                        self.report(format!("{place}: it is required now"));
                    }
                    self.schema(&place, &parameter["schema"], &other["schema"], Direction::Request);
                }
            }
        }
        for parameter in new.iter().filter(|parameter| parameter["required"] == true) {
            if old.iter().all(|other| key(other) != key(parameter)) {
                self.report(format!(
                    "{name}: the parameter {} is new and required",
                    text(&parameter["name"])
                ));
            }
        }
    }

    fn body(&mut self, name: &str, old: &Value, new: &Value) {
        if new["required"] == true && old["required"] != true {
            self.report(format!("{name}: a body is required now"));
        }
        for (kind, media) in members(&old["content"]) {
            let place = format!("{name}, body");
            match new["content"].get(kind) {
                None => self.report(format!("{place}: {kind} is not accepted any more")),
                Some(other) => self.schema(&place, &media["schema"], &other["schema"], Direction::Request),
            }
        }
    }

    fn response(&mut self, place: &str, old: &Value, new: &Value) {
        for (header, _) in members(&old["headers"]) {
            if new["headers"].get(header).is_none() {
                self.report(format!("{place}: the header {header} is gone"));
            }
        }
        for (kind, media) in members(&old["content"]) {
            match new["content"].get(kind) {
                None => self.report(format!("{place}: it is not {kind} any more")),
                Some(other) => self.schema(place, &media["schema"], &other["schema"], Direction::Response),
            }
        }
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        let problem = json!({
            "$ref": "#/components/schemas/Problem", "properties": { "code": { "enum": ["not_found", "no"] } },
        });
        json!({
            "paths": { "/send": { "post": {
                "security": [{ "userToken": [] }],
                "parameters": [
                    { "name": "wait", "in": "query", "required": false, "schema": { "maximum": 10 } },
                ],
                "requestBody": { "required": true, "content": { "application/json": { "schema": {
                    "type": "object", "required": ["title"],
                    "properties": {
                        "title": { "type": "string", "minLength": 1, "maxLength": 500 },
                        "priority": { "type": ["string", "null"], "enum": ["normal", "urgent", null] },
                    },
                } } } },
                "responses": {
                    "201": {
                        "headers": { "X-Request-Id": {} },
                        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Sent" } } },
                    },
                    "404": { "content": { "application/problem+json": { "schema": problem } } },
                },
            } } },
            "components": { "schemas": {
                "Sent": {
                    "type": "object", "required": ["id", "status"],
                    "properties": { "id": { "type": "integer" }, "status": { "enum": ["sent", "pending"] } },
                },
                "Problem": { "type": "object", "properties": { "code": { "type": "string" } } },
            } },
        })
    }

    /// Returns the changes that break a client if the value at this pointer becomes another one.
    fn after(pointer: &str, value: Value) -> Vec<String> {
        let (old, mut new) = (document(), document());
        *new.pointer_mut(pointer).unwrap() = value;
        changes(&old, &new)
    }

    const POST: &str = "/paths/~1send/post";
    const BODY: &str = "/paths/~1send/post/requestBody/content/application~1json/schema";
    const SENT: &str = "/components/schemas/Sent";

    #[test]
    fn an_equal_document_and_additions_break_nobody() {
        assert_eq!(changes(&document(), &document()), [""; 0]);
        let properties = json!({
            "id": { "type": "integer" }, "status": { "enum": ["sent", "pending"] }, "more": {},
        });
        assert_eq!(after(&format!("{SENT}/properties"), properties), [""; 0]);
        assert_eq!(after(&format!("{BODY}/properties/title/maxLength"), json!(501)), [""; 0]);
        assert_eq!(after(&format!("{BODY}/required"), json!([])), [""; 0]);
    }

    #[test]
    fn a_removed_operation_and_another_caller_are_named() {
        assert_eq!(after("/paths/~1send", json!({})), ["POST /send: the operation is gone"]);
        let found = after(&format!("{POST}/security"), json!([{ "serviceToken": [] }]));
        let expected =
            r#"POST /send: the caller's credentials were [{"userToken":[]}] and are [{"serviceToken":[]}]"#;
        assert_eq!(found, [expected]);
        let either = json!([{ "userToken": [] }, { "sessionCookie": [] }]);
        assert_eq!(after(&format!("{POST}/security"), either), [""; 0], "another way to sign in");
        assert_eq!(after(&format!("{POST}/security"), json!([])), [""; 0], "nobody has to sign in");
    }

    #[test]
    fn narrower_requests_are_named() {
        let found = after(&format!("{BODY}/properties/title/maxLength"), json!(499));
        assert_eq!(found, ["POST /send, body, field title: maxLength was 500 and is 499"]);
        let found = after(&format!("{BODY}/required"), json!(["title", "priority"]));
        assert_eq!(found, ["POST /send, body, field priority: it is required now"]);
        let found = after(&format!("{BODY}/properties/priority/enum"), json!(["normal", null]));
        assert_eq!(found, [r#"POST /send, body, field priority: the value "urgent" is gone"#]);
        let found = after(&format!("{POST}/parameters/0/schema"), json!({ "maximum": 5 }));
        assert_eq!(found, ["POST /send, query parameter wait: maximum was 10 and is 5"]);
        let found = after(&format!("{BODY}/properties/priority/type"), json!("string"));
        assert_eq!(found, ["POST /send, body, field priority: the type null is not accepted any more"]);
    }

    #[test]
    fn fields_and_codes_that_an_answer_lost_are_named() {
        let found = after(&format!("{SENT}/properties/id"), json!(null));
        assert!(found.is_empty(), "a schema that says nothing takes nothing away: {found:?}");
        let found = after(&format!("{SENT}/properties"), json!({ "number": {}, "status": {} }));
        assert_eq!(found, ["POST /send, answer 201, field id: it is gone"]);
        let found = after(&format!("{SENT}/required"), json!(["id"]));
        assert_eq!(found, ["POST /send, answer 201, field status: it is not always there any more"]);
        let found = after(&format!("{SENT}/properties/status/enum"), json!(["sent", "pending", "lost"]));
        let expected =
            r#"POST /send, answer 201, field status: the value "lost" is new, and no client knows it"#;
        assert_eq!(found, [expected]);
        let code = "/responses/404/content/application~1problem+json/schema/properties/code/enum";
        let found = after(&format!("{POST}{code}"), json!(["not_found", "new_code"]));
        assert_eq!(found, [r#"POST /send, answer 404, field code: the value "no" is gone"#]);
        let found = after(&format!("{POST}/responses/201/headers"), json!({}));
        assert_eq!(found, ["POST /send, answer 201: the header X-Request-Id is gone"]);
    }
}
