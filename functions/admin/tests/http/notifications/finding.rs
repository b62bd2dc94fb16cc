//! Notifications are found by each filter, in pages, and as CSV.

use http::{
    Request,
    header::{ACCEPT, AUTHORIZATION},
};
use messenger_core::notification::{Draft, Priority};
use messenger_testkit::fixtures::{dm, draft, machine};
use serde_json::json;

use super::{NOTIFICATIONS, admin, ids, read, send};
use crate::fixture::Site;

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_finds_its_notifications() {
    let site = Site::start().await;
    let stopped =
        send(&site, Draft { body: Some("Störung E-401".to_owned()), ..machine(42, "CNC steht") }).await;
    let direct = send(&site, dm("anna", "Freigabe")).await;
    let urgent =
        send(&site, Draft { priority: Priority::Urgent, source_app: "mes".to_owned(), ..draft("Alarm") })
            .await;
    let all = [urgent.id.0, direct.id.0, stopped.id.0];
    let time = |at: jiff::Timestamp| at.to_string();
    for (query, expected) in [
        (String::new(), all.to_vec()),
        ("app=mes".to_owned(), vec![urgent.id.0]),
        ("app=nobody".to_owned(), vec![]),
        ("priority=urgent".to_owned(), vec![urgent.id.0]),
        ("target_type=dm".to_owned(), vec![direct.id.0]),
        ("target=anna".to_owned(), vec![direct.id.0]),
        ("target=machine:42".to_owned(), vec![stopped.id.0]),
        ("text=ST%C3%96RUNG".to_owned(), vec![stopped.id.0]),
        ("text=alarm&app=mes".to_owned(), vec![urgent.id.0]),
        ("status=pending&text=freigabe".to_owned(), vec![direct.id.0]),
        ("status=sent".to_owned(), vec![]),
        (format!("from={}", time(direct.created_at)), vec![urgent.id.0, direct.id.0]),
        (format!("to={}", time(direct.created_at)), vec![stopped.id.0]),
        (format!("cursor={}", direct.id), vec![stopped.id.0]),
        ("limit=2".to_owned(), vec![urgent.id.0, direct.id.0]),
    ] {
        let found = read(&site, &format!("{NOTIFICATIONS}?{query}")).await;
        assert_eq!(ids(&found), expected, "{query}");
        let is_full = query == "limit=2";
        assert_eq!(found["next_cursor"], if is_full { json!(direct.id.0) } else { json!(null) }, "{query}");
        assert_eq!(found["searched_until"], json!(null), "{query}");
    }
    let limit = site.get(&admin(), &format!("{NOTIFICATIONS}?limit=0")).await;
    let expected = json!([{
        "pointer": "?limit", "message": "must be a whole number from 1 to 200; as CSV from 1 to 10000, is `0`",
    }]);
    assert_eq!((limit.status, &limit.body["errors"]), (422, &expected));
    for wrong in ["status=lost", "from=yesterday", "test=maybe", "limit=201", "cursor=0"] {
        let answer = site.get(&admin(), &format!("{NOTIFICATIONS}?{wrong}")).await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!("invalid_request")), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_in_a_list_changes_its_direction() {
    let site = Site::start().await;
    let body = Some("Zeile 1\n\u{202e}Zeile 2".to_owned());
    let sent = send(&site, Draft { body, ..draft("B\u{200b}öses \u{202e}RTL") }).await;
    send(&site, dm("anna", "\u{2066}Freigabe")).await;
    let found = read(&site, &format!("{NOTIFICATIONS}?target_type=general")).await;
    let found = &found["notifications"][0];
    assert_eq!((&found["title"], &found["body"]), (&json!("Böses RTL"), &json!("Zeile 1\nZeile 2")));
    assert_eq!(sent.draft.title, "B\u{200b}öses \u{202e}RTL", "the stored text stays");
    assert_eq!(read(&site, "/api/v1/admin/held").await["held"][0]["title"], "Freigabe");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_reaches_its_bound_says_how_far_it_went() {
    let site = Site::start().await;
    let old = send(&site, draft("gesucht")).await;
    let client = site.client().await;
    let many = "insert into notifications (tenant_id, token, source_app, event_type, title, target_type, priority,
            queue, status)
        select 1, 'legacy', 'other', 'x', 'x', 'general', 'normal', 'queue', 'sent' from generate_series(1, 30000)";
    client.execute(many, &[]).await.expect("stored");
    let first = read(&site, &format!("{NOTIFICATIONS}?text=gesucht")).await;
    assert_eq!(ids(&first), Vec::<i64>::new());
    assert!(first["searched_until"].is_string(), "{first}");
    let cursor = first["next_cursor"].as_i64().expect("a cursor");
    let second = read(&site, &format!("{NOTIFICATIONS}?text=gesucht&cursor={cursor}")).await;
    assert_eq!((ids(&second), &second["next_cursor"]), (vec![old.id.0], &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spreadsheet_reads_notifications_and_runs_nothing() {
    let site = Site::start().await;
    send(&site, draft("=HYPERLINK(\"http://x\")")).await;
    send(&site, Draft { body: Some("erste\nzweite, \"Zeile\"".to_owned()), ..draft("Größe") }).await;
    let file = site.get(&admin(), &format!("{NOTIFICATIONS}?format=csv")).await;
    let text = file.body.as_str().expect("text").to_owned();
    assert_eq!(file.all_headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<_> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("\u{feff}id,created_at,status,"), "{text}");
    assert!(lines[1].contains(",Größe,\"erste\nzweite, \"\"Zeile\"\"\","), "{text}");
    assert!(lines[2].contains(",\"'=HYPERLINK(\"\"http://x\"\")\","), "{text}");
    let accepting = Request::get(format!("{NOTIFICATIONS}?limit=1"))
        .header(AUTHORIZATION, format!("Bearer {}", admin()))
        .header(ACCEPT, "text/csv");
    let page = site.ask(accepting).await;
    assert!(page.all_headers.contains_key("x-next-cursor"), "{:?}", page.all_headers);
    assert_eq!(page.body.as_str().map(|text| text.split("\r\n").count()), Some(3));
}
