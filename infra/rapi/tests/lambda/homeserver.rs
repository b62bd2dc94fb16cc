//! A homeserver, and functions that are registered with it.

use std::time::Duration;

use messenger_devstack::{LocalHomeserver, TestDatabase, local_homeserver::Options};
use messenger_matrix::{Registration, registration};
use messenger_rapi::{Function, Invocation, Outcome};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::function;

const NOWHERE: &str = "http://127.0.0.1:9";

/// A homeserver and an empty database of one service, whose functions homeservers do not reach.
pub(crate) struct Homeserver {
    pub(crate) database: TestDatabase,
    server: LocalHomeserver,
    registered: Registration,
    _directory: TempDir,
}

impl Homeserver {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let registered = Registration {
            id: "messenger".to_owned(),
            url: Some(NOWHERE.to_owned()),
            as_token: "as-token-of-the-tests".to_owned(),
            hs_token: "hs-token-of-the-tests".to_owned(),
            bot_localpart: "messenger".to_owned(),
            server_name: "lambda.test".to_owned(),
        };
        let homeserver = LocalHomeserver::start(Options {
            directory: directory.path().to_owned(),
            server_name: registered.server_name.clone(),
            registration: registration::yaml(&registered),
            allow_encryption: false,
        });
        Self {
            server: homeserver.await.expect("a homeserver"),
            database: TestDatabase::create(None).await.expect("a database"),
            registered,
            _directory: directory,
        }
    }

    /// Starts a program as a function of the service.
    pub(crate) async fn function(&self, name: &str) -> Function {
        let variables = [
            ("BASE_PATH", "/prod"),
            ("MATRIX_HOMESERVER_URL", self.server.url()),
            ("MATRIX_SERVER_NAME", &self.registered.server_name),
            ("MATRIX_AS_TOKEN", &self.registered.as_token),
            ("MATRIX_HS_TOKEN", &self.registered.hs_token),
            ("MATRIX_REGISTRATION_SECRET", self.server.registration_secret().unwrap_or_default()),
            ("APPSERVICE_URL", NOWHERE),
        ];
        function(name, &self.database, &variables).await
    }
}

/// Returns the event that sets the service up.
pub(crate) fn setup() -> Invocation {
    Invocation::new(&json!({ "setup": true })).within(Duration::from_mins(2))
}

/// Returns the event of a timer.
pub(crate) fn timer() -> Invocation {
    Invocation::new(&json!({
        "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.scheduler",
        "account": "123456789012", "time": "2026-01-31T12:00:00Z", "region": "eu-central-1",
        "resources": ["arn:aws:scheduler:eu-central-1:123456789012:schedule/default/worker"], "detail": "{}",
    }))
}

/// Returns the JSON that an invocation of the worker answers.
pub(crate) async fn result(worker: &Function, invocation: Invocation) -> Value {
    match worker.invoke(invocation).await.expect("an outcome") {
        Outcome::Whole(json) => serde_json::from_slice(&json).expect("JSON"),
        other => panic!("{other:?}"),
    }
}
