//! Paths: stages, base paths of custom domains, and percent-encoding.

use messenger_rapi::{Address, Gateway, Request};
use messenger_runtime::testing::{EXPIRY, HUB_SECRET_KEY, signed};
use serde_json::json;

use crate::{database, function, of_user};

/// Returns a request of an administrator of tenant 1.
fn of_administrator(path: &str) -> Request {
    let claims = json!({
        "sub": "chef", "role": "admin", "tenant_id": 1, "display_name": "Chef", "iss": "aesystek-hub",
        "exp": EXPIRY,
    });
    Request::get(path).header("Authorization", format!("Bearer {}", signed(&claims, HUB_SECRET_KEY)))
}

#[tokio::test]
async fn a_function_answers_below_its_base_path_at_each_address_of_an_api() {
    let database = database().await;
    for (base, gateways) in [
        (
            "",
            vec![
                Gateway::http_api(),
                Gateway::FunctionUrl,
                Gateway::HttpApi(Address::mapped("prod", "")),
                Gateway::RestApi(Address::mapped("prod", "")),
            ],
        ),
        (
            "/prod",
            vec![
                Gateway::HttpApi(Address::stage("prod")),
                Gateway::RestApi(Address::stage("prod")),
                // The Function URL of the same function has no stage.
                Gateway::FunctionUrl,
            ],
        ),
        (
            "/hub/messenger/",
            vec![
                Gateway::HttpApi(Address::mapped("prod", "hub/messenger")),
                Gateway::RestApi(Address::mapped("prod", "hub/messenger")),
            ],
        ),
        // A base path that equals the first segment of our own paths.
        ("/api", vec![Gateway::HttpApi(Address::stage("api")), Gateway::RestApi(Address::stage("api"))]),
    ] {
        let function = function("users", &database, &[("BASE_PATH", base)]).await;
        for gateway in gateways {
            let me = of_user("mueller", "/api/v1/users/me?x=%2F").event(&gateway);
            let answer = function.call(&me).await.expect("an answer");
            assert_eq!(answer.status, 200, "{base} {gateway:?}: {}", answer.text());
            assert_eq!(answer.json().expect("JSON")["hub_user_id"], "mueller");
        }
    }
}

#[tokio::test]
async fn a_segment_names_the_same_user_however_its_client_encodes_it() {
    let database = database().await;
    let users = function("users", &database, &[]).await;
    let ids = ["!room:hub.local", "a/b", "50%", "a%2Fb", "ä ö+?#&=", "%41"];
    for id in ids {
        let claims = json!({
            "sub": id, "role": "user", "tenant_id": 1, "display_name": id, "iss": "aesystek-hub", "exp": EXPIRY,
        });
        let token = format!("Bearer {}", signed(&claims, HUB_SECRET_KEY));
        let me = Request::get("/api/v1/users/me").header("Authorization", token);
        let answer = users.call(&me.event(&Gateway::FunctionUrl)).await.expect("an answer");
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
    }
    let admin = function("admin", &database, &[]).await;
    let encoded = |id: &str| {
        let bytes = id.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        });
        bytes.collect::<String>()
    };
    for gateway in [Gateway::FunctionUrl, Gateway::RestApi(Address::mapped("prod", "")), Gateway::http_api()]
    {
        for id in ids {
            // An HTTP API decodes the path, and cuts it at a question mark.
            let is_lost = matches!(gateway, Gateway::HttpApi(_)) && id.contains(['/', '?']);
            let mut spellings = vec![encoded(id)];
            if id.starts_with('!') {
                spellings.push(id.to_owned());
                spellings.push(id.replace('!', "%21"));
            }
            for spelling in spellings {
                let find = of_administrator(&format!("/api/v1/admin/users/{spelling}")).event(&gateway);
                let answer = admin.call(&find).await.expect("an answer");
                let text = answer.text();
                if is_lost {
                    assert_eq!(answer.status, 404, "{gateway:?} {spelling}: {text}");
                } else {
                    assert_eq!(answer.status, 200, "{gateway:?} {spelling}: {text}");
                    assert_eq!(answer.json().expect("JSON")["hub_user_id"], id, "{gateway:?} {spelling}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_router_prints_links_below_the_base_path() {
    let database = database().await;
    let router = function("router", &database, &[("BASE_PATH", "/prod")]).await;
    let gateway = Gateway::HttpApi(Address::stage("prod"));
    let get = async |path: &str| {
        let request = Request::get(path).header("Accept", "text/html");
        router.call(&request.event(&gateway)).await.expect("an answer")
    };
    // The built page has it in `base`, the one that is shown without a build in its links.
    let page = get("/").await.text();
    assert!(page.contains("<base href=\"/prod/\">") || page.contains("href=\"/prod/docs\""), "{page}");
    assert_eq!(get("/openapi.json").await.json().expect("JSON")["servers"][0]["url"], "/prod");
    let docs = get("/docs").await.text();
    assert!(docs.contains("href=\"docs/style.css\"") && docs.contains("href=\"openapi.json\""));
    assert_eq!(get("/docs/style.css").await.status, 200);
}
