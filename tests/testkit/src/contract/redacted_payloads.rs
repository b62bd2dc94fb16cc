//! Redactions empty payloads in the event log: positions and types stay, and no text that a user wrote.

use messenger_core::{
    Ports, Result,
    event::{Audience, Event, Kind},
    id::{EventId, Position},
    message::Mentions,
    port::{Change, IngestedEvent},
};
use serde_json::{Value, json};

use super::{
    Store,
    messages::{edited, file, ingested, message, mxc, reaction, with_members},
};
use crate::fixtures::{TENANT, all_of, payload, room, user};

const SECRET: &str = "my password";

fn id(text: &str) -> EventId {
    EventId::new(text)
}

/// Returns an event of room `!1` about this message, with these fields in its payload.
fn with_payload(ingested: IngestedEvent, of: &str, fields: &Value) -> IngestedEvent {
    let mut all = json!({
        "room_id": "!1", "event_id": of, "sender": "@anna:hub.local", "sender_display_name": "anna",
        "timestamp": "2026-01-01T06:00:00Z",
    });
    for (field, value) in fields.as_object().expect("fields") {
        all[field] = value.clone();
    }
    IngestedEvent { payload: Some(payload(&all)), ..ingested }
}

fn message_with(event: &str, body: &str) -> IngestedEvent {
    let (by, summary, file) = (Some(user("anna")), body.to_owned(), Some(file()));
    let change = Change::Message { by, summary, file, mentions: Mentions::default(), text: None };
    let fields =
        json!({ "body": body, "msg_type": "m.image", "filename": body, "file_url": body, "new": body });
    with_payload(ingested(event, change), event, &fields)
}

fn edit_of(event: &str, of: &str, body: &str) -> IngestedEvent {
    let fields = json!({ "edit_event_id": event, "body": body, "msg_type": "m.text" });
    with_payload(edited(event, of, "anna", body), of, &fields)
}

fn redaction_of(event: &str, of: &str) -> IngestedEvent {
    with_payload(ingested(event, Change::Redacted { of: id(of) }), of, &json!({}))
}

/// Returns the redaction of an edit, with the message's text without that edit.
fn redaction_of_edit(event: &str, edit: &str, of: &str, left: (Option<&str>, &str)) -> IngestedEvent {
    let fields = json!({ "edit_event_id": left.0, "body": left.1, "msg_type": "m.text" });
    with_payload(ingested(event, Change::RedactedEdit { edit: id(edit) }), of, &fields)
}

/// Returns the whole log, and checks that subscribers and replaying clients read the same.
async fn log(ports: &Ports) -> Result<Vec<Event>> {
    let audience = [
        Audience::Room(TENANT, room("!1")),
        Audience::User(TENANT, user("anna")),
        Audience::User(TENANT, user("bert")),
    ];
    let replayed = ports.feed.after(Position(0), &all_of(&audience), 1000).await?;
    assert_eq!(ports.feed.next(Position(0), 1000).await?, replayed);
    let dense = replayed.iter().map(|event| event.position.0).eq(1..=replayed.len().try_into().unwrap_or(0));
    assert!(dense, "no position is missing");
    Ok(replayed)
}

fn fields(event: &Event) -> Value {
    serde_json::from_str(event.payload.as_str()).expect("JSON")
}

/// Returns kinds and bodies of the payloads for the members of the room.
async fn bodies(ports: &Ports) -> Result<Vec<(Kind, Option<String>)>> {
    let events = log(ports).await?.into_iter().filter(|event| matches!(event.audience, Audience::Room(..)));
    Ok(events.map(|event| (event.kind, fields(&event)["body"].as_str().map(str::to_owned))).collect())
}

async fn holds(ports: &Ports, text: &str) -> Result<bool> {
    Ok(log(ports).await?.iter().any(|event| event.payload.as_str().contains(text)))
}

/// A redaction empties the message, its edits, and the rooms' last messages in joins and leaves.
pub async fn a_redacted_message_is_empty_in_every_payload(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports
        .messages
        .ingest(&[message_with("$0", "before"), message_with("$1", SECRET), edit_of("$2", "$1", SECRET)])
        .await?;
    ports.memberships.remove(TENANT, &room("!1"), &user("bert")).await?;
    ports.memberships.add(TENANT, &room("!1"), &user("bert")).await?;
    assert!(holds(&ports, SECRET).await?);
    let before = log(&ports).await?;
    ports.messages.ingest(&[redaction_of("$3", "$1")]).await?;
    assert!(!holds(&ports, SECRET).await?);
    let after = log(&ports).await?;
    let places = |events: &[Event]| events.iter().map(|one| (one.position, one.kind)).collect::<Vec<_>>();
    assert_eq!(places(&after)[..before.len()], places(&before), "cursors stay valid");
    let emptied = after.iter().find(|event| fields(event)["event_id"] == "$1").map(fields);
    let expected = json!({
        "room_id": "!1", "event_id": "$1", "sender": "@anna:hub.local", "sender_display_name": "anna",
        "timestamp": "2026-01-01T06:00:00Z", "body": "", "msg_type": "m.text", "redacted": true,
        "reply_to": null, "formatted_body": null, "mentions": { "hub_user_ids": [], "room": false },
    });
    assert_eq!(emptied, Some(expected));
    let end = after.last().expect("the redaction");
    assert_eq!((end.kind, &end.about, end.is_redaction), (Kind::MessageRedacted, &Some(id("$1")), true));
    assert!(holds(&ports, "before").await?, "no other payload is empty");
    Ok(())
}

