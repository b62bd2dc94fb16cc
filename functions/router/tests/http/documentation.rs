//! The description of all functions: as a file, as JSON and as a page.

use axum::http::Method;
use serde_json::Value;

use crate::{TestApp, elsewhere, router};

const CHECKED_IN: &str = include_str!("../../../../docs/openapi.json");

#[tokio::test]
async fn the_checked_in_document_is_that_of_the_code() {
    let printed = router(&[]).arg("openapi").output().await.expect("it ends");
    assert!(printed.status.success());
    let printed = String::from_utf8(printed.stdout).expect("text");
    assert!(printed == CHECKED_IN, "docs/openapi.json is stale: write it with `cargo xtask openapi`");
}

#[tokio::test]
async fn the_router_describes_all_functions_wherever_they_run() {
    let there = elsewhere().await;
    let test_app = TestApp::open(&[("UPSTREAM_ROOMS", &there)]).await;
    let answer = test_app.request(Method::GET, "/openapi.json").send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/json");
    let document: Value = answer.json().await.expect("JSON");
    assert_eq!(document, serde_json::from_str::<Value>(CHECKED_IN).expect("JSON"));
}

#[tokio::test]
async fn the_page_shows_each_operation_and_loads_nothing_from_elsewhere() {
    let test_app = TestApp::open(&[]).await;
    let answer = test_app.request(Method::GET, "/docs").send().await.expect("an answer");
    let policy = answer.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    let page = answer.text().await.expect("text");
    let document: Value = serde_json::from_str(CHECKED_IN).expect("JSON");
    for item in document["paths"].as_object().expect("paths").values() {
        for operation in item.as_object().expect("operations").values() {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(page.contains(&format!("<details id=\"{id}\"")), "{id}");
        }
    }
    for elsewhere in ["http://", "https://", "<script", "style=\""] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    let links = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
    for link in links {
        assert!(page.contains(&format!("id=\"{link}\"")), "the link #{link} leads nowhere");
    }
    let style = test_app.request(Method::GET, "/docs/style.css").send().await.expect("an answer");
    assert_eq!(style.headers()["content-type"], "text/css; charset=utf-8");
}
