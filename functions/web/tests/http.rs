//! The web messenger on the wire. The pages themselves are proven in a browser (`functions/web/app/journeys`).

use axum::http::Request;
use messenger_runtime::{
    Routes,
    testing::{TestResponse, Wire},
};
use messenger_testkit::messenger;
use messenger_web::routes;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Returns the routes without their description, which has no word for every other path.
fn wire(variables: &[(&str, &str)]) -> Wire {
    let undescribed = Routes::from(routes().into_router());
    Wire::configured(undescribed, &messenger().build(), variables)
}

async fn get(wire: &Wire, path: &str, accept: &str) -> TestResponse {
    wire.ask(Request::get(path).header("Accept", accept)).await
}

fn header<'r>(response: &'r TestResponse, name: &str) -> &'r str {
    response.all_headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_browser_gets_the_page_at_every_path_that_is_no_interface() {
    let wire = wire(&[]);
    for path in ["/", "/chat", "/chat/%21abc%3Ahub.local", "/meldungen", "/admin"] {
        let response = get(&wire, path, BROWSER).await;
        assert_eq!((response.status, header(&response, "content-type")), (200, "text/html; charset=utf-8"));
        assert_eq!(header(&response, "cache-control"), "no-cache");
    }
    for path in ["/api/v1/nothing", "/assets/gone.js", "/auth/x", "/client/x.js", "/docs/x", "/_matrix/x"] {
        let response = get(&wire, path, BROWSER).await;
        assert_eq!((response.status, response.body["code"].as_str()), (404, Some("not_found")), "{path}");
    }
}

#[tokio::test]
async fn programs_get_json_at_the_root_and_no_page_elsewhere() {
    let wire = wire(&[("BASE_PATH", "")]);
    for accept in ["*/*", "application/json", "application/json, text/html;q=0"] {
        let response = get(&wire, "/", accept).await;
        assert_eq!(response.body["api"], "/api/v1", "{accept}");
        assert_eq!(header(&response, "content-type"), "application/json");
        assert_eq!(get(&wire, "/chat", accept).await.status, 404);
    }
    let post = wire.ask(Request::post("/chat").header("Accept", BROWSER)).await;
    assert_eq!(post.status, 404);
}

#[tokio::test]
async fn the_page_runs_and_loads_nothing_of_others_and_is_framed_by_those_who_are_named() {
    let wire = wire(&[("FRAME_ANCESTORS", "https://hub.example, https://hub.example:8443")]);
    let response = get(&wire, "/", BROWSER).await;
    let policy = header(&response, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("require-trusted-types-for 'script'"), "{policy}");
    assert!(
        policy.ends_with("frame-ancestors 'self' https://hub.example https://hub.example:8443"),
        "{policy}"
    );
}

#[tokio::test]
async fn the_page_is_not_sent_again_to_who_has_it() {
    let wire = wire(&[]);
    let first = get(&wire, "/chat", BROWSER).await;
    let request = Request::get("/chat").header("Accept", BROWSER);
    let again = wire.ask(request.header("If-None-Match", header(&first, "etag"))).await;
    assert_eq!((again.status, again.body.as_str()), (304, Some("")));
}

#[tokio::test]
async fn the_links_of_the_page_begin_at_the_base_path() {
    let wire = wire(&[("BASE_PATH", "/prod")]);
    let page = get(&wire, "/prod/chat", BROWSER).await;
    let html = page.body.as_str().expect("a page");
    // The placeholder of a program that was built without the pages has links of its own.
    assert!(html.contains("<base href=\"/prod/\">") || html.contains("href=\"/prod/docs\""), "{html}");
}

#[tokio::test]
async fn the_settings_of_the_page_hold_no_secret() {
    let wire = Wire::configured(routes(), &messenger().build(), &[("ENVIRONMENT", "development")]);
    let response = wire.ask(Request::get("/client-config")).await;
    let fields: Vec<_> = response.body.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(fields, ["app_version", "bot_user_id", "development", "max_upload_bytes", "version"]);
    assert_eq!(response.body["development"], true);
}
