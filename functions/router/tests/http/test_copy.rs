//! Copies of a function for tests, on addresses of their own, and the name that leads to them.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{Router, extract::Request, response::IntoResponse};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    process::{Child, Command},
    task::JoinHandle,
    time::{Duration, Instant, sleep},
};

use crate::{PATIENCE, TestApp, router};

const NAME: &str = "rooms.test";
/// The time for which a copy holds a slow request.
const SLOW: Duration = Duration::from_secs(8);
/// The names of a router's system: `/etc/hosts` of a mount namespace of its own.
pub(crate) struct Hosts {
    _directory: tempfile::TempDir,
    path: std::path::PathBuf,
}

impl Hosts {
    pub(crate) fn new(copies: &[u8]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let hosts = Self { path: directory.path().join("hosts"), _directory: directory };
        hosts.set(copies);
        hosts
    }

    /// Gives the name the addresses of these copies.
    pub(crate) fn set(&self, copies: &[u8]) {
        let lines = copies.iter().map(|n| format!("{} {NAME}\n", address(*n)));
        fs::write(&self.path, lines.collect::<String>()).expect("written");
    }

    /// Starts a router that forwards a group to this port of the name.
    pub(crate) async fn router(&self, group: &str, port: u16) -> TestApp {
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
pub(crate) fn address(copy: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 10 + copy)
}

/// A copy that answers each request with 200 and counts it. Probes do not count.
pub(crate) struct TestCopy {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    is_ready: Arc<AtomicBool>,
    server: JoinHandle<()>,
}

impl TestCopy {
    /// Starts a copy at an address of its own. Port 0 is any port.
    pub(crate) fn start(copy: u8, port: u16) -> Self {
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
                sleep(SLOW).await;
            }
            StatusCode::OK.into_response()
        };
        let routes = Router::new().fallback(answer);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Self { address, requests, is_ready, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn set_ready(&self, is_ready: bool) {
        self.is_ready.store(is_ready, Ordering::SeqCst);
    }
}

impl Drop for TestCopy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Starts a function at this address, in a process.
pub(crate) async fn function(copy: u8, port: u16) -> Child {
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

/// Checks the answer to a request that no copy has seen.
pub(crate) async fn assert_unavailable(answer: reqwest::Response) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let after: u64 = answer.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!(after >= 1, "{after}");
    let id = answer.headers()["x-request-id"].to_str().expect("text").to_owned();
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["code"], "upstream_unavailable");
    assert_eq!(problem["request_id"], id);
}
