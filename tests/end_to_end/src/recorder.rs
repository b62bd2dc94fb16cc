//! A recorder of an event stream, which reconnects with its last id after every break, as a browser does.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use messenger_core::lock;
use messenger_testkit::sse::Decoder;
use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::{TestUser, client::builder};

/// The pause before a new connection.
const RETRY: Duration = Duration::from_millis(200);
/// The longest that an event may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// The recorder. It records until it is dropped.
pub struct StreamRecorder {
    events: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl StreamRecorder {
    /// Starts to record. Returns when the stream is connected.
    pub async fn start(user: &TestUser) -> Self {
        let events = Arc::<Mutex<Vec<Value>>>::default();
        let (user, writing) = (user.clone(), events.clone());
        let task = tokio::spawn(async move {
            let mut last_id = String::new();
            loop {
                record(&user, &mut last_id, &writing).await;
                tokio::time::sleep(RETRY).await;
            }
        });
        let recorder = Self { events, task };
        recorder.wait_until(|events| events.iter().any(|event| event["type"] == "connected")).await;
        recorder
    }

    /// Returns the recorded events of a type.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let events = lock(&self.events);
        events.iter().filter(|event| event["type"] == kind).cloned().collect()
    }

    /// Waits until enough events are recorded; returns at the latest after two minutes.
    pub async fn wait_until(&self, enough: impl Fn(&[Value]) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            if enough(&lock(&self.events)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn record(user: &TestUser, last_id: &mut String, events: &Mutex<Vec<Value>>) {
    let http = builder().build().expect("an HTTP client");
    let request = user.request_with(&http, Method::GET, "/api/v1/events/stream");
    let request = if last_id.is_empty() { request } else { request.header("Last-Event-ID", &*last_id) };
    let Ok(response) = request.send().await.and_then(reqwest::Response::error_for_status) else { return };
    let mut decoder = Decoder::default();
    let mut chunks = response.bytes_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        for event in decoder.feed(&chunk) {
            event.last_id.clone_into(last_id);
            lock(events).push(event.json());
        }
        if !decoder.last_id.is_empty() {
            decoder.last_id.clone_into(last_id);
        }
    }
}

impl Drop for StreamRecorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}
