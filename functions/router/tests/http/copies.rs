//! The copies of a function: all addresses of a name, which come and go, drain, break and are killed.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::Request, http::Method, response::IntoResponse};
use messenger_runtime::testing::connected;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    process::{Child, Command},
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{PATIENCE, TestApp, nobodys_port, router, silent::head};

const NAME: &str = "rooms.test";
/// A file of the group `EVENTS`, which needs no database.
const FILE: &str = "/client/hub-messenger.js";

/// The names of a router's system: `/etc/hosts` of a mount namespace of its own.
struct Hosts {
    _directory: tempfile::TempDir,
    path: std::path::PathBuf,
}

impl Hosts {
    fn new(copies: &[u8]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let hosts = Self { path: directory.path().join("hosts"), _directory: directory };
        hosts.set(copies);
        hosts
    }

    /// Gives the name the addresses of these copies.
    fn set(&self, copies: &[u8]) {
        let lines = copies.iter().map(|n| format!("{} {NAME}\n", address(*n)));
        fs::write(&self.path, lines.collect::<String>()).expect("written");
    }

    /// Starts a router that forwards a group to this port of the name.
    async fn router(&self, group: &str, port: u16) -> TestApp {
        let mut command = Command::new("unshare");
        let path = self.path.to_str().expect("text");
        let script =
            format!("mount --bind {path} /etc/hosts && exec {}", env!("CARGO_BIN_EXE_messenger-router"));
        command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").kill_on_drop(true);
        command.stdin(Stdio::null());
        TestApp::of(command, &[(group, &format!("http://{NAME}:{port}"))]).await
    }
}

/// Returns the address of a copy on this machine.
fn address(copy: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 10 + copy)
}

/// A copy that answers each request with 200 and counts it. Probes do not count.
struct TestCopy {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    is_ready: Arc<AtomicBool>,
    server: JoinHandle<()>,
}

impl TestCopy {
    /// Starts a copy at an address of its own. Port 0 is any port.
    fn start(copy: u8, port: u16) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        socket.bind((address(copy), port).into()).expect("a port");
        let listener = socket.listen(128).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let (requests, is_ready) = (Arc::<AtomicUsize>::default(), Arc::new(AtomicBool::new(true)));
        let (counted, ready) = (requests.clone(), is_ready.clone());
        let answer = move |request: Request| async move {
            if request.uri().path() == "/readyz" {
                let is_ready = ready.load(Ordering::SeqCst);
                return if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
                    .into_response();
            }
            counted.fetch_add(1, Ordering::SeqCst);
            if request.uri().path() == "/api/v1/rooms/slow" {
                sleep(PATIENCE).await;
            }
            StatusCode::OK.into_response()
        };
        let routes = Router::new().fallback(answer);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Self { address, requests, is_ready, server }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn set_ready(&self, is_ready: bool) {
        self.is_ready.store(is_ready, Ordering::SeqCst);
    }
}

impl Drop for TestCopy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl TestApp {
    /// Sends this number of requests, one after the other. Each of them must succeed.
    async fn ask_rooms(&self, number: usize) {
        for _ in 0..number {
            let answer = self.request(Method::GET, "/api/v1/rooms").send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK);
        }
    }

    /// Asks until this is so.
    async fn ask_until(&self, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PATIENCE, "it never is so");
            self.ask_rooms(1).await;
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Returns the number of requests that each copy gets while `number` are sent.
async fn shares(test_app: &TestApp, copies: &[&TestCopy], number: usize) -> Vec<usize> {
    let before: Vec<_> = copies.iter().map(|copy| copy.count()).collect();
    test_app.ask_rooms(number).await;
    copies.iter().zip(before).map(|(copy, before)| copy.count() - before).collect()
}

#[tokio::test]
async fn all_addresses_of_a_name_are_copies_that_come_and_go_without_a_restart() {
    let first = TestCopy::start(1, 0);
    let port = first.address.port();
    let (second, third) = (TestCopy::start(2, port), TestCopy::start(3, port));
    let copies = [&first, &second, &third];
    let hosts = Hosts::new(&[1]);
    let test_app = hosts.router("UPSTREAM_ROOMS", port).await;
    assert_eq!(shares(&test_app, &copies, 9).await, [9, 0, 0]);

    hosts.set(&[1, 2, 3]);
    test_app.ask_until(|| second.count() > 0 && third.count() > 0).await;
    // A probe of a new copy may still be on its way.
    sleep(Duration::from_millis(500)).await;
    assert_eq!(shares(&test_app, &copies, 30).await, [10, 10, 10]);

    hosts.set(&[3]);
    let before = first.count();
    let slow = tokio::spawn(test_app.request(Method::GET, "/api/v1/rooms").send());
    sleep(Duration::from_secs(4)).await;
    assert!(slow.await.expect("no panic").is_ok());
    assert!(first.count() <= before + 1);
    assert_eq!(shares(&test_app, &copies, 9).await, [0, 0, 9]);
}

