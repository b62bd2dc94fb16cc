//! The search in messages with and without its index: the rows that it reads, finds and deletes.

use std::time::Duration;

use jiff::Timestamp;
use messenger_core::{
    id::{EventId, MatrixUserId, RoomId},
    message::Mentions,
    port::{self, Change, IngestedEvent, MessageSearch, Messages},
    room::{Marks, Profile, RoomKey, RoomKind},
    search::{FoundMessages, MessageQuery, SearchTerms, fold},
};
use messenger_store::PgStore;
use messenger_testkit::fixtures::{TENANT, identity, room, user};
use tokio::time::Instant;
use tokio_postgres::Client;

use crate::{database::TestStore, plans::rows_read};

/// Messages in `$1` rooms of two tenants: `sonderfall` in one of 10 000, `spindel` in one of ten, but none in the
/// rooms of Anna after the first half.
const MANY: &str = "
    insert into message_texts (tenant_id, matrix_room_id, event_id, sender, sent_at, text, folded)
    select case when room % 20 = 19 then 2 else 1 end, '!' || room, '$' || n, '@user' || n % 100 || ':hub.local',
           now(), text, text
    from (
        select n, n * 7919 % $1::bigint as room,
            'auftrag ' || md5(n::text) || ' teil ' || n % 1000
            || case when n % 10000 = 0 then ' sonderfall' else '' end
            || case when n % 10 = 0 and (n * 7919 % $1::bigint >= 50 or n < $2::bigint / 2) then ' hauptspindel' else '' end
            || case when n % 3 = 0 then ' fertig' else '' end as text
        from generate_series(1, $2::bigint) n
    ) made";
/// Anna is in the first fifty rooms.
const ROOMS: &str = "
    insert into rooms (tenant_id, kind, key, matrix_room_id)
    select case when n % 20 = 19 then 2 else 1 end, 'custom', n, '!' || n from generate_series(0, $1::bigint - 1) n";
const MEMBERSHIPS: &str = "
    insert into room_members (tenant_id, hub_user_id, matrix_room_id)
    select tenant_id, 'anna', matrix_room_id from rooms where tenant_id = 1 and key::bigint < 50";

fn query(text: &str) -> MessageQuery {
    let terms = SearchTerms::parse(text).expect("a query");
    MessageQuery { terms, room: None, sender: None, before: None, limit: 20 }
}

async fn page(store: &PgStore, query: &MessageQuery) -> FoundMessages {
    store.search(TENANT, &user("anna"), query).await.expect("a page").expect("any room")
}

/// Stores messages in rooms, 50 of them of Anna.
async fn filled(rooms: i64, messages: i64) -> (TestStore, Client) {
    let database = TestStore::create().await;
    with_anna(&database).await;
    let client = database.client().await;
    // An index is built faster than it grows.
    let definition = "select pg_get_indexdef('message_texts_by_part'::regclass)";
    let index: String = client.query_one(definition, &[]).await.expect("the index").get(0);
    client.batch_execute("drop index message_texts_by_part").await.expect("dropped");
    client.execute(ROOMS, &[&rooms]).await.expect("rooms");
    client.execute(MEMBERSHIPS, &[]).await.expect("members");
    client.execute(MANY, &[&rooms, &messages]).await.expect("messages");
    client.batch_execute(&index).await.expect("indexed");
    client.batch_execute("vacuum analyze").await.expect("analysed");
    (database, client)
}

/// Signs Anna in. Returns a store.
async fn with_anna(database: &TestStore) -> PgStore {
    let store = database.beside();
    port::Users::sign_in(&store, &identity("anna"), "anna").await.expect("signed in");
    store
}

/// Returns the ids that a plain search of the tables finds.
async fn expected(client: &Client, words: &[&str]) -> Vec<String> {
    let having: Vec<_> = words.iter().map(|word| format!("and strpos(folded, '{word}') > 0")).collect();
    let rows = client
        .query(
            &format!(
                "select event_id from message_texts join room_members using (tenant_id, matrix_room_id)
                 where tenant_id = 1 and hub_user_id = 'anna' {} order by id desc",
                having.join(" ")
            ),
            &[],
        )
        .await
        .expect("ids");
    rows.iter().map(|row| row.get(0)).collect()
}

async fn all(store: &PgStore, text: &str) -> (Vec<String>, usize) {
    let (mut query, mut ids, mut pages) = (query(text), Vec::new(), 0);
    loop {
        let page = page(store, &query).await;
        pages += 1;
        assert!(page.messages.len() <= 20);
        ids.extend(page.messages.iter().map(|one| one.event_id.as_str().to_owned()));
        query.before = page.next_before;
        if query.before.is_none() {
            return (ids, pages);
        }
    }
}

