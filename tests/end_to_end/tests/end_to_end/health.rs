//! The health endpoint.

use messenger_tests::Stack;
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test]
async fn a_healthy_service_reports_healthy() {
    let stack = Stack::start().await;
    let health = stack.client().get("/api/v1/health").await;
    assert_eq!(health.status, StatusCode::OK);
    assert_eq!(
        health.body,
        json!({
            "status": "healthy", "service": "messenger-service", "conduit": "reachable", "database": "reachable",
            "version": env!("CARGO_PKG_VERSION"),
        })
    );
}
