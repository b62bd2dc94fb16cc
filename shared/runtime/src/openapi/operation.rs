//! One operation: its route and its description.

use axum::{
    extract::DefaultBodyLimit,
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use serde_json::{Value, json};

use super::{
    Caller, ResponseObject,
    code::{self, Code},
};
use crate::{
    App,
    caller::TENANT,
    fields::{Fields, Note, Notes, Source},
};

/// A method of a path with its handler, declared once: its route and its description.
pub struct Operation {
    pub(super) route: MethodRouter<App>,
    pub(super) description: Description,
}

/// The description of an operation.
#[derive(Debug, Clone)]
pub(super) struct Description {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// The group of the operation.
    pub(super) tag: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) caller: Caller,
    /// The parameters beside those of the path.
    pub(super) parameters: Vec<Value>,
    /// The schema of a parameter of the path that is no text.
    pub(super) path_schema: Option<Value>,
    pub(super) body: Option<Value>,
    pub(super) answers: Vec<ResponseObject>,
    pub(super) codes: Vec<Code>,
}

impl Operation {
    /// Declares a `GET`, which answers `HEAD`, too. `id` and `summary` are those of the description.
    pub fn get<H, T>(path: &'static str, handler: H, id: &'static str, summary: &'static str) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        Self::on(MethodFilter::GET, handler, Description::new("get", path, id, summary))
    }

    /// Declares a `POST`.
    pub fn post<H, T>(path: &'static str, handler: H, id: &'static str, summary: &'static str) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        Self::on(MethodFilter::POST, handler, Description::new("post", path, id, summary))
    }

    /// Declares a `PUT`.
    pub fn put<H, T>(path: &'static str, handler: H, id: &'static str, summary: &'static str) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        Self::on(MethodFilter::PUT, handler, Description::new("put", path, id, summary))
    }

    /// Declares a `PATCH`.
    pub fn patch<H, T>(path: &'static str, handler: H, id: &'static str, summary: &'static str) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        Self::on(MethodFilter::PATCH, handler, Description::new("patch", path, id, summary))
    }

    /// Declares a `DELETE`.
    pub fn delete<H, T>(path: &'static str, handler: H, id: &'static str, summary: &'static str) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        Self::on(MethodFilter::DELETE, handler, Description::new("delete", path, id, summary))
    }

    fn on<H, T>(method: MethodFilter, handler: H, description: Description) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        Self { route: on(method, handler), description }
    }

    /// Sets the caller, whose extractor the handler has. Without it anybody may call.
    #[must_use]
    pub fn caller(mut self, caller: Caller) -> Self {
        self.description.caller = caller;
        let operation = self.refuses(&caller.codes());
        if caller == Caller::Administrator {
            let schema = json!({ "type": "integer", "format": "int64" });
            return operation.parameter("query", TENANT, schema, "The tenant, for a super administrator.");
        }
        operation
    }

    /// Describes the query by its parser.
    #[must_use]
    pub fn query<T>(mut self, parser: impl FnOnce(Fields) -> T) -> Self {
        for Note { name, is_required, schema } in Fields::describe(Source::Query, parser).fields() {
            let parameter = json!({ "name": name, "in": "query", "required": is_required, "schema": schema });
            self.description.parameters.push(parameter);
        }
        self.refuses(code::QUERY)
    }

    /// Describes a parameter of the query or a header that no parser of fields reads.
    #[must_use]
    pub fn parameter(mut self, place: &str, name: &str, schema: Value, description: &str) -> Self {
        let mut parameter =
            json!({ "name": name, "in": place, "required": false, "description": description });
        parameter["schema"] = schema;
        self.description.parameters.push(parameter);
        self
    }

    /// Describes the parameter of the path, which is text without it.
    #[must_use]
    pub fn path_parameter(mut self, schema: Value) -> Self {
        self.description.path_schema = Some(schema);
        self
    }

    /// Describes the body in JSON by its parser.
    #[must_use]
    pub fn json<T>(self, parser: impl FnOnce(Fields) -> T) -> Self {
        self.json_body(&Fields::describe(Source::Body, parser), true)
    }

    /// Describes a body in JSON that may be left out.
    #[must_use]
    pub fn optional_json<T>(self, parser: impl FnOnce(Fields) -> T) -> Self {
        self.json_body(&Fields::describe(Source::Body, parser), false)
    }

    fn json_body(self, notes: &Notes, is_required: bool) -> Self {
        self.body("application/json", notes.object(), is_required).refuses(code::JSON_BODY)
    }

    /// Describes a form (`multipart/form-data`).
    #[must_use]
    pub fn form(self, schema: Value) -> Self {
        self.body("multipart/form-data", schema, true).refuses(code::FORM)
    }

    /// Describes a body in JSON that no parser of fields reads.
    #[must_use]
    pub fn any_json(self, schema: Value) -> Self {
        self.body("application/json", schema, true).refuses(code::JSON_BODY)
    }

    fn body(mut self, media_type: &str, schema: Value, is_required: bool) -> Self {
        let mut content = json!({ media_type: {} });
        content[media_type]["schema"] = schema;
        self.description.body = Some(json!({ "required": is_required, "content": content }));
        self
    }

    /// Adds a successful answer.
    #[must_use]
    pub fn answer(mut self, answer: ResponseObject) -> Self {
        self.description.answers.push(answer);
        self
    }

    /// Adds problems that the operation can answer with.
    #[must_use]
    pub fn refuses(mut self, codes: &[Code]) -> Self {
        self.description.codes.extend(codes);
        self
    }

    /// Limits the body to this number of bytes.
    #[must_use]
    pub fn body_limit(self, most: usize) -> Self {
        self.route(|route| route.layer(DefaultBodyLimit::max(most)))
    }

    /// Changes the route, as by a layer.
    #[must_use]
    pub fn route(self, change: impl FnOnce(MethodRouter<App>) -> MethodRouter<App>) -> Self {
        Self { route: change(self.route), ..self }
    }
}

impl Description {
    pub(super) fn new(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            tag: "",
            id,
            summary,
            caller: Caller::Anyone,
            parameters: Vec::new(),
            path_schema: None,
            body: None,
            answers: Vec::new(),
            codes: Vec::new(),
        }
    }
}

/// A group of operations.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
}
