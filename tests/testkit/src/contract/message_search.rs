//! The search in messages: the found messages, the rights of members, and the retention.

use messenger_core::{
    Ports, Result,
    id::{EventId, SearchPosition},
    message::Mentions,
    port::{Change, IngestedEvent},
    room::{Marks, Profile, RoomKey, RoomKind},
    search::{FoundMessages, MessageQuery, SearchTerms},
    user::Identity,
};

use super::{
    LONG, SHORT, Store,
    messages::{edited, ingested, sender, with_members},
};
use crate::fixtures::{OTHER_TENANT, TENANT, identity, room, user};

/// Returns a message of Anna in room `!1` with this text, of which the homeserver says that it was sent later than
/// any join.
fn message(id: &str, text: &str) -> IngestedEvent {
    let (summary, mentions) = (text.to_owned(), Mentions::default());
    let change = Change::Message {
        by: Some(user("anna")),
        summary,
        file: None,
        mentions,
        text: Some(text.to_owned()),
    };
    let timestamp = "2100-01-01T06:00:00Z".parse().expect("a time");
    IngestedEvent { timestamp, ..ingested(id, change) }
}

fn redacted(id: &str, of: &str) -> IngestedEvent {
    ingested(id, Change::Redacted { of: EventId::new(of) })
}

fn query(text: &str) -> MessageQuery {
    let terms = SearchTerms::parse(text).expect("a query");
    MessageQuery { terms, room: None, sender: None, before: None, limit: 50 }
}

async fn found(ports: &Ports, name: &str, query: &MessageQuery) -> Result<FoundMessages> {
    Ok(ports.message_search.search(TENANT, &user(name), query).await?.expect("a room of the user"))
}

/// Returns the ids of the messages that a user finds.
async fn ids(ports: &Ports, name: &str, query: &MessageQuery) -> Result<Vec<String>> {
    let mut page = found(ports, name, query).await?;
    let mut ids = Vec::new();
    loop {
        ids.extend(page.messages.iter().map(|message| message.event_id.as_str().to_owned()));
        if page.next_before.is_none() {
            return Ok(ids);
        }
        page = found(ports, name, &MessageQuery { before: page.next_before, ..query.clone() }).await?;
    }
}

/// Every word must be in a message, as a part of a word, in any case and spelling of umlauts.
pub async fn parts_of_words_are_found_in_any_spelling(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let texts = [
        ("$1", "Hauptspindel\ngetauscht"),
        ("$2", "Auftrag 4711-A: 100 % Kühlmittel"),
        ("$3", "Kuehlmittel fehlt, Teil a_b\\c' \"d\""),
        ("$4", "Größe 1000 der SPINDEL"),
        ("$5", "Насос 4711"),
    ];
    ports.messages.ingest(&texts.map(|(id, text)| message(id, text))).await?;
    for (text, expected) in [
        ("spindel", vec!["$4", "$1"]),
        ("tausch HAUPT", vec!["$1"]),
        ("4711", vec!["$5", "$2"]),
        ("4711-a", vec!["$2"]),
        ("kühl", vec!["$3", "$2"]),
        ("KUEHL", vec!["$3", "$2"]),
        ("kuhlmittel", vec!["$2"]),
        ("grosse", vec!["$4"]),
        ("größe", vec!["$4"]),
        ("00", vec!["$4", "$2"]),
        ("% kühl", vec!["$2"]),
        ("%%%", vec![]),
        ("a_b\\c'", vec!["$3"]),
        ("a_", vec!["$3"]),
        ("_b", vec!["$3"]),
        ("\\\\", vec![]),
        ("');", vec![]),
        ("насос", vec!["$5"]),
        ("spindeln", vec![]),
    ] {
        assert_eq!(ids(&ports, "bert", &query(text)).await?, expected, "{text}");
    }
    let page = found(&ports, "bert", &query("tausch")).await?;
    let one = &page.messages[0];
    assert_eq!((one.text.as_str(), &one.sender), ("Hauptspindel\ngetauscht", &sender("anna")));
    assert_eq!((&one.room, &one.current_room), (&room("!1"), &room("!1")));
    assert_eq!(one.timestamp, message("$1", "").timestamp);
    Ok(())
}

