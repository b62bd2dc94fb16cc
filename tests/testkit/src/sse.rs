//! A small decoder of `text/event-stream` (WHATWG HTML, "Server-sent events") for tests.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde_json::Value;

/// One event as a client receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// The `id:` field of this event; `None` if it has none and so moves no cursor.
    pub id: Option<String>,
    /// The `Last-Event-ID` that a client would send after this event.
    pub last_id: String,
    /// The `event:` field; empty for an event that `onmessage` receives.
    pub event: String,
    /// The `data:` field.
    pub data: String,
}

impl SseEvent {
    /// Parses `data` as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.data))
    }

    /// Returns the `type` field of the data.
    pub fn kind(&self) -> String {
        self.json()["type"].as_str().expect("an event has a type").to_owned()
    }
}

/// A decoder of bytes into events.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    id: Option<String>,
    event: String,
    data: Option<String>,
    /// The `Last-Event-ID` that a client would send now.
    pub last_id: String,
    /// The last `retry:` field, in milliseconds.
    pub retry: Option<u64>,
}

impl Decoder {
    /// Returns the events that these bytes complete. Lines must end with `\n`, as those of the service do.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<SseEvent> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8(line).expect("a stream of events is UTF-8");
            events.extend(self.line(line.trim_end_matches('\n')));
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<SseEvent> {
        if line.is_empty() {
            return Some(self.dispatch());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.event),
            "data" => match &mut self.data {
                Some(data) => *data = format!("{data}\n{value}"),
                None => self.data = Some(value.to_owned()),
            },
            "retry" => self.retry = Some(value.parse().expect("retry is a number")),
            "" => {}
            _ => panic!("unknown field in the stream: {line}"),
        }
        None
    }

    /// Ends an event at an empty line. Panics if it has no data: the service sends no such event, because
    /// some clients take it for an empty message.
    fn dispatch(&mut self) -> SseEvent {
        let id = self.id.take();
        if let Some(id) = &id {
            id.clone_into(&mut self.last_id);
        }
        let event = std::mem::take(&mut self.event);
        let data = self.data.take().expect("every event has data");
        SseEvent { id, last_id: self.last_id.clone(), event, data }
    }
}

/// A reader of a byte stream as events.
pub struct Reader<S> {
    chunks: S,
    /// The decoder, with the last id and `retry`.
    pub decoder: Decoder,
    ready: VecDeque<SseEvent>,
}

impl<S, E> Reader<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Debug,
{
    /// Makes a reader that starts at the beginning of a stream.
    pub fn new(chunks: S) -> Self {
        Self { chunks, decoder: Decoder::default(), ready: VecDeque::new() }
    }

    /// Returns the next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let chunk = self.chunks.next().await?.expect("the stream does not break");
            self.ready.extend(self.decoder.feed(&chunk));
        }
    }

    /// Returns the next event that is no keepalive; `None` when the stream has ended.
    pub async fn next_without_keepalives(&mut self) -> Option<SseEvent> {
        loop {
            let event = self.next().await?;
            if event.kind() != "keepalive" {
                return Some(event);
            }
        }
    }

    /// Returns all events that arrive within this time.
    pub async fn within(&mut self, time: Duration) -> Vec<SseEvent> {
        let mut events = Vec::new();
        let end = tokio::time::Instant::now() + time;
        while let Ok(Some(event)) = tokio::time::timeout_at(end, self.next()).await {
            events.push(event);
        }
        events
    }
}
