//! Administrators administer their own tenant, super administrators every one.

use serde_json::json;

use crate::fixture::{Site, token};

const AUDIT: &str = "/api/v1/admin/audit";

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_administer() {
    let site = Site::start().await;
    for (role, expected) in [
        ("viewer", 403),
        ("user", 403),
        ("terminal", 403),
        ("manager", 403),
        ("admin", 200),
        ("super_admin", 200),
    ] {
        let answer = site.get(&token(role, role, 1), AUDIT).await;
        assert_eq!(answer.status, expected, "{role}");
        if expected == 403 {
            assert_eq!(answer.body["code"], "admin_role_needed", "{role}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_exists_for_super_administrators_only() {
    let site = Site::start().await;
    let (admin, superior) = (token("a", "admin", 1), token("s", "super_admin", 1));
    let status = async |token: &str, tenant: &str| {
        site.get(token, &format!("{AUDIT}?tenant_id={tenant}")).await.status
    };
    assert_eq!(status(&admin, "1").await, 200);
    assert_eq!(status(&admin, "2").await, 404);
    assert_eq!(status(&superior, "2").await, 200);
    let wrong = site.get(&superior, &format!("{AUDIT}?tenant_id=two")).await;
    assert_eq!((wrong.status, &wrong.body["errors"][0]["pointer"]), (422, &json!("?tenant_id")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_append_only() {
    let site = Site::start().await;
    let client = site.client().await;
    let entry = "select append_audit(1, 'anna', '127.0.0.1', null, 'user.rename', 'bert', null, null)";
    client.execute(entry, &[]).await.expect("appended");
    for change in ["update audit_log set actor = 'bert'", "delete from audit_log", "truncate audit_log"] {
        let refused = client.batch_execute(change).await.expect_err("refused");
        assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("42501"), "{change}");
    }
    let listed = site.get(&token("anna", "admin", 1), AUDIT).await.body;
    assert_eq!(listed["entries"][0]["action"], "user.rename");
    assert_eq!(listed["entries"].as_array().map(Vec::len), Some(1));
    let foreign = site.get(&token("otto", "admin", 2), AUDIT).await.body;
    assert_eq!(foreign["entries"], json!([]));
}