/// Pages join without gap or repetition, also while new messages arrive.
pub async fn pages_of_a_search_join(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    for n in 0..7 {
        ports.messages.ingest(&[message(&format!("${n}"), "Spindel")]).await?;
        ports.messages.ingest(&[message(&format!("$other{n}"), "Fräse")]).await?;
    }
    let (mut query, mut ids) = (MessageQuery { limit: 3, ..query("spindel") }, Vec::new());
    loop {
        let page = found(&ports, "anna", &query).await?;
        assert!(page.messages.len() <= 3);
        ids.extend(page.messages.iter().map(|message| message.event_id.as_str().to_owned()));
        ports.messages.ingest(&[message(&format!("$new{}", ids.len()), "Spindel")]).await?;
        query.before = page.next_before;
        if query.before.is_none() {
            break;
        }
    }
    assert_eq!(ids, ["$6", "$5", "$4", "$3", "$2", "$1", "$0"]);
    let none = MessageQuery { before: Some(SearchPosition(1)), ..query };
    assert_eq!(found(&ports, "anna", &none).await?, FoundMessages { messages: vec![], next_before: None });
    Ok(())
}

/// A message is found by those who are members of its room now, in their tenant.
pub async fn only_members_find_a_message(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    for (name, tenant) in [("carl", TENANT), ("fritz", OTHER_TENANT)] {
        ports.users.sign_in(&Identity { tenant, ..identity(name) }, name).await?;
    }
    let key = RoomKey { tenant: OTHER_TENANT, kind: RoomKind::Service { source_app: "x".to_owned() } };
    ports.rooms.register(&key, &room("!3"), &Profile::default()).await?;
    ports.memberships.add(OTHER_TENANT, &room("!3"), &user("fritz")).await?;
    let foreign = IngestedEvent { tenant: OTHER_TENANT, room: room("!3"), ..message("$2", "Spindel") };
    ports.messages.ingest(&[message("$1", "Spindel"), foreign]).await?;
    for name in ["anna", "bert"] {
        assert_eq!(ids(&ports, name, &query("spindel")).await?, ["$1"], "{name}");
    }
    assert_eq!(ids(&ports, "carl", &query("spindel")).await?, [""; 0]);
    assert_eq!(ids(&ports, "fritz", &query("spindel")).await?, [""; 0], "he is in another tenant");
    let fritz = ports.message_search.search(OTHER_TENANT, &user("fritz"), &query("spindel")).await?;
    assert_eq!(fritz.expect("his rooms").messages[0].event_id, EventId::new("$2"));
    ports.memberships.remove(TENANT, &room("!1"), &user("bert")).await?;
    assert_eq!(ids(&ports, "bert", &query("spindel")).await?, [""; 0]);
    ports.users.sign_in(&Identity { tenant: OTHER_TENANT, ..identity("anna") }, "anna").await?;
    for tenant in [TENANT, OTHER_TENANT] {
        let anna = ports.message_search.search(tenant, &user("anna"), &query("spindel")).await?;
        assert_eq!(anna.expect("any room").messages, [], "in {tenant}");
    }
    Ok(())
}

/// A query may be limited to a room of the user and to a sender. Other rooms do not exist for them.
pub async fn a_search_may_be_limited_to_a_room_and_a_sender(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let key = RoomKey { tenant: TENANT, kind: RoomKind::Service { source_app: "y".to_owned() } };
    ports.rooms.register(&key, &room("!2"), &Profile::default()).await?;
    ports.memberships.add(TENANT, &room("!2"), &user("bert")).await?;
    let of_bert = IngestedEvent { sender: sender("bert"), ..message("$2", "Spindel") };
    let elsewhere = IngestedEvent { room: room("!2"), ..message("$3", "Spindel") };
    ports.messages.ingest(&[message("$1", "Spindel"), of_bert, elsewhere]).await?;
    let in_room = |id: &str| MessageQuery { room: Some(room(id)), ..query("spindel") };
    assert_eq!(ids(&ports, "bert", &query("spindel")).await?, ["$3", "$2", "$1"]);
    assert_eq!(ids(&ports, "bert", &in_room("!1")).await?, ["$2", "$1"]);
    assert_eq!(ids(&ports, "bert", &in_room("!2")).await?, ["$3"]);
    let by = |name: &str| MessageQuery { sender: Some(sender(name)), ..query("spindel") };
    assert_eq!(ids(&ports, "bert", &by("bert")).await?, ["$2"]);
    assert_eq!(ids(&ports, "bert", &by("nobody")).await?, [""; 0]);
    for id in ["!2", "!no"] {
        assert_eq!(ports.message_search.search(TENANT, &user("anna"), &in_room(id)).await?, None, "{id}");
    }
    Ok(())
}