/// A redacted edit is empty, and its message keeps the text that it has without the edit.
pub async fn a_redacted_edit_is_empty_and_its_message_is_not(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let events = [message_with("$1", "hello"), edit_of("$2", "$1", SECRET), edit_of("$3", "$1", "hello all")];
    ports.messages.ingest(&events).await?;
    ports.messages.ingest(&[redaction_of_edit("$4", "$3", "$1", (Some("$2"), SECRET))]).await?;
    ports.messages.ingest(&[redaction_of_edit("$5", "$2", "$1", (None, "hello"))]).await?;
    assert!(!holds(&ports, SECRET).await? && !holds(&ports, "hello all").await?);
    let edit = |body: &str| (Kind::MessageEdited, Some(body.to_owned()));
    let message = (Kind::NewMessage, Some("hello".to_owned()));
    assert_eq!(bodies(&ports).await?, [message, edit(""), edit(""), edit(""), edit("hello")]);
    let last = log(&ports).await?.pop().expect("an event");
    assert_eq!((last.about, last.is_redaction), (Some(id("$1")), true));
    ports.messages.ingest(&[redaction_of("$6", "$1")]).await?;
    assert!(!holds(&ports, "hello").await?, "also the text that was published again");
    Ok(())
}

/// The redaction of a reaction empties the reaction, not its message.
pub async fn a_redacted_reaction_is_empty(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let fields_of = json!({ "reaction_event_id": "$2", "key": SECRET });
    let reaction = with_payload(reaction("$2", "$1", "anna", SECRET), "$1", &fields_of);
    ports.messages.ingest(&[message_with("$1", "hello"), reaction, redaction_of("$3", "$2")]).await?;
    assert!(!holds(&ports, SECRET).await? && holds(&ports, "hello").await?);
    let events = log(&ports).await?;
    let reaction = events.iter().find(|event| event.kind == Kind::Reaction).map(fields).expect("a reaction");
    assert_eq!((&reaction["key"], &reaction["redacted"]), (&json!(""), &json!(true)));
    assert_eq!(reaction["event_id"], "$1");
    Ok(())
}

/// An event that arrives after its redaction is neither published nor counted, and its file cannot be read.
pub async fn an_event_that_arrives_after_its_redaction_is_not_published(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let reaction = with_payload(reaction("$6", "$9", "anna", SECRET), "$9", &json!({ "key": SECRET }));
    ports.messages.ingest(&[message_with("$0", "before"), message("$7")]).await?;
    ports
        .messages
        .ingest(&[redaction_of("$3", "$1"), redaction_of("$4", "$7"), redaction_of("$5", "$6")])
        .await?;
    let late =
        [message_with("$1", SECRET), edit_of("$2", "$1", SECRET), edit_of("$8", "$7", SECRET), reaction];
    assert_eq!(ports.messages.ingest(&late).await?, late.len(), "the events are remembered");
    assert!(!holds(&ports, SECRET).await?);
    assert!(ports.messages.is_ingested(&id("$1")).await?);
    let seen = ports.room_views.room(TENANT, &user("bert"), &room("!1")).await?.expect("a member");
    assert_eq!((seen.last_message.as_deref(), seen.unread_count), (Some("before"), 1));
    assert_eq!(ports.messages.edits(&[id("$1"), id("$7")]).await?, []);
    ports.messages.ingest(&[redaction_of("$10", "$0")]).await?;
    assert_eq!(ports.messages.posted(TENANT, &user("anna"), &mxc()).await?, None);
    Ok(())
}

/// The redaction of an edit publishes nothing after the whole message was redacted.
pub async fn an_edit_redacted_after_its_message_publishes_nothing(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports
        .messages
        .ingest(&[message_with("$1", SECRET), edit_of("$2", "$1", "better"), redaction_of("$3", "$1")])
        .await?;
    let length = log(&ports).await?.len();
    ports.messages.ingest(&[redaction_of_edit("$4", "$2", "$1", (None, SECRET))]).await?;
    assert_eq!(log(&ports).await?.len(), length);
    assert!(!holds(&ports, SECRET).await?);
    Ok(())
}

/// A redaction affects events of its own room only, earlier ones and later ones.
pub async fn a_redaction_in_another_room_empties_nothing(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports.messages.ingest(&[message_with("$1", "hello")]).await?;
    ports.memberships.remove(TENANT, &room("!1"), &user("bert")).await?;
    let before = log(&ports).await?;
    let in_other_room =
        |event: &str, of: &str| IngestedEvent { room: room("!2"), payload: None, ..redaction_of(event, of) };
    ports.messages.ingest(&[in_other_room("$2", "$1"), in_other_room("$3", "$4")]).await?;
    assert_eq!(log(&ports).await?, before);
    ports.messages.ingest(&[message_with("$4", "late")]).await?;
    assert!(holds(&ports, "late").await?);
    Ok(())
}
