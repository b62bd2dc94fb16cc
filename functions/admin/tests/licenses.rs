//! The lists of licences, on the wire.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use axum::http::Request;
use messenger_admin::routes;
use messenger_runtime::testing::{EXPIRY, HUB_SECRET_KEY, Wire, signed};
use messenger_testkit::messenger;
use serde_json::{Value, json};

const LISTS: [&str; 4] = ["rust", "frontend", "python", "system"];

fn wire() -> Wire {
    Wire::new(routes(), &messenger().build())
}

/// Returns a list as a viewer gets it.
async fn list(wire: &Wire, name: &str) -> Vec<Value> {
    let claims =
        json!({ "sub": "mueller", "role": "viewer", "tenant_id": 1, "iss": "aesystek-hub", "exp": EXPIRY });
    let viewer = format!("Bearer {}", signed(&claims, HUB_SECRET_KEY));
    let request = Request::get(format!("/api/v1/licenses/{name}")).header("Authorization", viewer);
    let answer = wire.ask(request).await;
    assert_eq!(
        (answer.status, &answer.all_headers["content-type"]),
        (200, &"application/json".parse().expect("it"))
    );
    answer.body.as_array().expect("an array").clone()
}

#[tokio::test]
async fn each_entry_has_exactly_the_four_keys_of_the_old_panel_in_the_order_of_names() {
    let wire = wire();
    for name in LISTS {
        let entries = list(&wire, name).await;
        for entry in &entries {
            let keys: Vec<_> = entry.as_object().expect("an object").keys().map(String::as_str).collect();
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, ["License", "Name", "URL", "Version"], "{entry}");
            for key in ["Name", "Version", "License"] {
                assert!(entry[key].as_str().is_some_and(|text| !text.trim().is_empty()), "{name}: {entry}");
            }
            assert!(entry["URL"].as_str().is_some_and(|url| url.starts_with("https://")), "{name}: {entry}");
        }
        assert!(entries.is_sorted_by_key(|entry| entry["Name"].as_str()), "{name}");
    }
}

#[tokio::test]
async fn the_rust_list_has_the_crates_of_the_programs_and_none_of_the_tests() {
    let entries = list(&wire(), "rust").await;
    let named = |name: &str| entries.iter().find(|entry| entry["Name"] == name);
    let tokio = named("tokio").expect("tokio");
    assert_eq!(
        (&tokio["License"], &tokio["URL"]),
        (&json!("MIT"), &json!("https://github.com/tokio-rs/tokio"))
    );
    for deployed in ["axum", "hyper", "tokio-postgres", "serde_json", "rustls"] {
        assert!(named(deployed).is_some(), "{deployed}");
    }
    for other in ["insta", "jsonschema", "cc", "windows-sys", "messenger-core"] {
        assert!(named(other).is_none(), "{other}");
    }
}

#[tokio::test]
async fn the_other_lists_have_what_is_installed_with_client_pages_and_image() {
    let wire = wire();
    let names = async |name: &str| {
        let entries = list(&wire, name).await;
        entries.iter().map(|entry| entry["Name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert!(names("python").await.contains(&"httpx".to_owned()));
    assert!(names("system").await.contains(&"libc6".to_owned()));
    let frontend = names("frontend").await;
    assert!(["vue", "reka-ui"].iter().all(|shipped| frontend.contains(&(*shipped).to_owned())));
    assert!(!frontend.iter().any(|package| package == "vitest"), "what tests alone need is not listed");
}

#[tokio::test]
async fn nobody_reads_a_list_without_a_token() {
    for name in LISTS {
        let answer = wire().ask(Request::get(format!("/api/v1/licenses/{name}"))).await;
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!("token_missing")), "{name}");
    }
}
