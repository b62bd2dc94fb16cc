//! A page of an inbox reads a limited number of rows in two statements at most, whatever its filter, and however
//! many notifications are stored for others.

use messenger_core::{
    id::NotificationId,
    inbox::{InboxQuery, ReadEntries},
    notification::{EntityId, Priority},
    port::{Inbox, Users},
    search::SearchTerms,
};
use messenger_testkit::fixtures::{TENANT, identity, payload, user};
use serde_json::json;

use crate::{database::TestStore, plans::rows_read};

/// Notifications to everybody, to the rooms of machines and to users, in the order of their times.
const MANY: &str = "
    insert into notifications (tenant_id, token, source_app, event_type, title, target_type, target_user,
        entity_type, entity_id, priority, queue, status, created_at)
    select case when n % 20 = 0 then 2 else 1 end, 'legacy', 'app' || n % 400, 'x', 'Nummer ' || n,
        case n % 3 when 0 then 'dm' when 1 then 'general' else 'entity_room' end,
        case when n % 3 = 0 then 'user' || n % 100 end,
        case when n % 3 = 2 then 'machine' end, case when n % 3 = 2 then to_jsonb(n % 500) end,
        case when n % 97 = 0 then 'urgent' else 'normal' end,
        case when n % 3 = 2 then 't1:entity:machine/' || n % 500 else 'queue ' || n % 10 end, 'sent',
        '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 second'
    from generate_series(1, 200000) n";
/// Two scans of a thousand, the count of unread ones, and a page.
const READ_MAX: i64 = 2 * 1000 + 2 * 1100 + 500;

fn queries() -> [(&'static str, InboxQuery); 10] {
    let any = || InboxQuery { limit: 50, ..InboxQuery::default() };
    let text = |text: &str| Some(text.to_owned());
    [
        ("none", any()),
        ("far back", InboxQuery { before: Some(NotificationId(5000)), ..any() }),
        ("unread", InboxQuery { unread: true, ..any() }),
        ("urgent", InboxQuery { priority: Some(Priority::Urgent), ..any() }),
        ("unread and urgent", InboxQuery { unread: true, priority: Some(Priority::Urgent), ..any() }),
        ("app", InboxQuery { source_app: text("app7"), ..any() }),
        ("unknown app", InboxQuery { source_app: text("nobody"), ..any() }),
        ("entity", InboxQuery { entity: Some(("machine".to_owned(), EntityId::Number(8))), ..any() }),
        ("words", InboxQuery { text: SearchTerms::parse("nirgends").ok(), ..any() }),
        ("since", InboxQuery { since: "2026-01-03T00:00:00Z".parse().ok(), ..any() }),
    ]
}

#[tokio::test]
async fn a_page_reads_a_limited_number_of_rows() {
    let database = TestStore::create().await;
    let client = database.client().await;
    for name in ["user3", "anna"] {
        database.beside().sign_in(&identity(name), name).await.expect("signed in");
    }
    client.batch_execute(MANY).await.expect("rows");
    client.batch_execute("vacuum analyze notifications").await.expect("analysed");
    // The users have read nothing, half, and all but the newest.
    for mark in [0, 100_000, 199_990] {
        client.execute("update inbox_marks set read_up_to = $1", &[&i64::from(mark)]).await.expect("marked");
        for (name, query) in queries() {
            for reader in ["user3", "anna"] {
                let before = rows_read(&client, &["notifications", "inbox"]).await;
                {
                    let store = database.beside();
                    let statements = store.statements();
                    let page = store.page(TENANT, &user(reader), &query).await.expect("a page");
                    assert!(page.is_some(), "{name}");
                    assert_eq!(store.statements() - statements, 1, "{name}");
                }
                let read = rows_read(&client, &["notifications", "inbox"]).await - before;
                // Words are looked for in 5000 notifications of each scan.
                let most = if name == "words" { READ_MAX + 2 * 4000 } else { READ_MAX };
                assert!(read <= most, "{name} of {reader} after {mark}: {read} rows were read");
            }
        }
    }
}

#[tokio::test]
async fn pages_of_each_filter_join() {
    let database = TestStore::create().await;
    let store = database.beside();
    store.sign_in(&identity("user3"), "user3").await.expect("signed in");
    let client = database.client().await;
    client.batch_execute(MANY).await.expect("rows");
    let ids = [NotificationId(199_999), NotificationId(199_903)].to_vec();
    let marks = ReadEntries { up_to: Some(NotificationId(150_001)), ids };
    store.read(TENANT, &user("user3"), &marks, &payload(&json!({}))).await.expect("marked");
    let own = "tenant_id = 1 and (target_user is null or target_user = 'user3')";
    for (filter, query) in [
        ("priority = 'urgent'", InboxQuery { priority: Some(Priority::Urgent), ..InboxQuery::default() }),
        ("source_app = 'app7'", InboxQuery { source_app: Some("app7".to_owned()), ..InboxQuery::default() }),
        (
            "source_app = 'app3' and priority = 'urgent'",
            InboxQuery {
                source_app: Some("app3".to_owned()),
                priority: Some(Priority::Urgent),
                ..InboxQuery::default()
            },
        ),
        (
            "title like '%77%' and title like '%9%'",
            InboxQuery { text: SearchTerms::parse("77 9").ok(), ..InboxQuery::default() },
        ),
        (
            "id > 150001 and id not in (199999, 199903) and priority = 'urgent'",
            InboxQuery { unread: true, priority: Some(Priority::Urgent), ..InboxQuery::default() },
        ),
    ] {
        let stored = format!("select id from notifications where {own} and {filter} order by id desc");
        let stored = client.query(&stored, &[]).await.expect("ids");
        let stored: Vec<i64> = stored.iter().map(|row| row.get(0)).collect();
        let (mut query, mut found) = (InboxQuery { limit: 37, ..query }, Vec::new());
        loop {
            let page = store.page(TENANT, &user("user3"), &query).await.expect("a page").expect("a user");
            found.extend(page.entries.iter().map(|entry| entry.notification.id.0));
            query.before = page.next_before;
            if query.before.is_none() {
                break;
            }
        }
        assert!(!stored.is_empty(), "{filter}");
        assert_eq!(found, stored, "{filter}");
    }
}
