//! Somebody who listens for long, as a browser does: comes back after every break, with the id of what it heard last.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt as _;
use messenger_testkit::sse::Decoder;
use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::TestUser;

/// How long a browser waits before it comes back.
const RETRY: Duration = Duration::from_millis(200);
/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// What somebody has heard so far. Listens until it is dropped.
pub struct Listener {
    heard: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens from now on; returns when it is connected.
    pub async fn start(person: &TestUser) -> Self {
        let heard = Arc::<Mutex<Vec<Value>>>::default();
        let (person, writing) = (person.clone(), heard.clone());
        let task = tokio::spawn(async move {
            let mut last_id = String::new();
            loop {
                listen(&person, &mut last_id, &writing).await;
                tokio::time::sleep(RETRY).await;
            }
        });
        let listener = Self { heard, task };
        listener.until(|events| events.iter().any(|event| event["type"] == "connected")).await;
        listener
    }

    /// What was heard of a type.
    pub fn heard(&self, kind: &str) -> Vec<Value> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter(|event| event["type"] == kind).cloned().collect()
    }

    /// Waits until enough was heard; at last returns anyway.
    pub async fn until(&self, enough: impl Fn(&[Value]) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            if enough(&self.heard.lock().unwrap_or_else(PoisonError::into_inner)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn listen(person: &TestUser, last_id: &mut String, heard: &Mutex<Vec<Value>>) {
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let request = person.anew(&http, Method::GET, "/api/v1/events/stream");
    let request = if last_id.is_empty() { request } else { request.header("Last-Event-ID", &*last_id) };
    let Ok(response) = request.send().await.and_then(reqwest::Response::error_for_status) else { return };
    let mut decoder = Decoder::default();
    let mut pieces = response.bytes_stream();
    while let Some(Ok(piece)) = pieces.next().await {
        for event in decoder.feed(&piece) {
            event.last_id.clone_into(last_id);
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(event.json());
        }
        if !decoder.last_id.is_empty() {
            decoder.last_id.clone_into(last_id);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Describes for a failed test where the ids of heard messages leave the room's order, and which are missing.
pub fn difference(heard: &[String], in_room: &[String]) -> String {
    let place = |id: &String| in_room.iter().position(|other| other == id);
    let heard: Vec<_> = heard.iter().map(place).collect();
    let breaks = heard.windows(2).enumerate().filter_map(|(n, pair)| match pair {
        [Some(one), Some(next)] if one + 1 == *next => None,
        [one, next] => Some(format!("{n}: {one:?} then {next:?}")),
        _ => None,
    });
    let breaks: Vec<_> = breaks.collect();
    let missing: Vec<_> = (0..in_room.len()).filter(|place| !heard.contains(&Some(*place))).collect();
    let (began, count) = (heard.first(), heard.len());
    format!("{count} of {}, from {began:?}, breaks {breaks:?}, missing {missing:?}", in_room.len())
}