#[tokio::test]
async fn a_name_that_resolves_to_nothing_is_503_until_it_does() {
    let copy = TestCopy::start(4, 0);
    let hosts = Hosts::new(&[]);
    let test_app = hosts.router("UPSTREAM_ROOMS", copy.address.port()).await;
    let answer = test_app.request(Method::GET, "/api/v1/rooms").send().await.expect("an answer");
    assert_unavailable(answer).await;
    hosts.set(&[4]);
    let begun = Instant::now();
    while test_app.request(Method::GET, "/api/v1/rooms").send().await.expect("an answer").status() != 200 {
        assert!(begun.elapsed() < PATIENCE, "the name is not looked up again");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(copy.count() > 0);
}

/// Checks the answer to a request that no copy has seen.
async fn assert_unavailable(answer: reqwest::Response) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let after: u64 = answer.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!(after >= 1, "{after}");
    let id = answer.headers()["x-request-id"].to_str().expect("text").to_owned();
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["code"], "upstream_unavailable");
    assert_eq!(problem["request_id"], id);
}

#[tokio::test]
async fn a_group_whose_copies_all_refuse_connections_is_503_and_others_work() {
    let unavailable = format!("http://127.0.0.1:{0},http://127.0.0.2:{0}", nobodys_port().await);
    let test_app = TestApp::open(&[("UPSTREAM_POLL", &unavailable)]).await;
    for method in [Method::GET, Method::POST] {
        let request =
            test_app.request(method, "/api/v1/events/poll").header("X-Request-Id", "satellite-4711");
        assert_unavailable(request.send().await.expect("an answer")).await;
    }
    let here = test_app.request(Method::GET, "/api/v1/users/me").send().await.expect("an answer");
    assert_eq!(here.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_copy_that_is_not_ready_gets_nothing_while_another_is_and_something_if_none_is() {
    let (first, second) = (TestCopy::start(5, 0), TestCopy::start(6, 0));
    let copies = [&first, &second];
    let test_app = TestApp::open(&[("UPSTREAM_ROOMS", &format!("{},{}", first.url(), second.url()))]).await;
    test_app.ask_until(|| first.count() > 0 && second.count() > 0).await;
    first.set_ready(false);
    // The next probe comes within a second.
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(shares(&test_app, &copies, 20).await, [0, 20]);
    second.set_ready(false);
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(
        shares(&test_app, &copies, 20).await,
        [10, 10],
        "both answer, and know best why they do not work"
    );
    first.set_ready(true);
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(shares(&test_app, &copies, 20).await, [20, 0]);
}

#[tokio::test]
async fn a_request_goes_to_the_copy_with_the_fewest_in_flight() {
    let (first, second) = (TestCopy::start(7, 0), TestCopy::start(8, 0));
    let copies = [&first, &second];
    let urls = format!("{},{}", first.url(), second.url());
    let test_app = TestApp::open(&[("UPSTREAM_ROOMS", &urls)]).await;
    let mut slow = Vec::new();
    for n in 1..=6 {
        slow.push(connected(test_app.address, b"GET /api/v1/rooms/slow HTTP/1.1\r\nhost: h\r\n\r\n").await);
        let begun = Instant::now();
        while first.count() + second.count() < n {
            assert!(begun.elapsed() < PATIENCE, "it does not arrive");
            sleep(Duration::from_millis(5)).await;
        }
    }
    assert_eq!((first.count(), second.count()), (3, 3));
    // An odd number: the next ones all go to the copy with one less.
    slow.pop();
    sleep(Duration::from_millis(300)).await;
    let shares = shares(&test_app, &copies, 8).await;
    assert!(shares == [8, 0] || shares == [0, 8], "{shares:?}");
}

/// Starts a copy that reads the head of each request, counts it, and breaks the connection. It answers probes.
async fn breaking_copy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let requests = Arc::<AtomicUsize>::default();
    let counted = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let counted = counted.clone();
            tokio::spawn(async move {
                while let head @ Some(_) = Some(head(&mut socket).await).filter(|head| !head.is_empty()) {
                    if !head.is_some_and(|head| head.starts_with("GET /readyz ")) {
                        counted.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                }
            });
        }
    });
    (url, requests)
}

