//! Access with other Matrix clients: a password that works until it is withdrawn.

use messenger_tests::{Plan, Stack, is_skipped_on_deployment};
use reqwest::StatusCode;
use serde_json::json;

const PATH: &str = "/api/v1/users/me/external-client";
const ACCESS: &str = "/api/v1/admin/users/Anna/external-access";

#[tokio::test]
async fn a_password_works_in_other_clients_until_it_is_withdrawn() {
    if is_skipped_on_deployment("it configures the service") {
        return;
    }
    let environment = vec![("MATRIX_PUBLIC_URL".to_owned(), "https://matrix.example.org/".to_owned())];
    let stack = Stack::start_with(Plan { environment, ..Plan::default() }).await;
    let homeserver = stack.homeserver.as_ref().expect("a homeserver");
    let (anna, boss) = (stack.client().user("Anna"), stack.client().user_with_role("boss", "admin", 1));
    let refused = anna.get(PATH).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::FORBIDDEN, &json!("external_access_disabled"))
    );
    let enabled = boss.post(ACCESS, &json!({ "enabled": true })).await;
    assert_eq!(enabled.status, StatusCode::OK, "{}", enabled.body);

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

    let logged_out = boss.post("/api/v1/admin/users/Anna/logout", &json!({})).await;
    assert_eq!((logged_out.status, &logged_out.body["external_access"]), (StatusCode::OK, &json!("done")));
    assert!(!is_logged_in(homeserver.url(), &element).await, "an administrator logs her out");
    assert!(homeserver.login("_anna", &second).await.is_err());
    let third = anna.get(PATH).await.body["password"].as_str().expect("another password").to_owned();
    let element = homeserver.login("_anna", &third).await.expect("Element logs in");

    let disabled = boss.post(ACCESS, &json!({ "enabled": false })).await;
    assert_eq!((disabled.status, &disabled.body["external_access"]), (StatusCode::OK, &json!("done")));
    assert_eq!(anna.get(PATH).await.status, StatusCode::FORBIDDEN);
    assert!(!is_logged_in(homeserver.url(), &element).await, "and withdraws her access");
    assert!(homeserver.login("_anna", &third).await.is_err());
    let created = anna.post("/api/v1/rooms", &json!({ "name": "and still" })).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    let stored = stored(stack.database_url()).await;
    assert!(![&password, &second, &third].into_iter().any(|one| stored.contains(one)));
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
