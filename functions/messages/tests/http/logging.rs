//! The log lines of a message that could not be sent.

use messenger_core::error::Failure;
use messenger_runtime::testing::{Log, token};
use serde_json::json;
use tracing::Level;

use crate::TestApp;

const SECRET: &str = "Zugangscode 4711";

#[tokio::test]
async fn a_failed_message_leaves_neither_its_text_nor_a_token_nor_a_name_in_the_log() {
    let app = TestApp::new().await;
    let (log, _guard) = Log::collect(Level::TRACE);
    app.messenger.homeserver.fail_call(1, Failure::Unreachable);
    let failed = app.send("anna", &json!({ "body": SECRET, "txn_id": "t1" })).await;
    assert_eq!(failed.status, 503);
    app.messenger.memory.switch_off();
    assert_eq!(app.send("bert", &json!({ "body": SECRET })).await.status, 503);

    let text = log.text();
    let id = failed.all_headers["x-request-id"].to_str().expect("text");
    let lines = log.lines_with(id);
    let line = lines.iter().find(|line| line.contains("request failed")).expect("the closing line");
    for part in ["ERROR", "status=503", "route=\"/api/v1/messages/send\"", "tenant=1", "latency_ms="] {
        assert!(line.contains(part), "{part}: {line}");
    }
    for secret in ["Zugangscode", "4711", &token("anna"), &token("bert"), "Name von"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}
