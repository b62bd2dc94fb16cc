//! A stopped container ends in time, and its streams know when to connect again.

use std::time::Duration;

use futures::TryStreamExt as _;
use messenger_tests::{Stack, client::raw, control_of_deployment};
use reqwest::Method;
use tokio::time::timeout;

/// Docker's grace for a container.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_container_ends_its_streams_with_retry_and_exits_with_0() {
    let Some(control) = control_of_deployment() else { return };
    let stack = Stack::start().await;
    let client = stack.client();
    for service in ["events", "router"] {
        let user = client.user("mueller");
        let mut stream =
            raw(client.request(Method::GET, "/api/v1/events/stream").bearer_auth(&user.token)).await;
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            while let Ok(Some(chunk)) = stream.try_next().await {
                text.push_str(&String::from_utf8_lossy(&chunk));
            }
            text
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (exit_code, took) = control.stop(service).await;
        assert_eq!(exit_code, 0, "{service}");
        assert!(took < GRACE, "{service} took {took:?}");
        let text = timeout(GRACE, reading).await.expect("the stream ends").expect("text");
        let last = text.trim_end().rsplit("\n\n").next().unwrap_or_default();
        assert!(text.matches("retry:").count() >= 2, "{service}: {text}");
        assert!(last.contains("retry:"), "{service} ends with: {last}");
        control.start(service).await;
    }
    for service in ["worker", "rooms", "notifications"] {
        let (exit_code, took) = control.stop(service).await;
        assert_eq!(exit_code, 0, "{service}");
        assert!(took < GRACE, "{service} took {took:?}");
        control.start(service).await;
    }
}
