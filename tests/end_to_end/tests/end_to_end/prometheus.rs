//! A real Prometheus on a running service: metrics, alerting rules, dashboard, and the SQL of the runbook.

use std::{collections::BTreeSet, fs, path::PathBuf};

use messenger_devstack::{Prometheus, home::workspace, prometheus::promtool, service::Service};
use messenger_tests::{
    Client, EventStream, Plan, Stack, event_store, eventually, is_skipped_on_deployment, wait_until,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "the metrics token of the tests";
/// The alert for a homeserver that does not answer.
const AWAY: &str = "MessengerHomeserverAway";
const FIRING: &str = "ALERTS{alertstate=\"firing\"}";

/// The whole service with a function on its own port, a copy of the event log on DynamoDB, and a stream, so that
/// each metric has a value.
struct Observed {
    stack: Stack,
    rooms: Client,
    _function: Service,
    _stream: EventStream,
}

impl Observed {
    async fn start() -> Self {
        let token = ("METRICS_TOKEN".to_owned(), TOKEN.to_owned());
        let environment = [vec![token], event_store::dynamodb()].concat();
        let stack = Stack::start_with(Plan { environment, ..Plan::default() }).await;
        event_store::until_copied(&stack.client()).await;
        let (url, function) = stack.start_function("messenger-rooms").await;
        let mut stream = stack.client().user("mueller").stream(None).await;
        let body = json!({ "source_app": "a", "event_type": "e", "title": "x" });
        assert_eq!(stack.client().notify(&body).await.body["status"], "sent");
        stream.next_of("notification").await;
        Self { stack, rooms: Client::new(&url), _function: function, _stream: stream }
    }

    /// Returns the metrics of router, worker and function.
    async fn metrics(&self) -> [String; 3] {
        let (router, worker) = (self.stack.client(), self.stack.worker_client());
        [metrics(&router).await, metrics(&worker).await, metrics(&self.rooms).await]
    }

    /// Starts a Prometheus with the repository's configuration and rules. It scrapes each second, and
    /// [`AWAY`] fires soon.
    async fn prometheus(&self, directory: &TempDir) -> Prometheus {
        let token = directory.path().join("token");
        fs::write(&token, TOKEN).expect("a token");
        let rules = impatient(&observability("alerts.yml"), AWAY);
        fs::write(directory.path().join("alerts.yml"), rules).expect("the rules");
        let targets = |clients: &[&Client]| {
            let addresses: Vec<_> =
                clients.iter().map(|client| format!("\"{}\"", client.address())).collect();
            format!("[{}]", addresses.join(", "))
        };
        let (router, worker) = (self.stack.client(), self.stack.worker_client());
        let mut configuration = observability("prometheus.yml");
        for (written, here) in [
            (": 15s", ": 1s"),
            ("/run/secrets/metrics_token", &token.display().to_string()),
            ("[\"router:8000\"]", &targets(&[&router])),
            ("[\"worker:8000\", \"rooms:8000\"]", &targets(&[&worker, &self.rooms])),
            ("alertmanager:9093", "127.0.0.1:9"),
        ] {
            assert!(configuration.contains(written), "{written}");
            configuration = configuration.replace(written, here);
        }
        let file = directory.path().join("prometheus.yml");
        fs::write(&file, configuration).expect("a configuration");
        Prometheus::start(&file).await.expect("a Prometheus")
    }
}

fn path(name: &str) -> PathBuf {
    workspace().join("infra/observability").join(name)
}

fn observability(name: &str) -> String {
    fs::read_to_string(path(name)).expect("the file")
}

/// Returns the rules, in which this alert waits for a second only.
fn impatient(rules: &str, alert: &str) -> String {
    let mut is_within = false;
    let mut changed = String::new();
    for line in rules.lines() {
        if let Some(name) = line.trim_start().strip_prefix("- alert: ") {
            is_within = name == alert;
        }
        let before = line.split_once("for: ").map(|(before, _)| before);
        match before.filter(|before| is_within && before.trim().is_empty()) {
            Some(before) => changed.extend([before, "for: 1s\n"]),
            None => changed.extend([line, "\n"]),
        }
    }
    changed
}

/// Returns the metrics of a process, once it listens.
async fn metrics(client: &Client) -> String {
    let response = eventually(async || {
        let request = client.request(Method::GET, "/metrics");
        request.bearer_auth(TOKEN).send().await.ok()
    })
    .await;
    assert_eq!(response.status(), StatusCode::OK);
    response.text().await.expect("a text")
}

/// Waits until the series of a query satisfy the condition.
async fn until(prometheus: &Prometheus, query: &str, is_met: impl Fn(&[Value]) -> bool) {
    wait_until(query, async || is_met(&prometheus.query(query).await.expect("an answer"))).await;
}

/// Returns the queries of all panels, as Grafana sends them with "All" chosen.
fn dashboard_queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&observability("dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries = targets.map(|target| {
        assert_eq!(target["datasource"]["uid"], "${datasource}");
        target["expr"].as_str().expect("a query")
    });
    queries.map(|query| query.replace("$function", ".*").replace("$__rate_interval", "1m")).collect()
}

