//! Redactions empty the event log: positions and types stay, and nothing that somebody wrote.

use messenger_core::{
    Ports, Result,
    event::{Audience, Event, Kind},
    id::{EventId, Position},
    port::{Change, IngestedEvent},
};
use serde_json::{Value, json};

use super::{
    Store,
    messages::{edited, file, message, mxc, taken, with_people},
};
use crate::fixtures::{TENANT, payload, room, user};

const SECRET: &str = "my password";

fn id(text: &str) -> EventId {
    EventId::new(text)
}

/// An event of room `!1` that tells of this message, in these words.
fn told(taken: IngestedEvent, of: &str, fields: &Value) -> IngestedEvent {
    let mut told = json!({
        "room_id": "!1", "event_id": of, "sender": "@anna:hub.local", "sender_display_name": "anna",
        "timestamp": "2026-01-01T06:00:00Z",
    });
    for (field, value) in fields.as_object().expect("fields") {
        told[field] = value.clone();
    }
    IngestedEvent { payload: Some(payload(&told)), ..taken }
}

fn says(event: &str, body: &str) -> IngestedEvent {
    let said = Change::Message { by: Some(user("anna")), summary: body.to_owned(), file: Some(file()) };
    let fields =
        json!({ "body": body, "msg_type": "m.image", "filename": body, "file_url": body, "new": body });
    told(taken(event, said), event, &fields)
}

fn edits(event: &str, of: &str, body: &str) -> IngestedEvent {
    let fields = json!({ "edit_event_id": event, "body": body, "msg_type": "m.text" });
    told(edited(event, of, "anna", body), of, &fields)
}

fn redacts(event: &str, of: &str) -> IngestedEvent {
    told(taken(event, Change::Redacted { of: id(of) }), of, &json!({}))
}

/// The redaction of an edit, which tells what the message says without it.
fn unedits(event: &str, edit: &str, of: &str, left: (Option<&str>, &str)) -> IngestedEvent {
    let fields = json!({ "edit_event_id": left.0, "body": left.1, "msg_type": "m.text" });
    told(taken(event, Change::RedactedEdit { edit: id(edit) }), of, &fields)
}

/// The whole log, as a process reads it that follows, and one that replays.
async fn log(ports: &Ports) -> Result<Vec<Event>> {
    let audience = [
        Audience::Room(TENANT, room("!1")),
        Audience::User(TENANT, user("anna")),
        Audience::User(TENANT, user("bert")),
    ];
    let replayed = ports.feed.after(Position(0), &audience, 1000).await?;
    assert_eq!(ports.feed.next(Position(0), 1000).await?, replayed);
    let dense = replayed.iter().map(|event| event.position.0).eq(1..=replayed.len().try_into().unwrap_or(0));
    assert!(dense, "no position is missing");
    Ok(replayed)
}

fn fields(event: &Event) -> Value {
    serde_json::from_str(event.payload.as_str()).expect("JSON")
}

/// Kinds and bodies of what the members of the room were told.
async fn bodies(ports: &Ports) -> Result<Vec<(Kind, Option<String>)>> {
    let told = log(ports).await?.into_iter().filter(|event| matches!(event.audience, Audience::Room(..)));
    Ok(told.map(|event| (event.kind, fields(&event)["body"].as_str().map(str::to_owned))).collect())
}

async fn holds(ports: &Ports, text: &str) -> Result<bool> {
    Ok(log(ports).await?.iter().any(|event| event.payload.as_str().contains(text)))
}

/// The message, its edits, and what rooms showed of it to those who came and went.
pub async fn a_redacted_message_is_empty_wherever_it_was_told(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    ports.messages.ingest(&[says("$0", "before"), says("$1", SECRET), edits("$2", "$1", SECRET)]).await?;
    ports.memberships.remove(TENANT, &room("!1"), &user("bert")).await?;
    ports.memberships.add(TENANT, &room("!1"), &user("bert")).await?;
    assert!(holds(&ports, SECRET).await?);
    let before = log(&ports).await?;
    ports.messages.ingest(&[redacts("$3", "$1")]).await?;
    assert!(!holds(&ports, SECRET).await?);
    let after = log(&ports).await?;
    let places = |events: &[Event]| events.iter().map(|one| (one.position, one.kind)).collect::<Vec<_>>();
    assert_eq!(places(&after)[..before.len()], places(&before), "cursors stay good");
    let emptied = after.iter().find(|event| fields(event)["event_id"] == "$1").map(fields);
    let expected = json!({
        "room_id": "!1", "event_id": "$1", "sender": "@anna:hub.local", "sender_display_name": "anna",
        "timestamp": "2026-01-01T06:00:00Z", "body": "", "msg_type": "m.text", "redacted": true,
    });
    assert_eq!(emptied, Some(expected));
    let end = after.last().expect("the redaction");
    assert_eq!((end.kind, &end.about, end.is_redaction), (Kind::MessageRedacted, &Some(id("$1")), true));
    assert!(holds(&ports, "before").await?, "nothing else is empty");
    Ok(())
}

