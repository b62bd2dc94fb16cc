//! Redacted messages and edits, and the room list after them.

use messenger_core::{
    Ports, Result,
    id::{EventId, MatrixUserId},
    message::MessageContent,
    port::{Change, IngestedEvent, RedactedEdit},
};

use super::{
    Store,
    messages::{edited, file, ingested, message, mxc, with_members},
};
use crate::fixtures::{TENANT, room, user};

fn id(text: &str) -> EventId {
    EventId::new(text)
}

fn redacted(event: &str, of: &str) -> IngestedEvent {
    ingested(event, Change::Redacted { of: id(of) })
}

/// Returns the edited texts of message `$1`, and the last message in the room list.
async fn shown(ports: &Ports) -> Result<(Vec<String>, Option<String>)> {
    let edits = ports.messages.edits(&[id("$1")]).await?;
    let room = ports.room_views.room(TENANT, &user("anna"), &room("!1")).await?;
    Ok((edits.into_iter().map(|edit| edit.content.body).collect(), room.and_then(|room| room.last_message)))
}

/// Returns the expected [`shown`] if message `$1` was edited to this text.
fn as_edited(body: &str) -> (Vec<String>, Option<String>) {
    (vec![body.to_owned()], Some(body.to_owned()))
}

/// Returns the last message and the unread count in a member's room list.
async fn seen_by(ports: &Ports, name: &str) -> Result<(Option<String>, i64)> {
    let room = ports.room_views.room(TENANT, &user(name), &room("!1")).await?.expect("a member");
    Ok((room.last_message, room.unread_count))
}

/// The previous message becomes the last one again, however many are redacted.
pub async fn the_previous_message_becomes_the_last_again(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let events = [message("$1"), message("$2"), edited("$3", "$2", "anna", "better"), message("$4")];
    ports.messages.ingest(&events).await?;
    let before = ports
        .room_views
        .room(TENANT, &user("anna"), &room("!1"))
        .await?
        .and_then(|room| room.last_message_ts);
    for (event, redacted_id, left) in
        [("$5", "$4", Some("better")), ("$6", "$2", Some("message $1")), ("$7", "$1", None)]
    {
        ports.messages.ingest(&[redacted(event, redacted_id)]).await?;
        let seen = ports.room_views.room(TENANT, &user("anna"), &room("!1")).await?.expect("a member");
        assert_eq!(seen.last_message.as_deref(), left, "without {redacted_id}");
        assert_eq!(seen.last_message_ts, before, "the room keeps its place in the list");
    }
    ports.messages.ingest(&[message("$8")]).await?;
    assert_eq!(seen_by(&ports, "bert").await?, (Some("message $8".to_owned()), 1));
    Ok(())
}

/// A redacted message reduces the unread count of members who had not read it, once.
pub async fn a_redacted_message_is_not_unread(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports.messages.ingest(&["$1", "$2"].map(message)).await?;
    ports.room_views.read(TENANT, &user("bert"), &room("!1")).await?;
    ports.messages.ingest(&["$3", "$4", "$5"].map(message)).await?;
    let mut unread = Vec::new();
    let ends = [("$6", "$4"), ("$7", "$4"), ("$8", "$1"), ("$9", "$3"), ("$10", "$5"), ("$11", "$2")];
    for (event, redacted_id) in ends {
        ports.messages.ingest(&[redacted(event, redacted_id)]).await?;
        assert_eq!(seen_by(&ports, "anna").await?.1, 0, "the sender has read them");
        unread.push(seen_by(&ports, "bert").await?.1);
    }
    assert_eq!(unread, [2, 2, 2, 1, 0, 0]);
    ports.messages.ingest(&[message("$12")]).await?;
    assert_eq!(seen_by(&ports, "bert").await?.1, 1);
    Ok(())
}

