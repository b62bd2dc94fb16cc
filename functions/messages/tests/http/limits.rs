//! The rate limit of a user's messages and files.

use axum::http::Method;
use serde_json::json;

use crate::{TestApp, UPLOAD, by};

#[tokio::test(start_paused = true)]
async fn messages_and_files_of_a_user_are_counted_together() {
    let app = TestApp::configured(&[("LIMIT_SENDS_PER_USER", "2")]).await;
    let room = app.room.to_string();
    assert_eq!(app.send("anna", &json!({})).await.status, 200);
    let file: [(&str, &[u8]); 2] =
        [("name=\"room_id\"", room.as_bytes()), ("name=\"file\"; filename=\"a.txt\"", b"text")];
    assert_eq!(app.upload(&file).await.status, 200);
    let refused = app.send("anna", &json!({})).await;
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")));
    assert_eq!(refused.all_headers["retry-after"], "30");
    assert_eq!(app.wire.call(by("anna", Method::POST, UPLOAD), "no form").await.status, 429);
    assert_eq!(app.history("anna", "").await.status, 200, "reading is not sending");
    assert_eq!(app.send("bert", &json!({})).await.status, 200);
}
