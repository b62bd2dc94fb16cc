//! Lists of alarms.

use std::time::Duration;

use serde_json::json;

use crate::TestApp;

/// Returns the keys of a list.
async fn keys(app: &TestApp, user: &str, query: &str) -> Vec<String> {
    let answer = app.get(user, &format!("/api/v1/alarms{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    let alarms = answer.body["alarms"].as_array().expect("a list").iter();
    alarms.map(|alarm| alarm["dedup_key"].as_str().expect("a key").to_owned()).collect()
}

async fn app_with_four() -> TestApp {
    let app = TestApp::with(&["anna", "bert"]).await;
    let machine = json!({
        "dedup_key": "machine", "ack_required": true, "priority": "urgent", "title": "Spindel heiß",
        "target_type": "entity_room", "entity_type": "machine", "entity_id": 7,
    });
    for fields in [
        json!({ "dedup_key": "plain" }),
        machine,
        json!({ "dedup_key": "ended", "source_app": "mes" }),
        json!({ "dedup_key": "private", "target_type": "dm", "target_user": "bert" }),
    ] {
        app.report(fields).await;
        app.messenger.pass(Duration::from_secs(1));
    }
    app.report(json!({ "dedup_key": "ended", "source_app": "mes", "event_action": "resolve" })).await;
    app
}

#[tokio::test]
async fn alarms_are_found_by_each_filter() {
    let app = app_with_four().await;
    for (query, expected) in [
        ("", vec!["ended", "machine", "plain"]),
        ("?state=open", vec!["machine", "plain"]),
        ("?state=unack", vec!["machine"]),
        ("?state=closed", vec!["ended"]),
        ("?source_app=mes", vec!["ended"]),
        ("?priority=urgent", vec!["machine"]),
        ("?priority=low", vec![]),
        ("?entity_type=machine&entity_id=7", vec!["machine"]),
        ("?entity_type=machine&entity_id=8", vec![]),
        ("?q=spindel", vec!["machine"]),
        ("?state=&q=", vec!["ended", "machine", "plain"]),
    ] {
        assert_eq!(keys(&app, "anna", query).await, expected, "{query}");
    }
    assert_eq!(keys(&app, "bert", "").await, ["private", "ended", "machine", "plain"]);
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let app = app_with_four().await;
    let (mut found, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        found.push(keys(&app, "bert", &query).await);
        let page = app.get("bert", &format!("/api/v1/alarms{query}")).await.body;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(found, [["private", "ended"], ["machine", "plain"]]);
}
