//! The functions as programs under the Runtime API of this crate, on a real PostgreSQL.
#![expect(clippy::expect_used, clippy::panic, reason = "a missing precondition fails the test")]

mod concurrency;
mod files;
mod freezing;
mod gateways;
mod homeserver;
mod paths;
mod silent_network;
mod streams;
mod worker;

use messenger_devstack::{TestDatabase, database::template, environment::setting, process::Launch};
use messenger_rapi::{Function, Gateway, Invocation, Request};
use messenger_runtime::testing::{HUB_SECRET_KEY, SERVICE_TOKEN, bearer};
use messenger_store::{migrate, schema};
use serde_json::{Value, json};

/// Returns a database with the schema.
async fn database() -> TestDatabase {
    let name = template("messenger", schema(), async |url: &str| Ok(migrate(url).await?)).await;
    TestDatabase::create(Some(&name.expect("a template"))).await.expect("a database")
}

/// Starts a program as a function, without a homeserver unless the variables name one.
async fn function(name: &str, database: &TestDatabase, variables: &[(&str, &str)]) -> Function {
    let programs = setting("MESSENGER_BIN_DIR").expect("MESSENGER_BIN_DIR: run `cargo xtask test`");
    let launch = Launch::new(name, format!("{programs}/messenger-{name}"))
        .env("ENVIRONMENT", "development")
        .env("DATABASE_URL", database.url())
        .env("DATABASE_LISTEN_URL", "")
        // Connecting may take long on a busy machine.
        .env("DATABASE_CONNECT_TIMEOUT_MS", "20000")
        .env("HUB_SECRET_KEY", HUB_SECRET_KEY)
        .env("MATRIX_HOMESERVER_URL", "http://127.0.0.1:9");
    let launch = variables.iter().fold(launch, |launch, (name, value)| launch.env(name, value));
    let function = Function::start(launch).await.expect("it starts");
    function.initialized().await.expect("a first `next`");
    function
}

/// Returns a request of a user of tenant 1.
fn of_user(user: &str, path: &str) -> Request {
    Request::get(path).header("Authorization", bearer(user))
}

/// Returns a request that sends a notification without waiting for its delivery.
fn notification(fields: &Value) -> Request {
    let mut body =
        json!({ "source_app": "fertigungs-app", "event_type": "notification", "title": "Schicht" });
    for (name, value) in fields.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    Request::post("/api/v1/notifications/send?wait=0", &body).header("X-Service-Token", SERVICE_TOKEN)
}

/// Returns the invocation of a Function URL.
fn by_url(request: &Request) -> Invocation {
    Invocation::new(&request.event(&Gateway::FunctionUrl))
}
