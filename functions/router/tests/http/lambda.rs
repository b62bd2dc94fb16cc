//! The router on Lambda, under a Runtime API of this test: spans leave the process before it may be frozen.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::timeout,
};

use crate::{PATIENCE, router};

const INVOCATION: &str = "/2018-06-01/runtime/invocation/";

/// A step of the router.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Exported,
    Answered,
    /// It asked for another invocation; a frozen process does no more than this.
    Asked,
}

/// Returns the first invocation: `GET /nowhere` by a function URL.
fn invocation() -> Response {
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/nowhere", "rawQueryString": "", "headers": {},
        "isBase64Encoded": false,
        "requestContext": {
            "accountId": "1", "apiId": "1", "domainName": "h", "domainPrefix": "h", "requestId": "1",
            "routeKey": "$default", "stage": "$default", "time": "1", "timeEpoch": 1,
            "http": {
                "method": "GET", "path": "/nowhere", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7",
                "userAgent": "test",
            },
        },
    });
    let headers = [
        ("lambda-runtime-aws-request-id", "1"),
        ("lambda-runtime-deadline-ms", "9999999999999"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:1:function:router"),
    ];
    (headers, event.to_string()).into_response()
}

/// Answers as the Runtime API and as a collector.
async fn answer(request: Request, steps: UnboundedSender<Step>, is_invoked: Arc<AtomicBool>) -> Response {
    let path = request.uri().path().to_owned();
    if path == format!("{INVOCATION}next") {
        if !is_invoked.swap(true, Ordering::SeqCst) {
            return invocation();
        }
        let _ = steps.send(Step::Asked);
        std::future::pending::<()>().await;
    }
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap_or_default();
    if path == "/v1/traces" && !body.is_empty() {
        let _ = steps.send(Step::Exported);
        return ([(CONTENT_TYPE, "application/x-protobuf")], Body::empty()).into_response();
    }
    if path == format!("{INVOCATION}1/response") {
        let _ = steps.send(Step::Answered);
    }
    StatusCode::ACCEPTED.into_response()
}

#[tokio::test]
async fn an_invocation_exports_its_spans_before_the_next_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, mut steps) = unbounded_channel();
    let is_invoked = Arc::<AtomicBool>::default();
    let routes = Router::new().fallback(move |request: Request| answer(request, sender, is_invoked));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let variables = [
        ("AWS_LAMBDA_RUNTIME_API", url.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "router"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "router"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "1"),
        ("ENVIRONMENT", "development"),
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
        // No batch is due while the test runs.
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
    ];
    let _process = router(&variables).spawn().expect("it starts");
    let mut seen = Vec::new();
    while seen.last() != Some(&Step::Asked) {
        seen.push(timeout(PATIENCE, steps.recv()).await.expect("a step in time").expect("the API runs"));
    }
    assert!(seen.contains(&Step::Exported), "{seen:?}");
    let more = timeout(Duration::from_millis(200), steps.recv()).await;
    assert!(more.is_err(), "nothing is left to be exported: {more:?}");
}
