//! What is taken back: messages and edits, and what their room shows then.

use messenger_core::{
    Ports, Result,
    id::{EventId, MatrixUserId},
    message::MessageContent,
    port::{Change, IngestedEvent, RedactedEdit},
};

use super::{
    Store,
    messages::{edited, file, message, mxc, taken, with_people},
};
use crate::fixtures::{TENANT, room, user};

fn id(text: &str) -> EventId {
    EventId::new(text)
}

fn redacted(event: &str, of: &str) -> IngestedEvent {
    taken(event, Change::Redacted { of: id(of) })
}

/// What the message `$1` says by its edits, and the line by which the list of rooms shows its room.
async fn shown(ports: &Ports) -> Result<(Vec<String>, Option<String>)> {
    let edits = ports.messages.edits(&[id("$1")]).await?;
    let room = ports.room_views.room(TENANT, &user("anna"), &room("!1")).await?;
    Ok((edits.into_iter().map(|edit| edit.said.body).collect(), room.and_then(|room| room.last_message)))
}

/// The message `$1` reads like this, by its edit and as the last one of its room.
fn reads(body: &str) -> (Vec<String>, Option<String>) {
    (vec![body.to_owned()], Some(body.to_owned()))
}

/// What the list of rooms shows a member: the last message, and how many are unread.
async fn seen_by(ports: &Ports, name: &str) -> Result<(Option<String>, i64)> {
    let room = ports.room_views.room(TENANT, &user(name), &room("!1")).await?.expect("a member");
    Ok((room.last_message, room.unread_count))
}

/// The one before is the last one then, however many go, one after the other.
pub async fn the_message_before_is_the_last_one_again(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let events = [message("$1"), message("$2"), edited("$3", "$2", "anna", "better"), message("$4")];
    ports.messages.ingest(&events).await?;
    let before = ports
        .room_views
        .room(TENANT, &user("anna"), &room("!1"))
        .await?
        .and_then(|room| room.last_message_ts);
    for (event, gone, left) in
        [("$5", "$4", Some("better")), ("$6", "$2", Some("message $1")), ("$7", "$1", None)]
    {
        ports.messages.ingest(&[redacted(event, gone)]).await?;
        let seen = ports.room_views.room(TENANT, &user("anna"), &room("!1")).await?.expect("a member");
        assert_eq!(seen.last_message.as_deref(), left, "without {gone}");
        assert_eq!(seen.last_message_ts, before, "the room keeps its place in the list");
    }
    ports.messages.ingest(&[message("$8")]).await?;
    assert_eq!(seen_by(&ports, "bert").await?, (Some("message $8".to_owned()), 1));
    Ok(())
}

/// Who had not read it has one less to read, and nobody else; once, however often it is taken back.
pub async fn what_is_taken_back_is_not_unread(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    ports.messages.ingest(&["$1", "$2"].map(message)).await?;
    ports.room_views.read(TENANT, &user("bert"), &room("!1")).await?;
    ports.messages.ingest(&["$3", "$4", "$5"].map(message)).await?;
    let mut unread = Vec::new();
    let ends = [("$6", "$4"), ("$7", "$4"), ("$8", "$1"), ("$9", "$3"), ("$10", "$5"), ("$11", "$2")];
    for (event, gone) in ends {
        ports.messages.ingest(&[redacted(event, gone)]).await?;
        assert_eq!(seen_by(&ports, "anna").await?.1, 0, "who wrote them");
        unread.push(seen_by(&ports, "bert").await?.1);
    }
    assert_eq!(unread, [2, 2, 2, 1, 0, 0]);
    ports.messages.ingest(&[message("$12")]).await?;
    assert_eq!(seen_by(&ports, "bert").await?.1, 1);
    Ok(())
}

