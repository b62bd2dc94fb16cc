//! Administrators enable and disable other Matrix clients.

use http::Method;
use messenger_core::user::Caller;
use messenger_testkit::fixtures;
use serde_json::{Value, json};

use super::{admin, audit, matrix, path, provision, shown, signed_in};
use crate::fixture::Site;

async fn set(site: &Site, enabled: bool) -> Value {
    let body = Some(json!({ "enabled": enabled }));
    let answer = site.call(&admin(), &Method::POST, &path("anna", "/external-access"), body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["external_client_enabled"], enabled);
    answer.body
}

/// Returns the password that Anna gets.
pub(super) async fn password(site: &Site) -> String {
    let user = site.messenger.users().sign_in(fixtures::identity("anna")).await.expect("signed in");
    let caller = Caller { user, expires_at: "2100-01-01T00:00:00Z".parse().expect("a time") };
    site.messenger.external_clients().credentials(&caller).await.expect("a password").password
}

pub(super) fn works(site: &Site, password: &str) -> bool {
    site.homeserver.accepts_password(&matrix("anna"), password)
}

#[tokio::test(flavor = "multi_thread")]
async fn access_is_given_and_taken_with_an_entry_in_the_log_each() {
    let site = Site::start().await;
    signed_in(&site, "anna").await;
    provision(&site).await;
    let enabled = set(&site, true).await;
    assert_eq!(enabled.get("external_access"), None);
    assert_eq!(set(&site, true).await, enabled);
    let first = password(&site).await;
    assert!(works(&site, &first));
    let disabled = set(&site, false).await;
    assert_eq!(disabled["external_access"], "done");
    assert!(!works(&site, &first));
    assert_eq!(set(&site, false).await, disabled, "repeating it changes nothing");
    let entry = |before: bool| {
        let value = |enabled: bool| json!({ "external_client_enabled": enabled });
        json!(["user.external_access", "anna", value(before), value(!before)])
    };
    assert_eq!(audit(&site).await, [entry(true), entry(false)]);
    for wrong in [json!({}), json!({ "enabled": "yes" }), json!({ "enabled": null })] {
        let answer = site.call(&admin(), &Method::POST, &path("anna", "/external-access"), Some(wrong)).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["pointer"]), (422, &json!("/enabled")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_is_pending_while_the_homeserver_is_away() {
    let site = Site::start().await;
    signed_in(&site, "anna").await;
    provision(&site).await;
    set(&site, true).await;
    let first = password(&site).await;
    site.homeserver.switch_off();
    assert_eq!(set(&site, false).await["external_access"], "pending");
    assert_eq!(shown(&site, "anna").await["external_client_enabled"], false);
    site.homeserver.switch_on();
    assert!(works(&site, &first));
    site.client().await.execute("update external_access set revoke_due = now()", &[]).await.expect("due");
    site.messenger.external_clients().revoke_due().await.expect("revoked");
    assert!(!works(&site, &first));
}