#[tokio::test]
async fn only_get_and_head_without_a_body_are_sent_again_after_a_connection_broke() {
    let (broken, seen) = breaking_copy().await;
    let working = TestCopy::start(9, 0);
    let test_app = TestApp::open(&[("UPSTREAM_ROOMS", &format!("{broken},{}", working.url()))]).await;
    for method in [Method::GET, Method::HEAD] {
        for _ in 0..10 {
            let answer = test_app.request(method.clone(), "/api/v1/rooms").send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK);
        }
    }
    let seen_before = seen.load(Ordering::SeqCst);
    assert!(seen_before > 0, "the copy that breaks connections is tried");
    assert_eq!(working.count(), 20);

    let mut broken_off = 0;
    for (method, body) in
        [(Method::POST, ""), (Method::POST, "{}"), (Method::GET, "{}"), (Method::DELETE, "")]
    {
        for _ in 0..4 {
            let request = test_app.request(method.clone(), "/api/v1/rooms").body(body);
            let answer = request.send().await.expect("an answer");
            if answer.status() == StatusCode::BAD_GATEWAY {
                let problem: Value = answer.json().await.expect("JSON");
                assert_eq!(problem["code"], "upstream_failed");
                broken_off += 1;
            }
        }
    }
    assert!(broken_off > 0);
    let sent = seen.load(Ordering::SeqCst) - seen_before + working.count() - 20;
    assert_eq!(sent, 16, "each request was sent once");
}

#[tokio::test]
async fn a_get_that_the_only_copy_breaks_is_sent_to_it_once_more_and_is_503() {
    let (broken, seen) = breaking_copy().await;
    let test_app = TestApp::open(&[("UPSTREAM_ROOMS", &broken)]).await;
    assert_unavailable(test_app.request(Method::GET, "/api/v1/rooms").send().await.expect("an answer")).await;
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

/// Starts a function at this address, in a process.
async fn function(copy: u8, port: u16) -> Child {
    let (host, text) = (address(copy), port.to_string());
    let mut command = router(&[
        ("HOST", &host.to_string()),
        ("PORT", &text),
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing"),
    ]);
    let process = command.stderr(Stdio::null()).spawn().expect("it starts");
    let begun = Instant::now();
    while TcpStream::connect((host, port)).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the function does not start");
        sleep(Duration::from_millis(20)).await;
    }
    process
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_get_fails_while_copies_are_killed_and_started_under_load() {
    const COPIES: [u8; 3] = [11, 12, 13];
    let port = nobodys_port().await;
    let mut processes = Vec::new();
    for copy in COPIES {
        processes.push(function(copy, port).await);
    }
    let test_app = Arc::new(Hosts::new(&COPIES).router("UPSTREAM_EVENTS", port).await);
    let is_done = Arc::<AtomicBool>::default();
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let (url, is_done) = (format!("{}{FILE}", test_app.url), is_done.clone());
            tokio::spawn(async move {
                let client = reqwest::Client::builder().no_proxy().build().expect("a client");
                let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
                while !is_done.load(Ordering::SeqCst) {
                    let answer = client.get(&url).send().await.expect("the router itself never fails");
                    *statuses.entry(answer.status().as_u16()).or_default() += 1;
                    answer.bytes().await.expect("a whole body");
                }
                statuses
            })
        })
        .collect();
    for round in 0..6 {
        sleep(Duration::from_millis(400)).await;
        let (killed, copy) = (&mut processes[round % 3], COPIES[round % 3]);
        killed.kill().await.expect("it is killed");
        sleep(Duration::from_millis(300)).await;
        *killed = function(copy, port).await;
    }
    is_done.store(true, Ordering::SeqCst);
    let mut sent = 0;
    for client in clients {
        let statuses = client.await.expect("no panic");
        assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200], "{statuses:?}");
        sent += statuses[&200];
    }
    assert!(sent > 200, "{sent}");
}

#[tokio::test]
async fn a_stream_ends_with_a_whole_block_and_a_retry_when_the_router_stops() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                if head(&mut socket).await.starts_with("GET /readyz ") {
                    let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                    return;
                }
                let begin =
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nid: 1\ndata: 1\n\nid: 2\nda";
                socket.write_all(begin).await.expect("it takes the begin");
                sleep(Duration::from_secs(2)).await;
                socket.write_all(b"ta: 2\n\n").await.expect("it takes the rest of the block");
                let mut rest = [0; 16];
                while let Ok(1..) = socket.read(&mut rest).await {}
            });
        }
    });
    let mut test_app = TestApp::open(&[("UPSTREAM_EVENTS", &url)]).await;
    let stream = b"GET /api/v1/events/stream HTTP/1.1\r\nhost: h\r\n\r\n";
    let socket = connected(test_app.address, stream).await;
    socket.readable().await.expect("a begin");
    let begun = Instant::now();
    test_app.terminate().await;
    let answer = messenger_runtime::testing::to_end(socket).await;
    assert!(test_app.process.wait().await.expect("it ends").success());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let (_, end) = answer.split_once("ta: 2\n\n").expect("the block is whole");
    assert!(
        end.contains("retry: ") && end.contains("data: {\"type\":\"reconnect\",\"retry_ms\":"),
        "{answer}"
    );
    assert!(end.ends_with("\n\n\r\n0\r\n\r\n"), "the body is complete: {answer}");
}
