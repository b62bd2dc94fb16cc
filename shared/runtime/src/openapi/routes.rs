//! The routes of a function and their description.

use std::sync::{Arc, OnceLock};

use axum::{
    Router, body::Bytes, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get,
};
use serde_json::Value;

use super::{
    Operation, document,
    operation::{Description, Tag},
};
use crate::App;

/// Routes with the description of each of them.
#[derive(Default)]
pub struct Routes {
    router: Router<App>,
    operations: Vec<Description>,
    tags: Vec<Tag>,
}

impl Routes {
    /// Begins the routes of a group of operations.
    pub fn new(group: &'static str, description: &'static str) -> Self {
        let tags = vec![Tag { name: group, description }];
        Self { router: Router::new(), operations: Vec::new(), tags }
    }

    /// Declares an operation of the last group.
    #[must_use]
    pub fn declare(mut self, operation: Operation) -> Self {
        let Operation { route, mut description } = operation;
        description.tag = self.tags.last().map_or("", |tag| tag.name);
        self.router = self.router.route(description.path, route);
        self.operations.push(description);
        self
    }

    /// Adds the routes of another function.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router.clone());
        self.describe(other)
    }

    /// Adds the description of routes that another process serves.
    #[must_use]
    pub fn describe(mut self, other: Self) -> Self {
        self.operations.extend(other.operations);
        for tag in other.tags {
            if self.tags.iter().all(|known| known.name != tag.name) {
                self.tags.push(tag);
            }
        }
        self
    }

    /// Changes the router without a change of the description.
    #[must_use]
    pub fn with(self, change: impl FnOnce(Router<App>) -> Router<App>) -> Self {
        Self { router: change(self.router), ..self }
    }

    /// Returns the OpenAPI document; `None` if no operation is described.
    pub fn document(&self) -> Option<Value> {
        (!self.operations.is_empty()).then(|| document::document(&self.operations, &self.tags))
    }

    /// Returns the router, with the document at `/openapi.json`.
    pub fn into_router(self) -> Router<App> {
        if self.operations.is_empty() {
            return self.router;
        }
        let Self { router, operations, tags } = self;
        let (described, text) = (Arc::new((operations, tags)), Arc::new(OnceLock::new()));
        let document = async move |State(app): State<App>| {
            let text = text.get_or_init(|| {
                let mut document = document::document(&described.0, &described.1);
                let base = &app.config.serving.base_path;
                if !base.is_empty() {
                    document["servers"][0]["url"] = base.as_str().into();
                }
                Bytes::from(document.to_string())
            });
            ([(CONTENT_TYPE, "application/json")], Bytes::clone(text)).into_response()
        };
        router.route("/openapi.json", get(document))
    }
}

impl From<Router<App>> for Routes {
    /// Wraps routes that are not described.
    fn from(router: Router<App>) -> Self {
        Self { router, ..Self::default() }
    }
}