/// The message still says what it says without it.
pub async fn a_redacted_edit_is_empty_and_its_message_is_not(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let taken = [says("$1", "hello"), edits("$2", "$1", SECRET), edits("$3", "$1", "hello all")];
    ports.messages.ingest(&taken).await?;
    ports.messages.ingest(&[unedits("$4", "$3", "$1", (Some("$2"), SECRET))]).await?;
    ports.messages.ingest(&[unedits("$5", "$2", "$1", (None, "hello"))]).await?;
    assert!(!holds(&ports, SECRET).await? && !holds(&ports, "hello all").await?);
    let edit = |body: &str| (Kind::MessageEdited, Some(body.to_owned()));
    let said = (Kind::NewMessage, Some("hello".to_owned()));
    assert_eq!(bodies(&ports).await?, [said, edit(""), edit(""), edit(""), edit("hello")]);
    let last = log(&ports).await?.pop().expect("an event");
    assert_eq!((last.about, last.is_redaction), (Some(id("$1")), true));
    ports.messages.ingest(&[redacts("$6", "$1")]).await?;
    assert!(!holds(&ports, "hello").await?, "also what was told again");
    Ok(())
}

/// A redaction names the reaction, not its message.
pub async fn a_redacted_reaction_is_empty(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let fields_of = json!({ "reaction_event_id": "$2", "key": SECRET });
    let reaction = told(taken("$2", Change::Reaction), "$1", &fields_of);
    ports.messages.ingest(&[says("$1", "hello"), reaction, redacts("$3", "$2")]).await?;
    assert!(!holds(&ports, SECRET).await? && holds(&ports, "hello").await?);
    let events = log(&ports).await?;
    let reaction = events.iter().find(|event| event.kind == Kind::Reaction).map(fields).expect("a reaction");
    assert_eq!((&reaction["key"], &reaction["redacted"]), (&json!(""), &json!(true)));
    assert_eq!(reaction["event_id"], "$1");
    Ok(())
}

/// Push is late, or another process was quicker: nothing of it is told, counted or allowed.
pub async fn what_arrives_after_its_redaction_is_not_told(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let reaction = told(taken("$6", Change::Reaction), "$9", &json!({ "key": SECRET }));
    ports.messages.ingest(&[says("$0", "before"), message("$7")]).await?;
    ports.messages.ingest(&[redacts("$3", "$1"), redacts("$4", "$7"), redacts("$5", "$6")]).await?;
    let late = [says("$1", SECRET), edits("$2", "$1", SECRET), edits("$8", "$7", SECRET), reaction];
    assert_eq!(ports.messages.ingest(&late).await?, late.len(), "they are known from now on");
    assert!(!holds(&ports, SECRET).await?);
    assert!(ports.messages.is_ingested(&id("$1")).await?);
    let seen = ports.room_views.room(TENANT, &user("bert"), &room("!1")).await?.expect("a member");
    assert_eq!((seen.last_message.as_deref(), seen.unread_count), (Some("before"), 1));
    assert_eq!(ports.messages.edits(&[id("$1"), id("$7")]).await?, []);
    ports.messages.ingest(&[redacts("$10", "$0")]).await?;
    assert_eq!(ports.messages.posted(TENANT, &user("anna"), &mxc()).await?, None);
    Ok(())
}

/// Another process has just redacted the whole message: what it said before the edit is not told either.
pub async fn an_edit_redacted_after_its_message_tells_nothing(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    ports.messages.ingest(&[says("$1", SECRET), edits("$2", "$1", "better"), redacts("$3", "$1")]).await?;
    let told = log(&ports).await?.len();
    ports.messages.ingest(&[unedits("$4", "$2", "$1", (None, SECRET))]).await?;
    assert_eq!(log(&ports).await?.len(), told);
    assert!(!holds(&ports, SECRET).await?);
    Ok(())
}

/// A redaction reaches what stands in its own room only, now and later.
pub async fn a_redaction_in_another_room_empties_nothing(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    ports.messages.ingest(&[says("$1", "hello")]).await?;
    ports.memberships.remove(TENANT, &room("!1"), &user("bert")).await?;
    let before = log(&ports).await?;
    let elsewhere =
        |event: &str, of: &str| IngestedEvent { room: room("!2"), payload: None, ..redacts(event, of) };
    ports.messages.ingest(&[elsewhere("$2", "$1"), elsewhere("$3", "$4")]).await?;
    assert_eq!(log(&ports).await?, before);
    ports.messages.ingest(&[says("$4", "late")]).await?;
    assert!(holds(&ports, "late").await?);
    Ok(())
}
