//! The functions as programs under the Runtime API of this crate, on a real PostgreSQL.

use messenger_devstack::{TestDatabase, database::template, environment::setting, process::Launch};
use messenger_rapi::{Function, Gateway, Request};
use messenger_store::{migrate, schema};

/// Returns a database with the schema.
async fn database() -> TestDatabase {
    let name = template("messenger", schema(), async |url: &str| Ok(migrate(url).await?)).await;
    TestDatabase::create(Some(&name.expect("a template"))).await.expect("a database")
}

async fn function(name: &str, database: &TestDatabase) -> Function {
    let programs = setting("MESSENGER_BIN_DIR").expect("MESSENGER_BIN_DIR: run `cargo xtask test`");
    let launch = Launch::new(name, format!("{programs}/messenger-{name}"))
        .env("ENVIRONMENT", "development")
        .env("DATABASE_URL", database.url())
        .env("DATABASE_LISTEN_URL", "")
        .env("DATABASE_CONNECT_TIMEOUT_MS", "20000")
        .env("MATRIX_HOMESERVER_URL", "http://127.0.0.1:9");
    Function::start(launch).await.expect("it starts")
}

#[tokio::test]
async fn a_function_answers_the_events_of_each_gateway() {
    let database = database().await;
    let function = function("poll", &database).await;
    function.initialized().await.expect("a first `next`");
    for gateway in [Gateway::http_api(), Gateway::function_url()] {
        let answer = function.call(&Request::get("/livez").event(&gateway)).await.expect("an answer");
        assert_eq!(answer.status, 200, "{gateway:?}: {}", answer.text());
    }
}
