//! The log lines of a notification that could not be stored or delivered.

use messenger_core::error::Failure;
use messenger_runtime::testing::{Log, SERVICE_TOKEN};
use serde_json::json;
use tracing::Level;

use crate::{send, test_app};

#[tokio::test]
async fn a_failed_notification_leaves_neither_its_text_nor_the_token_in_the_log() {
    let (messenger, wire) = test_app();
    let (log, _guard) = Log::collect(Level::TRACE);
    let fields = json!({ "title": "Störung Presse", "body": "Zugangscode 4711" });
    messenger.homeserver.fail_call(1, Failure::Unreachable);
    assert_eq!(send(&wire, &fields).await.status, 201);
    messenger.memory.switch_off();
    let failed = send(&wire, &fields).await;
    assert_eq!(failed.status, 503);

    let id = failed.all_headers["x-request-id"].to_str().expect("text");
    let lines = log.lines_with(id);
    let line = lines.iter().find(|line| line.contains("request failed")).expect("the closing line");
    for part in ["ERROR", "status=503", "route=\"/api/v1/notifications/send\"", "tenant=1"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let text = log.text();
    for secret in ["Störung", "Presse", "Zugangscode", "4711", SERVICE_TOKEN] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}
