//! Starts, kills and restarts Dynoxide.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use messenger_devstack::Dynoxide;
use messenger_devstack::process::traced;
use serde_json::{Value, json};

/// Calls an operation of the API (Amazon DynamoDB, "DynamoDB low-level API").
async fn call(url: &str, operation: &str, body: Value) -> (u16, Value) {
    let response = reqwest::Client::new()
        .post(url)
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/20260131/eu-central-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0",
        )
        .header("x-amz-date", "20260131T120000Z")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test]
async fn a_server_with_a_file_has_its_tables_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tables.db");
    let mut server = Dynoxide::start(Some(&file), &traced()).await.unwrap();
    let url = server.url().to_owned();
    let table = json!({
        "TableName": "feed",
        "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
        "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
        "BillingMode": "PAY_PER_REQUEST",
    });
    let (status, answer) = call(&url, "CreateTable", table).await;
    assert_eq!(status, 200, "{answer}");
    server.service().kill();
    server.service().start_again().await.unwrap();
    let (status, answer) = call(&url, "ListTables", json!({})).await;
    assert_eq!((status, answer), (200, json!({ "TableNames": ["feed"] })));
}
