//! Acts on many notifications.

use http::{Method, Request, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{NOTIFICATIONS, acts, admin, post, work};
use crate::fixture::Site;

const MANY: &str = "
    insert into notifications (tenant_id, token, source_app, event_type, title, target_type, priority, queue, status,
        reason)
    select 1, 'legacy', 'mes', 'x', 'Nummer ' || n, 'service_room', 'normal', 't1:service:mes',
        case when n % 10 = 0 then 'sent' else 'failed' end,
        case when n % 10 = 0 then null else 'refused_by_homeserver' end
    from generate_series(1, 1000) n";

/// Calls an act under a key.
async fn act(site: &Site, name: &str, key: &str, body: Value) -> (u16, Value) {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{NOTIFICATIONS}/{name}"))
        .header(AUTHORIZATION, format!("Bearer {}", admin()))
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", key);
    let answer = site.send(request, body.to_string()).await;
    (answer.status, answer.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_are_retried_with_a_result_for_each() {
    let site = Site::start().await;
    site.client().await.execute(MANY, &[]).await.expect("stored");
    let filter = json!({ "app": "mes" });
    let counted =
        post(&site, &format!("{NOTIFICATIONS}/retry"), Some(json!({ "filter": filter, "dry_run": true })))
            .await;
    assert_eq!(counted, (200, json!({ "matched": 1000, "is_exact": true })));
    let wrong = act(&site, "retry", "k", json!({ "filter": filter, "expected": 999 })).await;
    assert_eq!((wrong.0, &wrong.1["code"]), (409, &json!("number_changed")));
    assert_eq!(acts(&site).await, []);

    let body = json!({ "filter": filter, "expected": 1000 });
    let mut results = Vec::new();
    loop {
        let (status, answer) = act(&site, "retry", "k", body.clone()).await;
        assert_eq!(status, 200, "{answer}");
        results.extend(answer["results"].as_array().cloned().unwrap_or_default());
        assert_eq!(answer["done"].as_i64(), Some(i64::try_from(results.len()).expect("few")));
        if answer["remaining"] == 0 {
            break;
        }
    }
    let count = |result: &str| results.iter().filter(|row| row["result"] == result).count();
    assert_eq!((results.len(), count("retried"), count("skipped")), (1000, 900, 100));
    let skipped = results.iter().find(|row| row["result"] == "skipped").expect("one");
    assert_eq!((&skipped["status"], &skipped["reason"]), (&json!("sent"), &json!("not_retryable")));
    let entries: i64 = site
        .client()
        .await
        .query_one("select count(*) from audit_log where action = 'notification.retry'", &[])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(entries, 900);

    work(&site).await;
    let again = act(&site, "retry", "k", body.clone()).await;
    assert_eq!((&again.1["remaining"], &again.1["results"]), (&json!(0), &json!([])));
    let sent = "select count(*) from notifications where status = 'sent'";
    let sent: i64 = site.client().await.query_one(sent, &[]).await.expect("a count").get(0);
    assert_eq!(sent, 1000);
    assert_eq!(site.homeserver.all_bodies().len(), 900, "each is sent once");
    let other = act(&site, "cancel", "k", body).await;
    assert_eq!((other.0, &other.1["code"]), (422, &json!("idempotency_mismatch")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_without_a_key_or_with_a_wrong_filter_is_refused() {
    let site = Site::start().await;
    let path = format!("{NOTIFICATIONS}/cancel");
    let without_key = post(&site, &path, Some(json!({ "filter": {}, "expected": 0 }))).await;
    assert_eq!((without_key.0, &without_key.1["errors"][0]["pointer"]), (422, &json!("/idempotency_key")));
    for (body, pointer) in [
        (json!({ "expected": 0 }), "/filter"),
        (json!({ "filter": [], "expected": 0 }), "/filter"),
        (json!({ "filter": { "status": "lost" }, "expected": 0 }), "/filter/status"),
        (json!({ "filter": { "ap": "mes" }, "expected": 0 }), "/filter/ap"),
        (json!({ "filter": {} }), "/expected"),
    ] {
        let refused = act(&site, "cancel", "k", body).await;
        assert_eq!((refused.0, &refused.1["errors"][0]["pointer"]), (422, &json!(pointer)), "{}", refused.1);
    }
}
