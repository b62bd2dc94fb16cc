//! Administrators read the figures of their tenant.

use messenger_testkit::fixtures;
use serde_json::json;

use crate::fixture::{Site, token};

const STATS: &str = "/api/v1/admin/stats";

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_those_of_the_tenant() {
    let site = Site::start().await;
    site.ready("anna").await;
    site.notify(&site.messenger, fixtures::machine(42, "hot")).await;
    site.notify(&site.messenger, fixtures::dm("nobody", "held")).await;
    site.homeserver.reject("bad");
    site.notify(&site.messenger, fixtures::machine(42, "bad")).await;
    let admin = token("chief", "admin", 1);
    let figures = site.get(&admin, STATS).await.body;
    // The administrator is a user, too, whose account is not ready yet.
    assert_eq!((&figures["total_users"], &figures["provisioned_users"]), (&json!(2), &json!(1)));
    assert_eq!(
        figures["rooms_by_type"],
        json!({ "general": 1, "dm": 0, "entity": 1, "service": 0, "custom": 0 })
    );
    assert_eq!(
        figures["failures"],
        json!({ "failed_24h": 1, "expired_24h": 0, "by_reason": { "refused_by_homeserver": 1 } })
    );
    assert_eq!(figures["queue"]["held"], 1);
    let minutes: Vec<_> = figures["sends_per_minute"].as_array().expect("numbers").iter().collect();
    assert_eq!(minutes.len(), 60);
    assert_eq!(minutes[58].as_i64().unwrap_or(0) + minutes[59].as_i64().unwrap_or(0), 3);
    let foreign = site.get(&token("other", "admin", 2), STATS).await.body;
    assert_eq!((&foreign["total_users"], &foreign["queue"]["held"]), (&json!(1), &json!(0)));
    assert_eq!(foreign["failures"]["failed_24h"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_read_while_the_homeserver_is_away() {
    let site = Site::start().await;
    let admin = token("chief", "admin", 1);
    let state = async || site.get(&admin, STATS).await.body;
    let online = state().await;
    assert_eq!((&online["conduit_status"], &online["homeserver"]["since"]), (&json!("online"), &json!(null)));
    site.homeserver.switch_off();
    site.notify(&site.messenger, fixtures::machine(42, "waiting")).await;
    let offline = state().await;
    assert_eq!(offline["conduit_status"], "offline");
    assert!(offline["homeserver"]["since"].is_string(), "{offline}");
    assert_eq!((&offline["queue"]["pending"], &offline["queue"]["queues"]), (&json!(1), &json!(1)));
    assert!(offline["queue"]["oldest_seconds"].as_f64().is_some_and(|age| age < 60.0), "{offline}");
}

#[tokio::test(flavor = "multi_thread")]
async fn event_streams_count_while_their_process_reports_them() {
    let site = Site::start().await;
    let client = site.client().await;
    let reports = "insert into sse_connections (tenant_id, process, connections, reported_at) values
        (1, 'one', 3, now()), (1, 'two', 4, now() - interval '50 seconds'),
        (1, 'ended', 100, now() - interval '61 seconds'), (2, 'one', 20, now())";
    client.execute(reports, &[]).await.expect("stored");
    let figures = site.get(&token("chief", "admin", 1), STATS).await.body;
    assert_eq!(figures["sse_connections"], 7);
    site.messenger.operations().rotate(site.messenger.settings().event_retention).await.expect("rotated");
    let rows: i64 =
        client.query_one("select count(*) from sse_connections", &[]).await.expect("a count").get(0);
    assert_eq!(rows, 3, "a process that has ended is forgotten");
}
