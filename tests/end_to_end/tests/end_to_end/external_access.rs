//! Access with other Matrix clients: a password that works until it is withdrawn.

use std::time::Duration;

use messenger_core::{
    id::{HubUserId, TenantId},
    port::ExternalAccess,
};
use messenger_store::{PgStore, StoreConfig};
use messenger_tests::{Plan, Stack, wait_until};
use reqwest::StatusCode;
use serde_json::json;

const PATH: &str = "/api/v1/users/me/external-client";

#[tokio::test]
async fn a_password_works_in_other_clients_until_it_is_withdrawn() {
    let environment = vec![("MATRIX_PUBLIC_URL".to_owned(), "https://matrix.example.org/".to_owned())];
    let stack = Stack::start_with(Plan { environment, ..Plan::default() }).await;
    let homeserver = stack.homeserver.as_ref().expect("a homeserver");
    let database_url = stack.database_url().to_owned();
    let connect_wait = Duration::from_secs(30);
    let store = PgStore::new(&StoreConfig { database_url, listen_url: None, pool_size: 2, connect_wait })
        .expect("a store");
    let (tenant, user) = (TenantId(1), HubUserId::new("Anna"));
    let anna = stack.client().user("Anna");
    let refused = anna.get(PATH).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::FORBIDDEN, &json!("external_access_disabled"))
    );
    assert!(store.enable(tenant, &user).await.expect("enabled"));

    let shown = anna.get(PATH).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
    assert_eq!(shown.headers["cache-control"], "no-store");
    let password = shown.body["password"].as_str().expect("a password").to_owned();
    assert_eq!(
        shown.body,
        json!({
            "homeserver": "https://matrix.example.org", "user_id": format!("@_anna:{}", stack.server_name()),
            "username": "_anna", "password": password,
        })
    );
    assert_eq!(anna.get(PATH).await.body, shown.body, "the password stays the same");
    let element = homeserver.login("_anna", &password).await.expect("Element logs in");
    assert!(is_logged_in(homeserver.url(), &element).await);

    let rotated = anna.post(&format!("{PATH}/rotate"), &json!({})).await;
    let second = rotated.body["password"].as_str().expect("another password").to_owned();
    assert_ne!(second, password);
    assert!(homeserver.login("_anna", &password).await.is_err(), "the old password is invalid");
    assert!(!is_logged_in(homeserver.url(), &element).await, "and its devices are logged out");
    let element = homeserver.login("_anna", &second).await.expect("Element logs in");
    let created = anna.post("/api/v1/rooms", &json!({ "name": "the service still acts for her" })).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);

    store.disable(tenant, &user).await.expect("disabled");
    assert_eq!(anna.get(PATH).await.status, StatusCode::FORBIDDEN);
    wait_until("the worker logs her devices out", async || !is_logged_in(homeserver.url(), &element).await)
        .await;
    assert!(homeserver.login("_anna", &second).await.is_err());
    let created = anna.post("/api/v1/rooms", &json!({ "name": "and still" })).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    let stored = stored(stack.database_url()).await;
    assert!(!stored.contains(&second) && !stored.contains(&password));
}

async fn is_logged_in(homeserver: &str, token: &str) -> bool {
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let whoami = http.get(format!("{homeserver}/_matrix/client/v3/account/whoami")).bearer_auth(token);
    whoami.send().await.expect("a response").status().is_success()
}

/// Returns all stored passwords as one text.
async fn stored(database_url: &str) -> String {
    let client = messenger_postgres::connect(database_url).await.expect("a connection");
    let rows =
        client.query("select encode(password, 'escape') from external_access", &[]).await.expect("rows");
    rows.iter().filter_map(|row| row.get::<_, Option<String>>(0)).collect()
}
