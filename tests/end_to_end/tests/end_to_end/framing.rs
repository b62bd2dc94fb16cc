//! The bytes of a stream on the socket: chunked for HTTP/1.1, unframed for HTTP/1.0, and their end.

use std::time::Duration;

use messenger_tests::{Client, Part, Plan, Stack, TestUser, is_skipped_on_deployment, is_skipped_on_lambda};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// The longest that bytes may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn start_without_homeserver() -> (Stack, Client, TestUser) {
    let stack = Stack::start_with(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let client = stack.client();
    let user = client.user("mueller");
    (stack, client, user)
}

/// A connection and the bytes that were read from it.
struct Raw {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    async fn connect(client: &Client) -> Self {
        let socket = TcpStream::connect(client.address()).await.expect("a connection");
        Self { socket, read: Vec::new() }
    }

    async fn get(&mut self, path: &str, version: &str) {
        let request = format!("GET {path} {version}\r\nHost: messenger\r\n\r\n");
        self.socket.write_all(request.as_bytes()).await.expect("written");
    }

    async fn get_stream(&mut self, user: &TestUser, version: &str) {
        self.get(&format!("/api/v1/events/stream?token={}", user.token), version).await;
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// Reads until the bytes contain a text and have this end.
    async fn read_until(&mut self, text: &str, end: &str) -> String {
        while !(self.text().contains(text) && self.text().ends_with(end)) {
            let read = timeout(PATIENCE, self.socket.read_buf(&mut self.read)).await;
            assert!(read.expect("bytes in time").expect("bytes") > 0, "ended: {}", self.text());
        }
        self.text()
    }

    async fn read_to_end(mut self) -> String {
        let read = timeout(PATIENCE, self.socket.read_to_end(&mut self.read)).await;
        read.expect("the end in time").expect("bytes");
        self.text()
    }
}

async fn notify(client: &Client, title: &str) {
    let body = json!({ "source_app": "a", "event_type": "e", "title": title });
    let response = client.notify_with(&body, "?wait=0", None).await;
    // Without this the test would wait for the event forever, since keepalives go on.
    assert!(response.status.is_success(), "{}", response.body);
}

/// Splits a body into its chunks, which must be complete.
fn chunks(mut body: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    while !body.is_empty() {
        let (size, after) = body.split_once("\r\n").expect("a chunk has a size");
        let size = usize::from_str_radix(size, 16).expect("the size is hexadecimal");
        let (data, after) = after.split_at(size);
        chunks.push(data);
        body = after.strip_prefix("\r\n").expect("a chunk ends with a line end");
    }
    chunks
}

#[tokio::test]
async fn each_event_is_a_chunk_for_http_1_1_and_the_last_chunk_ends_the_stream() {
    if is_skipped_on_lambda("it stops the router") {
        return;
    }
    let (mut stack, client, user) = start_without_homeserver().await;
    let mut raw = Raw::connect(&client).await;
    raw.get_stream(&user, "HTTP/1.1").await;
    raw.read_until("connected", "}\n\n\r\n").await;
    for title in ["Störung ✅", "ąść"] {
        notify(&client, title).await;
        // The complete event with its line end has arrived before the next one is sent.
        raw.read_until(title, "}\n\n\r\n").await;
    }
    stack.stop(Part::Function("events")).await;
    let text = raw.read_to_end().await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    for line in ["transfer-encoding: chunked", "content-type: text/event-stream; charset=utf-8"] {
        assert_eq!(head.lines().filter(|has| has.eq_ignore_ascii_case(line)).count(), 1, "{head}");
    }
    let chunks = chunks(body);
    assert!(chunks[0].starts_with("retry: 3000\nid: 0\ndata: {"), "{body}");
    assert!(chunks[1].starts_with("id: 1\ndata: ") && chunks[2].starts_with("id: 2\ndata: "), "{body}");
    let [.., final_frame, last] = &*chunks else { panic!("{body}") };
    assert!(
        final_frame.starts_with("retry: ") && final_frame.contains("\ndata: {\"type\":\"reconnect\""),
        "{body}"
    );
    assert_eq!(*last, "", "{body}");
    let blocks: String = chunks.concat();
    assert!(blocks.split_terminator("\n\n").all(|block| block.contains("data: {")), "{blocks}");
}

#[tokio::test]
async fn an_http_1_0_client_gets_the_events_without_chunks() {
    if is_skipped_on_lambda("it stops the router") {
        return;
    }
    let (mut stack, client, user) = start_without_homeserver().await;
    let mut raw = Raw::connect(&client).await;
    raw.get_stream(&user, "HTTP/1.0").await;
    raw.read_until("connected", "}\n\n").await;
    notify(&client, "one").await;
    raw.read_until("\"one\"", "}\n\n").await;
    stack.stop(Part::Function("events")).await;
    let text = raw.read_to_end().await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(!head.contains("transfer-encoding") && !head.contains("content-length"), "{head}");
    assert!(body.starts_with("retry: 3000\nid: 0\ndata: {") && body.ends_with("}\n\n"), "{body}");
    assert!(!body.contains('\r'), "{body}");
}

#[tokio::test]
async fn a_second_response_on_a_connection_is_framed_once() {
    let (_stack, client, user) = start_without_homeserver().await;
    let mut raw = Raw::connect(&client).await;
    raw.get("/livez", "HTTP/1.1").await;
    raw.read_until("alive", "alive").await;
    raw.read.clear();
    raw.get_stream(&user, "HTTP/1.1").await;
    raw.read_until("connected", "}\n\n\r\n").await;
    notify(&client, "one").await;
    let text = raw.read_until("\"one\"", "}\n\n\r\n").await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.to_ascii_lowercase().contains("transfer-encoding: chunked"), "{head}");
    let chunks = chunks(body);
    assert!(chunks[0].starts_with("retry: 3000\nid: 0\ndata: {"), "{body}");
    assert!(chunks[1].starts_with("id: 1\ndata: {"), "{body}");
}

#[tokio::test]
async fn an_error_on_the_stream_path_has_a_content_length() {
    if is_skipped_on_lambda("the emulator frames responses itself") {
        return;
    }
    let (_stack, client, _person) = start_without_homeserver().await;
    let mut raw = Raw::connect(&client).await;
    raw.get("/api/v1/events/stream", "HTTP/1.1").await;
    let text = raw.read_to_end().await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn a_stream_of_an_upstream_is_framed() {
    if is_skipped_on_deployment("it starts another process") {
        return;
    }
    let (home, _, user) = start_without_homeserver().await;
    let (events, _process) = home.start_function("messenger-events").await;
    let front = Stack::start_with(Plan {
        homeserver: false,
        worker: false,
        database_url: Some(home.database_url().to_owned()),
        environment: vec![("UPSTREAM_EVENTS".to_owned(), events)],
        ..Plan::default()
    })
    .await;
    let mut raw = Raw::connect(&front.client()).await;
    raw.get_stream(&user, "HTTP/1.1").await;
    raw.read_until("connected", "}\n\n\r\n").await;
    notify(&front.client(), "one").await;
    let text = raw.read_until("\"one\"", "}\n\n\r\n").await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let framed = head.to_ascii_lowercase().matches("transfer-encoding: chunked").count();
    assert_eq!(framed, 1, "{head}");
    assert!(chunks(body).concat().starts_with("retry: 3000\nid: 0\ndata: {"), "{body}");
    let module = front.client().get("/client/hub-messenger.js").await;
    assert_eq!(module.status, 200, "the upstream serves the JavaScript client, too");
}
