//! Generated requests against a running service: no answer may be a failure of the service, or differ from
//! the document that the service serves.
use anyhow::Result;
use messenger_devstack::Home;
use messenger_devstack::process::{Launch, Output};
use messenger_devstack::python::{Environment, Requirements};

use crate::cargo::succeeds;
use crate::step::Step;
use crate::token;

const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// The service token of development.
const SERVICE_TOKEN: &str = "messenger-service-token-dev";
/// The checks of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
response_headers_conformance,response_schema_conformance";
/// An event stream does not end, and generated forms hold no files.
const LEFT_OUT: [&str; 2] = ["/api/v1/events/stream", "/api/v1/messages/upload"];

/// Runs Schemathesis against the service at this address. Returns whether all answers were right.
pub(super) async fn passes(url: &str) -> Result<bool> {
    let requirements = Requirements {
        title: "Schemathesis".to_owned(),
        arguments: vec![SCHEMATHESIS.to_owned()],
        constraints: String::new(),
        package_count: 0,
        stamp: SCHEMATHESIS.to_owned(),
    };
    let step = Step::begin("Schemathesis");
    let home = Home::default();
    let environment =
        Environment::ensure(&home, "schemathesis-venv", &requirements, &step.progress()).await?;
    step.done("installed");
    let user = token::Arguments {
        sub: "mueller".to_owned(),
        name: None,
        role: "admin".to_owned(),
        tenant: 1,
        hours: 12,
        key: token::DEVELOPMENT_KEY.to_owned(),
    };
    let bearer = format!("Authorization: Bearer {}", token::sign(&user)?);
    let service = format!("X-Service-Token: {SERVICE_TOKEN}");
    let document = format!("{url}/openapi.json");
    let mut launch = Launch::new("schemathesis", environment.program("schemathesis")).args([
        "run",
        &document,
        "--header",
        &bearer,
        "--header",
        &service,
        "--checks",
        CHECKS,
        "--max-examples",
        "50",
        // A poll may wait for 25 seconds.
        "--request-timeout",
        "60",
    ]);
    for path in LEFT_OUT {
        launch = launch.args(["--exclude-path", path]);
    }
    succeeds(launch.output(Output::Inherited)).await
}