/// The unread count is also reduced in a room with many messages.
pub async fn the_last_of_many_messages_can_be_redacted(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let messages: Vec<_> = (0..230).map(|n| message(&format!("${n}"))).collect();
    ports.messages.ingest(&messages).await?;
    let ends: Vec<_> = (0..49).map(|n| redacted(&format!("$end{n}"), &format!("${}", 229 - n))).collect();
    ports.messages.ingest(&ends).await?;
    assert_eq!(seen_by(&ports, "bert").await?, (Some("message $180".to_owned()), 181));
    Ok(())
}

/// An edit's id leads to its message, and to the last edit without it.
pub async fn an_edit_is_known_by_its_id(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let (better, best) = (edited("$2", "$1", "anna", "better"), edited("$3", "$1", "anna", "best"));
    ports.messages.ingest(&[message("$1"), better, best, message("$4")]).await?;
    let last = |edit: &str, body: &str| Some((id(edit), MessageContent::text(body, "m.text")));
    for (edit, last) in [("$3", last("$2", "better")), ("$2", last("$3", "best"))] {
        let without = ports.messages.without(TENANT, &room("!1"), &id(edit)).await?;
        assert_eq!(without, Some(RedactedEdit { of: id("$1"), last }));
    }
    for (room_id, edit) in [("!1", "$1"), ("!1", "$9"), ("!2", "$3")] {
        assert_eq!(ports.messages.without(TENANT, &room(room_id), &id(edit)).await?, None);
    }
    Ok(())
}

/// Without its edits, one by one, a message has its earlier text again, also in the room list.
pub async fn a_redacted_edit_has_no_effect(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let (better, secret) = (edited("$2", "$1", "anna", "better"), edited("$3", "$1", "anna", "secret"));
    ports.messages.ingest(&[message("$1"), better, secret]).await?;
    assert_eq!(shown(&ports).await?, as_edited("secret"));
    ports.messages.ingest(&[ingested("$4", Change::RedactedEdit { edit: id("$3") })]).await?;
    assert_eq!(shown(&ports).await?, as_edited("better"));
    // The redaction of an edit may also arrive as the redaction of an unspecified event.
    ports.messages.ingest(&[redacted("$5", "$2")]).await?;
    assert_eq!(shown(&ports).await?, (vec![], Some("message $1".to_owned())));
    Ok(())
}

/// A file of an edit can be read until the edit or its message is redacted.
pub async fn a_file_is_removed_with_its_edit(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let by = MatrixUserId::new("@anna:hub.local");
    let content = MessageContent { file: Some(file()), ..MessageContent::text("look", "m.image") };
    let edit_with_file = |event: &str| {
        ingested(event, Change::Edited { of: id("$1"), by: by.clone(), content: content.clone() })
    };
    let is_readable = async || -> Result<bool> {
        Ok(ports.messages.posted(TENANT, &user("anna"), &mxc()).await?.is_some())
    };
    ports.messages.ingest(&[message("$1")]).await?;
    for (edit, end) in [
        ("$2", ingested("$3", Change::RedactedEdit { edit: id("$2") })),
        ("$4", redacted("$5", "$4")),
        ("$6", redacted("$7", "$1")),
    ] {
        ports.messages.ingest(&[edit_with_file(edit)]).await?;
        assert_eq!(ports.messages.edits(&[id("$1")]).await?[0].content, content);
        assert!(is_readable().await?, "{edit} has the file");
        ports.messages.ingest(&[end]).await?;
        assert!(!is_readable().await?, "{edit} is redacted");
    }
    Ok(())
}

/// A redaction affects events of its own room only.
pub async fn a_redaction_in_another_room_redacts_nothing(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports.messages.ingest(&[message("$1"), edited("$2", "$1", "anna", "better")]).await?;
    for (event, of) in [("$3", "$1"), ("$4", "$2")] {
        let in_other_room = IngestedEvent { room: room("!2"), ..redacted(event, of) };
        ports.messages.ingest(&[in_other_room]).await?;
    }
    assert_eq!(shown(&ports).await?, as_edited("better"));
    Ok(())
}
