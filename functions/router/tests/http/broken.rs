//! Copies that break connections or are killed, and a router that stops in the middle of a stream.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::http::Method;
use messenger_runtime::testing::{connected, to_end};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::{Instant, sleep},
};

use crate::{
    TestApp, nobodys_port,
    silent::{READY, head},
    test_copy::{Hosts, TestCopy, assert_unavailable, function},
};

/// A file of the group `EVENTS`, which needs no database.
const FILE: &str = "/client/hub-messenger.js";

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
                let mut statuses = BTreeMap::<u16, usize>::new();
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
                    let _ = socket.write_all(READY).await;
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
    let answer = to_end(socket).await;
    assert!(test_app.process.wait().await.expect("it ends").success());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let (_, end) = answer.split_once("ta: 2\n\n").expect("the block is whole");
    assert!(
        end.contains("retry: ") && end.contains("data: {\"type\":\"reconnect\",\"retry_ms\":"),
        "{answer}"
    );
    assert!(end.ends_with("\n\n\r\n0\r\n\r\n"), "the body is complete: {answer}");
}
