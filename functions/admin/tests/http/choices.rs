//! Administrators choose a tenant and an app.

use messenger_core::notification::Draft;
use messenger_testkit::fixtures;
use serde_json::json;

use crate::fixture::{Site, token};

const TENANTS: &str = "/api/v1/admin/tenants";
const APPS: &str = "/api/v1/admin/apps";

#[tokio::test(flavor = "multi_thread")]
async fn a_super_administrator_chooses_among_all_tenants_and_others_have_their_own() {
    let site = Site::start().await;
    let (admin, superior) = (token("a", "admin", 7), token("s", "super_admin", 2));
    site.get(&token("u", "user", 1), "/api/v1/admin/audit").await;
    let own = site.get(&admin, TENANTS).await.body;
    assert_eq!(own, json!({ "tenant_id": 7, "may_choose": false, "tenants": [7] }));
    let all = site.get(&superior, TENANTS).await.body;
    assert_eq!(all, json!({ "tenant_id": 2, "may_choose": true, "tenants": [1, 2, 7] }));
    let empty = site.get(&superior, &format!("{TENANTS}?tenant_id=5")).await.body;
    assert_eq!(empty, json!({ "tenant_id": 5, "may_choose": true, "tenants": [1, 2, 5, 7] }));
    assert_eq!(site.get(&admin, &format!("{TENANTS}?tenant_id=2")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_apps_of_a_tenant_are_listed_with_their_newest_notification() {
    let site = Site::start().await;
    let from = |app: &str, title: &str| Draft { source_app: app.to_owned(), ..fixtures::machine(42, title) };
    site.queue(&site.messenger, from("wms", "first")).await;
    let mes = site.queue(&site.messenger, from("mes", "only")).await.notification;
    let wms = site.queue(&site.messenger, from("wms", "second")).await.notification;
    let listed = site.get(&token("chief", "admin", 1), APPS).await.body;
    let apps: Vec<_> = listed.as_array().expect("apps").iter().collect();
    let named = |app: &serde_json::Value| (app["source_app"].clone(), app["last_notification_id"].clone());
    let expected = [(json!("mes"), json!(mes.id)), (json!("wms"), json!(wms.id))];
    assert_eq!(apps.into_iter().map(named).collect::<Vec<_>>(), expected);
    assert_eq!(site.get(&token("other", "admin", 2), APPS).await.body, json!([]));
    assert_eq!(site.get(&token("anna", "user", 1), APPS).await.status, 403);
}
