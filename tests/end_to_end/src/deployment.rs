//! A deployment that runs already, in whose network the tests run: `cargo xtask compose test` starts both.
//!
//! The tests reach the service by its public address, and everything else by the deployment's control, which
//! empties database and homeserver for each test, and starts, stops and scales containers. Tests that need
//! processes of their own are skipped, and print the reason.

use std::{io::Write as _, sync::LazyLock, time::Duration};

use messenger_devstack::environment::setting;
use reqwest::Certificate;
use serde_json::{Value, json};

use crate::{Plan, front::Shape};

/// The address of the control.
const CONTROL: &str = "MESSENGER_TESTS_CONTROL";
/// The homeserver of the deployment: `conduit` or `synapse`.
const HOMESERVER: &str = "MESSENGER_TESTS_HOMESERVER";
/// The address of the service.
const URL: &str = "MESSENGER_TESTS_URL";
/// A file with the certificate of the authority that signed the service's.
const AUTHORITY: &str = "MESSENGER_TESTS_CA";
/// The longest that the control may take: a start of many containers on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// A deployment whose data have just been deleted.
#[derive(Debug, Clone)]
pub struct Deployment {
    control: Control,
    facts: Value,
}

/// The control of the deployment.
#[derive(Debug, Clone)]
pub struct Control(String);

/// The secrets of the service that the tests use.
pub(crate) struct Secrets {
    pub(crate) hub_secret_key: String,
    pub(crate) service_token: String,
    pub(crate) secret_key: String,
}

/// The secrets of the deployment; `None` for tests that start the service.
static SECRETS: LazyLock<Option<Secrets>> = LazyLock::new(|| {
    Some(Secrets {
        hub_secret_key: setting("MESSENGER_TESTS_HUB_SECRET_KEY")?,
        service_token: setting("MESSENGER_TESTS_SERVICE_TOKEN")?,
        secret_key: setting("MESSENGER_TESTS_SECRET_KEY")?,
    })
});

pub(crate) fn secrets() -> Option<&'static Secrets> {
    SECRETS.as_ref()
}

/// Returns the authority whose certificates clients of the service trust, too.
pub(crate) fn authority() -> Option<Certificate> {
    let pem = std::fs::read(setting(AUTHORITY)?).expect("a file with a certificate");
    Some(Certificate::from_pem(&pem).expect("a certificate"))
}

/// Returns whether the tests run on a deployment.
pub fn is_on_deployment() -> bool {
    Control::of_environment().is_some()
}

/// Returns whether the tests run on a deployment, and prints the reason why this one is skipped there.
pub fn is_skipped_on_deployment(reason: &str) -> bool {
    let is_skipped = is_on_deployment();
    if is_skipped {
        print_skipped(reason);
    }
    is_skipped
}

/// Returns whether the functions run on the emulator of Lambda, and prints the reason why this test is skipped
/// there.
pub fn is_skipped_on_lambda(reason: &str) -> bool {
    let is_skipped = Shape::of_environment() == Shape::Lambda;
    if is_skipped {
        print_skipped(reason);
    }
    is_skipped
}

/// Returns the control of the deployment. Without one, prints that the test is skipped.
pub fn control_of_deployment() -> Option<Control> {
    let control = Control::of_environment();
    if control.is_none() {
        print_skipped("it needs a deployment (cargo xtask compose test)");
    }
    control
}

pub(crate) fn is_on_conduit() -> bool {
    setting(HOMESERVER).is_some_and(|name| name == "conduit")
}

pub(crate) fn print_skipped(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    // Not by a macro: the test harness would hide it.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
}

impl Deployment {
    /// Returns the deployment, empty and with the parts of the plan; `None` if the test has to start the
    /// service.
    ///
    /// # Panics
    /// If the plan needs processes of its own.
    pub(crate) async fn start(plan: &Plan) -> Option<Self> {
        let control = Control::of_environment()?;
        let needs_own = plan.push_proxy || plan.database_url.is_some() || !plan.environment.is_empty();
        assert!(!needs_own, "not on a deployment: skip this test by is_skipped_on_deployment");
        let parts = json!({ "homeserver": plan.homeserver, "worker": plan.worker });
        let facts = control.call("reset", &parts).await;
        Some(Self { control, facts })
    }

    /// Returns the address of the service, without a slash at the end.
    pub fn url() -> String {
        setting(URL).expect("MESSENGER_TESTS_URL")
    }

    /// Returns the control.
    pub fn control(&self) -> &Control {
        &self.control
    }

    pub(crate) fn server_name(&self) -> &str {
        self.fact("server_name")
    }

    pub(crate) fn database_url(&self) -> &str {
        self.fact("database_url")
    }

    /// Returns a fact that the control stated at the reset.
    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().expect("a fact of the deployment")
    }
}

impl Control {
    fn of_environment() -> Option<Self> {
        setting(CONTROL).map(Self)
    }

    /// Sets the number of copies of a service.
    pub async fn scale(&self, service: &str, count: usize) {
        self.call("scale", &json!({ "service": service, "count": count })).await;
    }

    /// Kills one copy of a service with `SIGKILL`.
    pub async fn kill(&self, service: &str) {
        self.call("kill", &json!({ "service": service })).await;
    }

    /// Kills all copies of a service with `SIGKILL`.
    pub async fn kill_all(&self, service: &str) {
        self.call("kill_all", &json!({ "service": service })).await;
    }

    /// Freezes all copies of a service.
    pub async fn pause(&self, service: &str) {
        self.call("pause", &json!({ "service": service })).await;
    }

    /// Resumes all frozen copies of a service.
    pub async fn resume(&self, service: &str) {
        self.call("resume", &json!({ "service": service })).await;
    }

    /// Returns the address of the newest copy of a program of the service.
    pub async fn newest(&self, service: &str) -> String {
        let newest = self.call("newest", &json!({ "service": service })).await;
        newest["url"].as_str().expect("an address").to_owned()
    }

    /// Restarts all copies of a service as `docker restart` does, and waits until they are healthy.
    pub async fn restart(&self, service: &str) {
        self.call("restart", &json!({ "service": service })).await;
    }

    /// Stops all copies of a service as `docker stop` does. Returns the exit code of the last one and the
    /// time that it took.
    pub async fn stop(&self, service: &str) -> (i64, Duration) {
        let stopped = self.call("stop", &json!({ "service": service })).await;
        let seconds = stopped["seconds"].as_f64().expect("a time");
        (stopped["exit_code"].as_i64().expect("an exit code"), Duration::from_secs_f64(seconds))
    }

    /// Starts all copies of a service again, and waits until they are healthy.
    pub async fn start(&self, service: &str) {
        self.call("start", &json!({ "service": service })).await;
    }

    /// Records the memory of all containers under this title for the report.
    pub async fn measure(&self, title: &str) {
        self.call("measure", &json!({ "title": title })).await;
    }

    async fn call(&self, act: &str, parameters: &Value) -> Value {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("an HTTP client");
        let response = http.post(format!("{}/{act}", self.0)).json(parameters).send().await;
        let response = response.expect("a response of the control");
        let status = response.status();
        let text = response.text().await.expect("a response of the control");
        assert!(status.is_success(), "{act} {parameters}: {status} {text}");
        serde_json::from_str(&text).expect("JSON of the control")
    }
}
