//! The rate limit of a user's messages and files.

use axum::http::Method;
use serde_json::json;

use crate::{Stand, UPLOAD, by};

#[tokio::test(start_paused = true)]
async fn messages_and_files_of_a_user_are_counted_together() {
    let stand = Stand::configured(&[("LIMIT_SENDS_PER_USER", "2")]).await;
    let room = stand.room.to_string();
    assert_eq!(stand.send("anna", &json!({})).await.status, 200);
    let file: [(&str, &[u8]); 2] =
        [("name=\"room_id\"", room.as_bytes()), ("name=\"file\"; filename=\"a.txt\"", b"text")];
    assert_eq!(stand.upload(&file).await.status, 200);
    let refused = stand.send("anna", &json!({})).await;
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")));
    assert_eq!(refused.all_headers["retry-after"], "30");
    assert_eq!(stand.wire.call(by("anna", Method::POST, UPLOAD), "no form").await.status, 429);
    assert_eq!(stand.history("anna", "").await.status, 200, "reading is not sending");
    assert_eq!(stand.send("bert", &json!({})).await.status, 200);
}
