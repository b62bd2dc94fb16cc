//! The copies of a function: all addresses of a name, which come and go, and get requests by their state and
//! their number in flight.

use std::time::Duration;

use axum::http::Method;
use messenger_runtime::testing::connected;
use reqwest::StatusCode;
use tokio::time::{Instant, sleep};

use crate::{
    PATIENCE, TestApp, nobodys_port,
    test_copy::{Hosts, TestCopy, assert_unavailable},
};

impl TestApp {
    /// Sends this number of requests, one after the other. Each of them must succeed.
    async fn ask_rooms(&self, number: usize) {
        for _ in 0..number {
            let answer = self.request(Method::GET, "/api/v1/rooms").send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK);
        }
    }
}

/// Returns the number of requests that each copy gets while `number` are sent.
async fn shares(test_app: &TestApp, copies: &[&TestCopy], number: usize) -> Vec<usize> {
    let before: Vec<_> = copies.iter().map(|copy| copy.count()).collect();
    test_app.ask_rooms(number).await;
    copies.iter().zip(before).map(|(copy, before)| copy.count() - before).collect()
}

/// Sends requests until the copies get these shares of them.
async fn until_shares(test_app: &TestApp, copies: &[&TestCopy], expected: &[usize]) {
    let begun = Instant::now();
    loop {
        let shares = shares(test_app, copies, expected.iter().sum()).await;
        if shares == expected {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{shares:?} of {expected:?}");
        sleep(Duration::from_millis(50)).await;
    }
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

    let held = tokio::spawn(test_app.request(Method::GET, "/api/v1/rooms/slow").send());
    hosts.set(&[1, 2, 3]);
    until_shares(&test_app, &copies, &[10, 10, 10]).await;
    hosts.set(&[3]);
    until_shares(&test_app, &copies, &[0, 0, 9]).await;
    let held = held.await.expect("no panic").expect("an answer");
    assert_eq!(held.status(), StatusCode::OK, "a copy that is gone finishes what it has in flight");
    hosts.set(&[2, 3]);
    until_shares(&test_app, &copies, &[0, 6, 6]).await;
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
    until_shares(&test_app, &copies, &[10, 10]).await;
    first.set_ready(false);
    until_shares(&test_app, &copies, &[0, 20]).await;
    second.set_ready(false);
    // Both answer, and know best why they do not work.
    until_shares(&test_app, &copies, &[10, 10]).await;
    first.set_ready(true);
    until_shares(&test_app, &copies, &[20, 0]).await;
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