/// In a room with many messages, too; what is long past stays counted.
pub async fn the_last_of_many_can_be_taken_back(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let messages: Vec<_> = (0..230).map(|n| message(&format!("${n}"))).collect();
    ports.messages.ingest(&messages).await?;
    let ends: Vec<_> = (0..49).map(|n| redacted(&format!("$end{n}"), &format!("${}", 229 - n))).collect();
    ports.messages.ingest(&ends).await?;
    assert_eq!(seen_by(&ports, "bert").await?, (Some("message $180".to_owned()), 181));
    Ok(())
}

/// What an edit is of, and what stands without it.
pub async fn an_edit_is_known_by_its_id(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let (better, best) = (edited("$2", "$1", "anna", "better"), edited("$3", "$1", "anna", "best"));
    ports.messages.ingest(&[message("$1"), better, best, message("$4")]).await?;
    let last = |edit: &str, body: &str| Some((id(edit), MessageContent::text(body, "m.text")));
    for (edit, last) in [("$3", last("$2", "better")), ("$2", last("$3", "best"))] {
        let rest = ports.messages.without(TENANT, &room("!1"), &id(edit)).await?;
        assert_eq!(rest, Some(RedactedEdit { of: id("$1"), last }));
    }
    for (at, edit) in [("!1", "$1"), ("!1", "$9"), ("!2", "$3")] {
        assert_eq!(ports.messages.without(TENANT, &room(at), &id(edit)).await?, None);
    }
    Ok(())
}

/// Without its edits, one by one, a message says what it said before; so does the list of rooms.
pub async fn an_edit_that_is_taken_back_counts_no_more(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let (better, secret) = (edited("$2", "$1", "anna", "better"), edited("$3", "$1", "anna", "secret"));
    ports.messages.ingest(&[message("$1"), better, secret]).await?;
    assert_eq!(shown(&ports).await?, reads("secret"));
    ports.messages.ingest(&[taken("$4", Change::RedactedEdit { edit: id("$3") })]).await?;
    assert_eq!(shown(&ports).await?, reads("better"));
    // Whoever did not know that it was an edit says so in general.
    ports.messages.ingest(&[redacted("$5", "$2")]).await?;
    assert_eq!(shown(&ports).await?, (vec![], Some("message $1".to_owned())));
    Ok(())
}

/// A file that an edit brings is there as long as the edit and its message.
pub async fn a_file_goes_with_the_edit_that_brought_it(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let by = MatrixUserId::new("@anna:hub.local");
    let said = MessageContent { file: Some(file()), ..MessageContent::text("look", "m.image") };
    let brought =
        |event: &str| taken(event, Change::Edited { of: id("$1"), by: by.clone(), said: said.clone() });
    let is_there = async || -> Result<bool> {
        Ok(ports.messages.posted(TENANT, &user("anna"), &mxc()).await?.is_some())
    };
    ports.messages.ingest(&[message("$1")]).await?;
    for (edit, end) in [
        ("$2", taken("$3", Change::RedactedEdit { edit: id("$2") })),
        ("$4", redacted("$5", "$4")),
        ("$6", redacted("$7", "$1")),
    ] {
        ports.messages.ingest(&[brought(edit)]).await?;
        assert_eq!(ports.messages.edits(&[id("$1")]).await?[0].said, said);
        assert!(is_there().await?, "{edit} brought it");
        ports.messages.ingest(&[end]).await?;
        assert!(!is_there().await?, "{edit} is gone");
    }
    Ok(())
}

/// A redaction reaches what stands in its own room only.
pub async fn a_redaction_in_another_room_takes_nothing_back(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    ports.messages.ingest(&[message("$1"), edited("$2", "$1", "anna", "better")]).await?;
    for (event, of) in [("$3", "$1"), ("$4", "$2")] {
        let elsewhere = IngestedEvent { room: room("!2"), ..redacted(event, of) };
        ports.messages.ingest(&[elsewhere]).await?;
    }
    assert_eq!(shown(&ports).await?, reads("better"));
    Ok(())
}