#[tokio::test]
async fn pages_with_and_without_the_index_find_the_same() {
    let (database, client) = filled(200, 40_000).await;
    let words =
        [vec!["sonderfall"], vec!["spindel", "fertig"], vec!["teil 77", "auf"], vec!["zz"], vec!["nirgends"]];
    for is_indexed in [true, false] {
        if !is_indexed {
            client.batch_execute("drop index message_texts_by_part").await.expect("dropped");
        }
        let store = database.beside();
        for words in &words {
            let text = words.join(" ");
            let split: Vec<_> = text.split(' ').collect();
            let (ids, pages) = all(&store, &text).await;
            assert_eq!(ids, expected(&client, &split).await, "{text}, indexed {is_indexed}");
            let fewest = ids.len().div_ceil(20).max(1);
            assert!(!is_indexed || text == "zz" || pages <= fewest + 1, "{text}: {pages} pages");
        }
        store.tidy(Duration::from_hours(1)).await.expect("tidied");
    }
}

#[tokio::test]
async fn a_search_reads_a_limited_number_of_rows() {
    let (database, client) = filled(200, 40_000).await;
    // The user has 9600 messages of 40 000. The look is at 3000 of them, for short words at all.
    let limits =
        [("sonderfall", 5000), ("spindel", 13_000), ("fertig", 5000), ("nirgends", 5000), ("zz", 11_000)];
    for (text, most) in limits {
        let before = rows_read(&client, &["message_texts"]).await;
        page(&database.beside(), &query(text)).await;
        let read = rows_read(&client, &["message_texts"]).await - before;
        assert!(read <= most, "{text}: {read} rows were read");
    }
}

fn message(room: &RoomId, id: &str, timestamp: Timestamp) -> IngestedEvent {
    let (summary, mentions) = ("Spindel".to_owned(), Mentions::default());
    IngestedEvent {
        event_id: EventId::new(id),
        tenant: TENANT,
        room: room.clone(),
        sender: MatrixUserId::new("@bert:hub.local"),
        timestamp,
        change: Change::Message { by: None, text: Some(summary.clone()), summary, file: None, mentions },
        payload: None,
        alarm: None,
    }
}

#[tokio::test]
async fn a_message_from_before_the_join_that_arrives_after_it_is_not_found() {
    let database = TestStore::create().await;
    let (store, ports, id) = (with_anna(&database).await, database.ports(), room("!1"));
    let key = RoomKey { tenant: TENANT, kind: RoomKind::Custom { id: "!1".to_owned() } };
    let profile =
        Profile { marks: Marks::HISTORY_RESTRICTED, members: vec![user("anna")], ..Profile::default() };
    ports.rooms.register(&key, &id, &profile).await.expect("registered");
    let [earlier, later] =
        ["2026-01-01T06:00:00Z", "2100-01-01T06:00:00Z"].map(|at| at.parse().expect("a time"));
    store.ingest(&[message(&id, "$1", earlier), message(&id, "$2", later)]).await.expect("ingested");
    assert_eq!(all(&store, "spindel").await.0, ["$2"]);
}

#[tokio::test]
async fn the_texts_of_a_closed_room_are_deleted() {
    let database = TestStore::create().await;
    let (store, client, id) = (with_anna(&database).await, database.client().await, room("!1"));
    let key = RoomKey { tenant: TENANT, kind: RoomKind::Custom { id: "1".to_owned() } };
    let profile = Profile { members: vec![user("anna")], ..Profile::default() };
    database.ports().rooms.register(&key, &id, &profile).await.expect("registered");
    let now: Timestamp = client.query_one("select now()", &[]).await.expect("a row").get(0);
    store.ingest(&[message(&id, "$1", now)]).await.expect("ingested");
    assert_eq!(all(&store, "spindel").await.0, ["$1"]);
    client.query("select close_room(1, '!1', 'chef', '', null)", &[]).await.expect("closed");
    assert_eq!(all(&store, "spindel").await.0, [""; 0]);
    let count = async || -> i64 {
        client.query_one("select count(*) from message_texts", &[]).await.expect("a count").get(0)
    };
    assert_eq!(count().await, 1);
    store.tidy(Duration::from_hours(1)).await.expect("tidied");
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn notifications_have_the_search_form_of_messages() {
    let database = TestStore::create().await;
    let client = database.client().await;
    for text in
        ["CNC-01 gestoppt", "KÜHLMITTEL Ölstand groß", "Café Łódź GÜLAY", "a%b_c\\d'e", "Ｆｕｌｌ ﬁ", ""]
    {
        let row = client.query_one("select search_form($1)", &[&text]).await.expect("a form");
        assert_eq!(row.get::<_, String>(0), fold(text), "{text}");
    }
}

/// Takes some minutes on a machine that does nothing else: `cargo test -p messenger-store --test postgres -- --ignored --nocapture million`
#[tokio::test]
#[ignore = "takes minutes and measures times"]
async fn a_page_among_a_million_messages_takes_less_than_a_tenth_of_a_second() {
    let (database, _client) = filled(1000, 1_000_000).await;
    for text in ["sonderfall", "spindel", "fertig", "teil 77", "nirgends", "zz"] {
        let store = database.beside();
        let mut times = Vec::new();
        for _ in 0..40 {
            let began = Instant::now();
            page(&store, &query(text)).await;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        println!("{text}: p50 {:?}, p95 {:?}", times[20], times[38]);
        assert!(times[38] <= Duration::from_millis(100), "{text}: {:?}", times[38]);
    }
}
