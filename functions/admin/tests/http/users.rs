//! The users of a tenant, as administrators see and change them.

mod external_access;
mod last_seen;
mod listing;
mod logout;
mod renaming;

use http::{Method, Request, header::AUTHORIZATION};
use messenger_core::{
    id::{HubUserId, MatrixUserId},
    user::{Identity, Role},
};
use messenger_runtime::testing::TestResponse;
use messenger_testkit::fixtures;
use serde_json::{Value, json};

use crate::fixture::{Site, token};

const USERS: &str = "/api/v1/admin/users";

/// Returns the token of the administrator of tenant 1.
fn admin() -> String {
    token("boss", "admin", 1)
}

/// Returns the path of a user, with a part after it.
fn path(user: &str, part: &str) -> String {
    format!("{USERS}/{user}{part}")
}

/// Signs a user of tenant 1 in whose name is their id.
async fn signed_in(site: &Site, user: &str) {
    named(site, user, user, Role::User).await;
}

/// Signs a user of tenant 1 in with this name and role.
async fn named(site: &Site, user: &str, name: &str, role: Role) {
    let identity = Identity { display_name: name.to_owned(), role, ..fixtures::identity(user) };
    site.messenger.users().sign_in(identity).await.expect("signed in");
}

/// Does the work of the worker on accounts.
async fn provision(site: &Site) {
    while site.messenger.provisioning().provision_due().await.expect("accounts can be read") > 0 {}
}

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

/// Returns a user as the administrator sees them.
async fn shown(site: &Site, user: &str) -> Value {
    let answer = site.get(&admin(), &path(user, "")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.all_headers["etag"], format!("\"{}\"", answer.body["version"]).as_str());
    answer.body
}

/// Acts on a user as the administrator, on this version of theirs.
async fn act_on(
    site: &Site,
    method: &Method,
    path: &str,
    version: &str,
    body: Option<Value>,
) -> TestResponse {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(AUTHORIZATION, format!("Bearer {}", admin()))
        .header("Content-Type", "application/json")
        .header("If-Match", version);
    site.wire.call(request, body.map(|body| body.to_string()).unwrap_or_default()).await
}

/// Returns action, subject, and the values before and after of each entry of the audit log, newest first.
async fn audit(site: &Site) -> Vec<Value> {
    let log = site.get(&admin(), "/api/v1/admin/audit").await.body;
    let entries = log["entries"].as_array().expect("entries").clone();
    assert!(entries.iter().all(|entry| entry["actor"] == "boss" && entry["tenant_id"] == 1), "{entries:?}");
    let values = entries.iter();
    values.map(|one| json!([one["action"], one["subject"], one["before"], one["after"]])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_other_tenants_and_unknown_ones_do_not_exist() {
    let site = Site::start().await;
    let foreign = Identity { tenant: fixtures::OTHER_TENANT, ..fixtures::identity("otto") };
    site.messenger.users().sign_in(foreign).await.expect("signed in");
    signed_in(&site, "anna").await;
    for user in ["otto", "nobody", "%00", "%20", &"x".repeat(300)] {
        for (method, part, body) in [
            (Method::GET, "", None),
            (Method::PATCH, "", Some(json!({ "display_name": "Neu" }))),
            (Method::POST, "/external-access", Some(json!({ "enabled": true }))),
            (Method::POST, "/logout", None),
        ] {
            let answer = site.call(&admin(), &method, &path(user, part), body).await;
            assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{method} {user}");
        }
    }
    let listed = site.get(&admin(), USERS).await.body;
    let ids: Vec<_> = listed.as_array().expect("a list").iter().map(|user| &user["hub_user_id"]).collect();
    assert_eq!(ids, ["anna", "boss"]);
    let superior = token("chief", "super_admin", 1);
    let renamed = json!({ "display_name": "Otto Neu" });
    let elsewhere = format!("{}?tenant_id=2", path("otto", ""));
    assert_eq!(site.call(&superior, &Method::PATCH, &elsewhere, Some(renamed)).await.status, 200);
    assert_eq!(audit(&site).await, [] as [Value; 0], "it stands in the log of the other tenant");
    let known = site.messenger.users().is_known(fixtures::OTHER_TENANT, &HubUserId::new("otto")).await;
    assert!(known.expect("known"));
}
