//! The bytes of a stream on the socket: chunked for HTTP/1.1, bare for HTTP/1.0, and how they end.

use std::time::Duration;

use messenger_tests::{Client, Plan, Stack, TestUser};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// How long bytes may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn alone() -> (Stack, Client, TestUser) {
    let stack = Stack::planned(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let client = stack.client();
    let person = client.person("mueller");
    (stack, client, person)
}

/// A connection and what has been read from it.
struct Raw {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    async fn connect(client: &Client) -> Self {
        let socket = TcpStream::connect(client.address()).await.expect("a connection");
        Self { socket, read: Vec::new() }
    }

    async fn ask(&mut self, path: &str, version: &str) {
        let request = format!("GET {path} {version}\r\nHost: messenger\r\n\r\n");
        self.socket.write_all(request.as_bytes()).await.expect("written");
    }

    async fn ask_stream(&mut self, person: &TestUser, version: &str) {
        self.ask(&format!("/api/v1/events/stream?token={}", person.token), version).await;
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// Reads until a text has come, and after it this end.
    async fn until(&mut self, text: &str, end: &str) -> String {
        while !(self.text().contains(text) && self.text().ends_with(end)) {
            let read = timeout(PATIENCE, self.socket.read_buf(&mut self.read)).await;
            assert!(read.expect("bytes in time").expect("bytes") > 0, "ended: {}", self.text());
        }
        self.text()
    }

    async fn into_rest(mut self) -> String {
        let read = timeout(PATIENCE, self.socket.read_to_end(&mut self.read)).await;
        read.expect("it ends in time").expect("bytes");
        self.text()
    }
}

async fn notify(client: &Client, title: &str) {
    let body = json!({ "source_app": "a", "event_type": "e", "title": title });
    client.notify_with(&body, "?wait=0", None).await;
}

/// Takes the chunks of a body apart: each must be whole.
fn chunks(mut body: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    while !body.is_empty() {
        let (size, rest) = body.split_once("\r\n").expect("a chunk has a size");
        let size = usize::from_str_radix(size, 16).expect("the size is hexadecimal");
        let (data, rest) = rest.split_at(size);
        chunks.push(data);
        body = rest.strip_prefix("\r\n").expect("a chunk ends with a line end");
    }
    chunks
}

#[tokio::test]
async fn each_event_is_a_chunk_for_http_1_1_and_the_last_chunk_ends_the_stream() {
    let (mut stack, client, person) = alone().await;
    let mut raw = Raw::connect(&client).await;
    raw.ask_stream(&person, "HTTP/1.1").await;
    raw.until("connected", "}\n\n\r\n").await;
    for title in ["Störung ✅", "ąść"] {
        notify(&client, title).await;
        // Everything of the event is there before the next one is sent, also its line end.
        raw.until(title, "}\n\n\r\n").await;
    }
    stack.router.stop().await;
    let text = raw.into_rest().await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    for line in ["transfer-encoding: chunked", "content-type: text/event-stream; charset=utf-8"] {
        assert_eq!(head.lines().filter(|has| has.eq_ignore_ascii_case(line)).count(), 1, "{head}");
    }
    let chunks = chunks(body);
    assert!(chunks[0].starts_with("retry: 3000\nid: 0\ndata: {"), "{body}");
    assert!(chunks[1].starts_with("id: 1\ndata: ") && chunks[2].starts_with("id: 2\ndata: "), "{body}");
    let [.., notice, last] = &*chunks else { panic!("{body}") };
    assert!(notice.starts_with("retry: ") && notice.contains("\ndata: {\"type\":\"reconnect\""), "{body}");
    assert_eq!(*last, "", "{body}");
    let blocks: String = chunks.concat();
    assert!(blocks.split_terminator("\n\n").all(|block| block.contains("data: {")), "{blocks}");
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_the_events_bare() {
    let (mut stack, client, person) = alone().await;
    let mut raw = Raw::connect(&client).await;
    raw.ask_stream(&person, "HTTP/1.0").await;
    raw.until("connected", "}\n\n").await;
    notify(&client, "one").await;
    raw.until("\"one\"", "}\n\n").await;
    stack.router.stop().await;
    let text = raw.into_rest().await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(!head.contains("transfer-encoding") && !head.contains("content-length"), "{head}");
    assert!(body.starts_with("retry: 3000\nid: 0\ndata: {") && body.ends_with("}\n\n"), "{body}");
    assert!(!body.contains('\r'), "{body}");
}

#[tokio::test]
async fn a_stream_that_comes_second_on_a_connection_is_framed_once() {
    let (_stack, client, person) = alone().await;
    let mut raw = Raw::connect(&client).await;
    raw.ask("/livez", "HTTP/1.1").await;
    raw.until("alive", "alive").await;
    raw.read.clear();
    raw.ask_stream(&person, "HTTP/1.1").await;
    raw.until("connected", "}\n\n\r\n").await;
    notify(&client, "one").await;
    let text = raw.until("\"one\"", "}\n\n\r\n").await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.to_ascii_lowercase().contains("transfer-encoding: chunked"), "{head}");
    let chunks = chunks(body);
    assert!(chunks[0].starts_with("retry: 3000\nid: 0\ndata: {"), "{body}");
    assert!(chunks[1].starts_with("id: 1\ndata: {"), "{body}");
}

#[tokio::test]
async fn a_refusal_on_the_path_of_streams_has_a_length() {
    let (_stack, client, _person) = alone().await;
    let mut raw = Raw::connect(&client).await;
    raw.ask("/api/v1/events/stream", "HTTP/1.1").await;
    let text = raw.into_rest().await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn a_stream_from_an_upstream_is_framed_as_well() {
    let (home, _, person) = alone().await;
    let (events, _process) = home.another("messenger-events").await;
    let front = Stack::planned(Plan {
        homeserver: false,
        worker: false,
        database_url: Some(home.database_url().to_owned()),
        environment: vec![("UPSTREAM_EVENTS".to_owned(), events)],
        ..Plan::default()
    })
    .await;
    let mut raw = Raw::connect(&front.client()).await;
    raw.ask_stream(&person, "HTTP/1.1").await;
    raw.until("connected", "}\n\n\r\n").await;
    notify(&front.client(), "one").await;
    let text = raw.until("\"one\"", "}\n\n\r\n").await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let framed = head.to_ascii_lowercase().matches("transfer-encoding: chunked").count();
    assert_eq!(framed, 1, "{head}");
    assert!(chunks(body).concat().starts_with("retry: 3000\nid: 0\ndata: {"), "{body}");
    let module = front.client().get("/client/hub-messenger.js").await;
    assert_eq!(module.status, 200, "the module for pages comes from there, too");
}