/// Returns the code blocks of the runbook that are in this language.
fn blocks(language: &str) -> Vec<String> {
    let runbook = fs::read_to_string(workspace().join("docs/runbook.md")).expect("the runbook");
    let blocks = runbook.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n"))).map(str::to_owned).collect()
}

#[tokio::test]
async fn promtool_accepts_the_alerting_rules_and_sees_each_alert_fire_and_end() {
    if is_skipped_on_deployment("it runs Prometheus") {
        return;
    }
    let rules = path("alerts.yml").display().to_string();
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", &rules], "").await.expect("good rules");
    let configuration = path("prometheus.yml").display().to_string();
    promtool(&["check", "config", "--syntax-only", &configuration], "").await.expect("a good configuration");
    let tests = path("alerts_test.yml").display().to_string();
    promtool(&["test", "rules", &tests], "").await.expect("tests that pass");
}

#[tokio::test]
async fn promtool_accepts_the_metrics_of_the_service_which_are_the_documented_ones() {
    if is_skipped_on_deployment("it runs Prometheus") {
        return;
    }
    let observed = Observed::start().await;
    // The counts of requests begin with the first one.
    observed.metrics().await;
    let metrics = observed.metrics().await;
    for text in &metrics {
        promtool(&["check", "metrics"], text).await.expect("good metrics");
    }
    let rendered: BTreeSet<_> = metrics
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, _)| name)
        .collect();
    let document = fs::read_to_string(workspace().join("docs/metrics.md")).expect("the document");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let documented: BTreeSet<_> = rows.map(|(name, _)| name).filter(|name| name.contains('_')).collect();
    assert_eq!(rendered, documented);
}

#[tokio::test]
async fn prometheus_scrapes_the_service_and_a_stopped_homeserver_fires_one_alert_that_ends() {
    if is_skipped_on_deployment("it runs Prometheus") {
        return;
    }
    let mut observed = Observed::start().await;
    observed.metrics().await;
    let directory = tempfile::tempdir().expect("a directory");
    let prometheus = observed.prometheus(&directory).await;
    until(&prometheus, "up == 1", |series| series.len() == 3).await;
    until(&prometheus, FIRING, <[Value]>::is_empty).await;
    for query in dashboard_queries() {
        until(&prometheus, &query, |series| !series.is_empty()).await;
    }
    for query in blocks("promql").iter().flat_map(|block| block.lines()) {
        prometheus.query(query).await.expect("a query that Prometheus accepts");
    }

    let homeserver = observed.stack.homeserver.as_mut().expect("a homeserver");
    homeserver.process_mut().stop().await;
    let away = |series: &[Value]| {
        let names: Vec<_> = series.iter().map(|one| &one["metric"]["alertname"]).collect();
        names == [AWAY]
    };
    until(&prometheus, FIRING, away).await;
    homeserver.process_mut().start_again().await.expect("the homeserver starts");
    until(&prometheus, FIRING, <[Value]>::is_empty).await;
}

#[tokio::test]
async fn each_statement_of_the_runbook_runs() {
    if is_skipped_on_deployment("it reads files of the repository") {
        return;
    }
    let stack = Stack::start_with(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let statements = blocks("sql");
    assert!(statements.len() >= 7, "{statements:?}");
    for statement in statements {
        let statement = statement.trim_end().trim_end_matches(';');
        let counted = if statement.starts_with("select") {
            format!("select count(*)::text from ({statement}) as rows where $1 = ''")
        } else {
            format!("with rows as ({statement} returning 1) select count(*)::text from rows where $1 = ''")
        };
        assert!(stack.query(&counted, "").await.is_some(), "{statement}");
    }
}

#[test]
fn each_link_of_the_runbook_leads_to_a_heading_or_a_file() {
    if is_skipped_on_deployment("it reads files of the repository") {
        return;
    }
    let file = workspace().join("docs/runbook.md");
    let runbook = fs::read_to_string(&file).expect("the runbook");
    let links = runbook.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links {
        let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = if target.is_empty() { file.clone() } else { workspace().join("docs").join(target) };
        let text = fs::read_to_string(&target).unwrap_or_else(|error| panic!("{link}: {error}"));
        let headings = text.lines().filter(|line| line.starts_with('#'));
        let mut anchors =
            headings.map(|line| line.trim_start_matches(['#', ' ']).to_lowercase().replace(' ', "-"));
        assert!(anchor.is_empty() || anchors.any(|one| one == anchor), "{link}");
    }
}
