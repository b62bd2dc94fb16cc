//! One trace and one request id from the satellite to the homeserver, over all processes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use messenger_devstack::service::Service;
use messenger_tests::{
    Collector, ExportedSpan, Plan, Stack, client::fetch, eventually, is_skipped_on_deployment,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// The span of the satellite, which exports nothing itself.
const SATELLITE: &str = "b7ad6b7169203331";
const REQUEST_ID: &str = "satellite-4711";

/// A service in four processes that export traces: the router of `front`, its upstream, and the worker of
/// `home`, beside a homeserver.
struct Traced {
    collector: Collector,
    home: Stack,
    front: Stack,
    _upstream: Service,
}

impl Traced {
    async fn start() -> Self {
        let collector = Collector::start().await;
        let environment = collector.environment();
        let home = Stack::start_with(Plan { environment: environment.clone(), ..Plan::default() }).await;
        let (url, upstream) = home.start_function("messenger-notifications").await;
        let database_url = Some(home.database_url().to_owned());
        let environment = [environment, vec![("UPSTREAM_NOTIFICATIONS".to_owned(), url)]].concat();
        let plan = Plan { homeserver: false, worker: false, database_url, environment, ..Plan::default() };
        let front = Stack::start_with(plan).await;
        Self { collector, home, front, _upstream: upstream }
    }

    /// Sends a notification in this trace. Returns the stored notification.
    async fn notify(&self, trace: &str, wait: &str) -> Value {
        let body = json!({
            "source_app": "geheime-app", "event_type": "geheimes-ereignis", "title": "Geheimer Titel",
            "body": "Geheimer Text", "target_type": "entity_room", "entity_type": "Presse",
            "entity_id": "geheime-presse",
        });
        let request = self.front.client().notification(&body, &format!("?wait={wait}"), None);
        let request = request.header("X-Request-Id", REQUEST_ID);
        let response = fetch(request.header("traceparent", format!("00-{trace}-{SATELLITE}-01"))).await;
        assert_eq!(response.status, StatusCode::CREATED);
        assert_eq!(response.headers["x-request-id"], REQUEST_ID);
        response.body
    }
}

/// Waits until all spans from the satellite's down to this one are exported, since each process exports its spans in
/// batches of its own. Returns them as services and names.
async fn ancestry(collector: &Collector, last: &ExportedSpan) -> Vec<String> {
    eventually(async || exported_ancestry(&collector.trace(&last.trace), last)).await
}

/// Returns `None` if a span on the way was not exported.
fn exported_ancestry(spans: &[ExportedSpan], last: &ExportedSpan) -> Option<Vec<String>> {
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    let (mut lines, mut span) = (Vec::new(), last);
    loop {
        lines.push(format!("{} {} {:?}", span.service, span.name, span.kind));
        if span.parent == SATELLITE {
            lines.reverse();
            return Some(lines);
        }
        span = by_id.get(span.parent.as_str())?;
    }
}

fn is_sent_by(service: &str) -> impl Fn(&ExportedSpan) -> bool {
    move |span| span.service == service && span.name.contains("/send/m.room.message/") && !span.is_error
}

#[tokio::test]
async fn a_notification_that_waits_for_the_homeserver_is_one_trace_over_four_processes() {
    const SENT_AT_ONCE: &str = "0af7651916cd43dd8448eb211c80319c";
    const WAITED: &str = "1af7651916cd43dd8448eb211c80319c";
    if is_skipped_on_deployment("it configures the service") {
        return;
    }
    let traced = Traced::start().await;
    let collector = &traced.collector;

    // The room exists from then on. The caller waits, so the function delivers.
    assert_eq!(traced.notify(SENT_AT_ONCE, "10").await["status"], "sent");
    let sent = collector.wait_for(SENT_AT_ONCE, is_sent_by("messenger-notifications")).await;
    assert_eq!(
        ancestry(collector, &sent).await,
        [
            "messenger-router POST /api/v1/notifications/{*rest} Server",
            "messenger-router POST Client",
            "messenger-notifications POST /api/v1/notifications/send Server",
            "messenger-notifications deliver outbox Consumer",
            "messenger-notifications PUT /_matrix/client/v3/rooms/{id}/send/m.room.message/{id} Client",
        ]
    );

    // Nobody waits, and the homeserver is frozen: the worker delivers as soon as it goes on.
    traced.home.homeserver.as_ref().expect("a homeserver").process().pause();
    let stored = traced.notify(WAITED, "0").await;
    assert_eq!(stored["status"], "pending");
    tokio::time::sleep(Duration::from_secs(2)).await;
    traced.home.homeserver.as_ref().expect("a homeserver").process().resume();
    let sent = collector.wait_for(WAITED, is_sent_by("messenger-worker")).await;
    let delivery = collector.wait_for(WAITED, |span| span.id == sent.parent).await;
    assert_eq!(
        ancestry(collector, &sent).await,
        [
            "messenger-router POST /api/v1/notifications/{*rest} Server",
            "messenger-router POST Client",
            "messenger-notifications POST /api/v1/notifications/send Server",
            "messenger-worker deliver outbox Consumer",
            "messenger-worker PUT /_matrix/client/v3/rooms/{id}/send/m.room.message/{id} Client",
        ]
    );
    let spans = collector.trace(WAITED);
    let processes: BTreeSet<_> = spans.iter().map(|span| &span.instance).collect();
    assert_eq!(processes.len(), 3, "beside the satellite's: {spans:#?}");
    assert!(delivery.duration > Duration::from_secs(1), "it has waited: {delivery:#?}");
    assert_attributes(&spans, &sent, &delivery, &stored["id"]);
    assert_no_secret(&collector.spans());
}

#[track_caller]
fn assert_attributes(spans: &[ExportedSpan], sent: &ExportedSpan, delivery: &ExportedSpan, id: &Value) {
    let of = |span: &ExportedSpan, name: &str| span.attributes.get(name).cloned().unwrap_or_default();
    assert_eq!(of(delivery, "messaging.message.id"), id.to_string());
    assert_eq!(of(delivery, "messaging.destination.name"), "outbox");
    assert_eq!(of(sent, "http.response.status_code"), "200");
    let request = spans.iter().find(|span| span.name == "POST /api/v1/notifications/send");
    let request = request.expect("the span of the function");
    assert_eq!(of(request, "http.route"), "/api/v1/notifications/send");
    assert_eq!(of(request, "http.request.method"), "POST");
    assert_eq!(of(request, "http.response.status_code"), "201");
    assert_eq!(of(request, "messenger.request_id"), REQUEST_ID);
}

/// Asserts that no span holds a text, a name or a token of the notification, of users or of rooms.
#[track_caller]
fn assert_no_secret(spans: &[ExportedSpan]) {
    for span in spans {
        let text = format!("{} {:?}", span.name, span.attributes).to_lowercase();
        for secret in ["geheim", "presse", "token", "@", "!", "%21", "%40"] {
            assert!(!text.contains(secret), "{secret}: {span:#?}");
        }
    }
}

#[tokio::test]
async fn the_worker_logs_the_request_id_of_a_notification_that_it_cannot_deliver() {
    if is_skipped_on_deployment("it reads the logs of its processes") {
        return;
    }
    let stack = Stack::start_with(Plan { homeserver: false, ..Plan::default() }).await;
    let body = json!({ "source_app": "a", "event_type": "e", "title": "t" });
    let request = stack.client().notification(&body, "?wait=0", None).header("X-Request-Id", REQUEST_ID);
    let response = fetch(request).await;
    assert_eq!(response.status, StatusCode::CREATED);
    let kept = "select request_id from notifications where id = $1::text::bigint";
    let id = response.body["id"].to_string();
    assert_eq!(stack.query(kept, &id).await.as_deref(), Some(REQUEST_ID));
    let line = eventually(async || {
        let log = stack.log("messenger-worker");
        let mut lines = log.lines();
        lines.find(|line| line.contains("delivery of a notification postponed")).map(str::to_owned)
    });
    let line = line.await;
    assert!(line.contains(&format!("request_id={REQUEST_ID}")), "{line}");
}