/// A message is found by its last text, and not at all once it is redacted. A redacted edit restores the text
/// before it.
pub async fn a_message_is_found_by_its_last_text(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let seen = async |words: [&str; 3]| -> Result<Vec<bool>> {
        let mut seen = Vec::new();
        for word in words {
            seen.push(!ids(&ports, "bert", &query(word)).await?.is_empty());
        }
        Ok(seen)
    };
    let words = ["first", "second", "third"];
    ports.messages.ingest(&[message("$1", "first")]).await?;
    ports
        .messages
        .ingest(&[edited("$2", "$1", "anna", "second"), edited("$3", "$1", "anna", "third")])
        .await?;
    assert_eq!(seen(words).await?, [false, false, true]);
    assert_eq!(found(&ports, "bert", &query("third")).await?.messages[0].text, "third");
    ports.messages.ingest(&[ingested("$4", Change::RedactedEdit { edit: EventId::new("$3") })]).await?;
    assert_eq!(seen(words).await?, [false, true, false]);
    ports.messages.ingest(&[redacted("$5", "$2")]).await?;
    assert_eq!(seen(words).await?, [true, false, false]);
    // The redaction of an event of another room redacts nothing.
    ports.messages.ingest(&[IngestedEvent { room: room("!2"), ..redacted("$6", "$1") }]).await?;
    assert_eq!(seen(words).await?, [true, false, false]);
    ports.messages.ingest(&[redacted("$7", "$1"), edited("$8", "$1", "anna", "second")]).await?;
    assert_eq!(seen(words).await?, [false, false, false]);
    // An edit of a message that is not searched makes none.
    let untold = ingested(
        "$9",
        Change::Message {
            by: None,
            summary: "first".to_owned(),
            file: None,
            mentions: Mentions::default(),
            text: None,
        },
    );
    ports.messages.ingest(&[untold, edited("$10", "$9", "anna", "second")]).await?;
    assert_eq!(seen(words).await?, [false, false, false]);
    Ok(())
}

/// In a room with restricted history, a member finds messages from after their last join.
pub async fn restricted_history_is_found_since_the_join(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports.messages.ingest(&[message("$1", "Spindel")]).await?;
    ports.users.sign_in(&identity("dora"), "dora").await?;
    ports.memberships.add(TENANT, &room("!1"), &user("dora")).await?;
    ports.messages.ingest(&[message("$2", "Spindel")]).await?;
    assert_eq!(ids(&ports, "dora", &query("spindel")).await?, ["$2", "$1"]);
    ports.room_marks.mark(&room("!1"), Marks::HISTORY_RESTRICTED).await?;
    for words in ["spindel", "de"] {
        assert_eq!(ids(&ports, "dora", &query(words)).await?, ["$2"]);
        assert_eq!(ids(&ports, "anna", &query(words)).await?, ["$2", "$1"]);
    }
    ports.memberships.remove(TENANT, &room("!1"), &user("dora")).await?;
    ports.memberships.add(TENANT, &room("!1"), &user("dora")).await?;
    assert_eq!(ids(&ports, "dora", &query("spindel")).await?, [""; 0]);
    Ok(())
}

/// Messages of a room that was replaced are found by the members of its successor.
pub async fn messages_of_a_replaced_room_are_found(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports.messages.ingest(&[message("$1", "Spindel")]).await?;
    assert!(
        ports.rooms.succeed(TENANT, &room("!1"), &room("!new"), &[user("bert")], Marks::default()).await?
    );
    ports.messages.ingest(&[IngestedEvent { room: room("!new"), ..message("$2", "Spindel") }]).await?;
    assert_eq!(ids(&ports, "anna", &query("spindel")).await?, [""; 0], "she is not in the successor");
    let in_room = |id: &str| MessageQuery { room: Some(room(id)), ..query("spindel") };
    for query in [query("spindel"), in_room("!new")] {
        let found = found(&ports, "bert", &query).await?.messages;
        let found: Vec<_> = found.iter().map(|one| (one.room.clone(), one.current_room.clone())).collect();
        assert_eq!(found, [("!new", "!new"), ("!1", "!new")].map(|(one, now)| (room(one), room(now))));
    }
    assert_eq!(ids(&ports, "bert", &in_room("!1")).await?, ["$1"]);
    assert_eq!(ports.message_search.search(TENANT, &user("anna"), &in_room("!1")).await?, None);
    ports.messages.ingest(&[redacted("$3", "$1")]).await?;
    assert_eq!(ids(&ports, "bert", &query("spindel")).await?, ["$2"]);
    Ok(())
}

/// Messages are found until the retention is over.
pub async fn messages_are_found_until_the_retention_is_over(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports.messages.ingest(&[message("$1", "Spindel")]).await?;
    ports.message_search.tidy(LONG).await?;
    assert_eq!(ids(&ports, "anna", &query("spindel")).await?, ["$1"]);
    store.pass(SHORT).await;
    ports.message_search.tidy(SHORT / 2).await?;
    assert_eq!(ids(&ports, "anna", &query("spindel")).await?, [""; 0]);
    // Nor does an edit bring it back.
    ports.messages.ingest(&[edited("$2", "$1", "anna", "Spindel")]).await?;
    assert_eq!(ids(&ports, "anna", &query("spindel")).await?, [""; 0]);
    Ok(())
}
