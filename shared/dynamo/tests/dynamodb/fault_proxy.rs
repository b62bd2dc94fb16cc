//! A proxy in front of DynamoDB that fails as a network and a busy DynamoDB do.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Response, StatusCode},
};
use bytes::Bytes;
use messenger_core::lock;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// The type of errors in the API.
const NAMESPACE: &str = "com.amazonaws.dynamodb.v20120810";
const BATCH_WRITE: &str = "DynamoDB_20120810.BatchWriteItem";

/// A fault of each request from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Writes are refused because of too many requests.
    ThrottledWrites,
    /// Half of the items of a batch are written, and the others are returned.
    HalfWritten,
    /// There is no answer, and nothing is done.
    Silent,
    /// The request is done, but its answer is lost.
    LostAnswer,
    /// The answer comes late.
    Slow(Duration),
    /// The server fails.
    Away,
    /// One in three requests has one of the other faults.
    Random,
}

/// A running proxy. It ends when this value is dropped.
pub(crate) struct FaultProxy {
    url: String,
    fault: Arc<Mutex<Fault>>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Proxied {
    upstream: String,
    fault: Arc<Mutex<Fault>>,
    client: reqwest::Client,
}

impl FaultProxy {
    pub(crate) async fn in_front_of(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let fault = Arc::new(Mutex::new(Fault::None));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let proxied = Proxied { upstream: upstream.to_owned(), fault: fault.clone(), client };
        let service = Router::new().fallback(answer).with_state(proxied);
        let task = tokio::spawn(async move { axum::serve(listener, service).await.expect("it serves") });
        Self { url, fault, task }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn set(&self, fault: Fault) {
        *lock(&self.fault) = fault;
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(proxied): State<Proxied>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let operation = head.headers.get("x-amz-target").and_then(|name| name.to_str().ok()).unwrap_or_default();
    let is_batch = operation == BATCH_WRITE;
    let mut fault = *lock(&proxied.fault);
    if fault == Fault::Random {
        fault = match rand::random_range(0..18) {
            0 => Fault::ThrottledWrites,
            1 | 2 => Fault::HalfWritten,
            3 => Fault::LostAnswer,
            4 => Fault::Slow(Duration::from_millis(200)),
            5 => Fault::Away,
            _ => Fault::None,
        };
    }
    match fault {
        Fault::ThrottledWrites if is_batch => throttled(),
        Fault::HalfWritten if is_batch => {
            let (written, returned) = halves(&body);
            let mut answer = proxied.forward(&head.headers, written).await;
            if let Some(fields) = answer.as_mut().ok().and_then(Value::as_object_mut) {
                fields.insert("UnprocessedItems".to_owned(), returned);
            }
            match answer {
                Ok(answer) => json_answer(StatusCode::OK, &answer),
                Err(failed) => failed,
            }
        }
        Fault::Silent => pending().await,
        Fault::LostAnswer => {
            let _ = proxied.forward(&head.headers, body).await;
            pending().await
        }
        Fault::Away => json_answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!({ "__type": format!("{NAMESPACE}#InternalServerError"), "message": "away" }),
        ),
        other => {
            if let Fault::Slow(delay) = other {
                tokio::time::sleep(delay).await;
            }
            match proxied.forward(&head.headers, body).await {
                Ok(answer) => json_answer(StatusCode::OK, &answer),
                Err(failed) => failed,
            }
        }
    }
}

impl Proxied {
    /// Returns the answer, or the response of a failure.
    async fn forward(&self, headers: &axum::http::HeaderMap, body: Bytes) -> Result<Value, Response<Body>> {
        let mut request = self.client.post(&self.upstream).body(body);
        for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let body = answer.bytes().await.expect("a body");
        let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status == StatusCode::OK { Ok(value) } else { Err(json_answer(status, &value)) }
    }
}

/// Returns the body with the first half of the items, and the other half.
fn halves(body: &Bytes) -> (Bytes, Value) {
    let mut request: Value = serde_json::from_slice(body).expect("JSON");
    let mut returned = json!({});
    let tables = request["RequestItems"].as_object_mut().expect("tables");
    for (table, items) in tables {
        let items = items.as_array_mut().expect("items");
        let rest = items.split_off(items.len().div_ceil(2));
        if !rest.is_empty() {
            returned[table] = rest.into();
        }
    }
    (request.to_string().into(), returned)
}

fn throttled() -> Response<Body> {
    json_answer(
        StatusCode::BAD_REQUEST,
        &json!({
            "__type": format!("{NAMESPACE}#ProvisionedThroughputExceededException"),
            "message": "too many requests",
        }),
    )
}

fn json_answer(status: StatusCode, body: &Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.0")
        .body(Body::from(body.to_string()))
        .expect("a response")
}
