//! The right to read a file: the members of the rooms in which its owner posted it have it.

use messenger_core::{
    Ports, Result,
    id::EventId,
    media::Posted,
    message::MessageContent,
    port::{Change, IngestedEvent},
    room::{Profile, RoomKey, RoomKind},
    user::Identity,
};

use super::{
    Store,
    messages::{file, ingested, message, mxc, picture, sender, with_members},
};
use crate::fixtures::{OTHER_TENANT, TENANT, identity, room, user};

/// Adds to the room of Anna and Bert: Bert's own, `!2`, and Fritz's in another tenant, `!3`.
async fn with_other_rooms(store: &dyn Store) -> Result<Ports> {
    let ports = with_members(store).await?;
    ports.users.sign_in(&Identity { tenant: OTHER_TENANT, ..identity("fritz") }, "fritz").await?;
    for (id, tenant, member) in [("!2", TENANT, "bert"), ("!3", OTHER_TENANT, "fritz")] {
        let key = RoomKey { tenant, kind: RoomKind::Service { source_app: id.to_owned() } };
        ports.rooms.register(&key, &room(id), &Profile::default()).await?;
        ports.memberships.add(tenant, &room(id), &user(member)).await?;
    }
    Ok(ports)
}

/// Returns a message with the picture, sent by a user at this second.
fn posted_by(id: &str, by: &str, second: i64) -> IngestedEvent {
    let one = picture(id);
    let timestamp = one.timestamp + std::time::Duration::from_secs(second.unsigned_abs());
    IngestedEvent { sender: sender(by), timestamp, ..one }
}

async fn read_by(ports: &Ports, name: &str) -> Result<Option<Posted>> {
    let tenant = if name == "fritz" { OTHER_TENANT } else { TENANT };
    ports.messages.posted(tenant, &user(name), &mxc()).await
}

/// The members of a room may read a file that its owner posted there, until its messages are redacted.
pub async fn members_of_a_room_may_read_its_files(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let posted = async |tenant, name: &str| ports.messages.posted(tenant, &user(name), &mxc()).await;
    assert_eq!(posted(TENANT, "anna").await?, None);
    ports.messages.ingest(&[picture("$1"), picture("$2")]).await?;
    let file = posted(TENANT, "anna").await?.expect("it was posted");
    assert_eq!((file.filename.as_str(), file.mimetype.as_deref()), ("Übersicht.png", Some("image/png")));
    assert_eq!(posted(TENANT, "carl").await?, None);
    assert_eq!(posted(OTHER_TENANT, "anna").await?, None);
    ports.memberships.remove(TENANT, &room("!1"), &user("bert")).await?;
    assert_eq!(posted(TENANT, "bert").await?, None);
    ports.messages.ingest(&[ingested("$3", Change::Redacted { of: EventId::new("$1") })]).await?;
    assert!(posted(TENANT, "anna").await?.is_some(), "another message still has the file");
    ports.messages.ingest(&[ingested("$4", Change::Redacted { of: EventId::new("$2") })]).await?;
    assert_eq!(posted(TENANT, "anna").await?, None);
    Ok(())
}

/// A later message or edit of another user adds no room in any tenant; a later message of the owner does.
pub async fn only_the_owner_of_a_file_shares_it(store: &dyn Store) -> Result<()> {
    let ports = with_other_rooms(store).await?;
    ports.memberships.remove(TENANT, &room("!1"), &user("bert")).await?;
    let content = MessageContent { file: Some(file()), ..MessageContent::text("look", "m.image") };
    let edit = Change::Edited { of: EventId::new("$3"), by: sender("bert"), content };
    ports
        .messages
        .ingest(&[
            posted_by("$1", "anna", 0),
            IngestedEvent { room: room("!2"), ..posted_by("$2", "bert", 1) },
            IngestedEvent { room: room("!2"), sender: sender("bert"), ..message("$3") },
            IngestedEvent { room: room("!2"), sender: sender("bert"), ..ingested("$4", edit) },
            IngestedEvent { room: room("!3"), tenant: OTHER_TENANT, ..posted_by("$5", "fritz", 2) },
        ])
        .await?;
    assert!(read_by(&ports, "anna").await?.is_some());
    assert_eq!((read_by(&ports, "bert").await?, read_by(&ports, "fritz").await?), (None, None));
    ports.messages.ingest(&[IngestedEvent { room: room("!2"), ..posted_by("$6", "anna", 3) }]).await?;
    assert!(read_by(&ports, "bert").await?.is_some(), "she has shared it with him");
    assert_eq!(read_by(&ports, "fritz").await?, None);
    Ok(())
}

/// The first sender of a file stays its owner. An earlier message counts even if it is ingested later, and a
/// redaction changes nothing.
pub async fn a_file_always_belongs_to_its_first_sender(store: &dyn Store) -> Result<()> {
    let ports = with_other_rooms(store).await?;
    ports.memberships.remove(TENANT, &room("!1"), &user("bert")).await?;
    ports.messages.ingest(&[IngestedEvent { room: room("!2"), ..posted_by("$1", "bert", 5) }]).await?;
    assert!(read_by(&ports, "bert").await?.is_some());
    ports.messages.ingest(&[posted_by("$2", "anna", 4)]).await?;
    assert!(read_by(&ports, "anna").await?.is_some(), "her message is the earlier one");
    assert_eq!(read_by(&ports, "bert").await?, None);
    ports.messages.ingest(&[ingested("$3", Change::Redacted { of: EventId::new("$2") })]).await?;
    ports.messages.ingest(&[IngestedEvent { room: room("!2"), ..posted_by("$4", "bert", 6) }]).await?;
    assert_eq!((read_by(&ports, "anna").await?, read_by(&ports, "bert").await?), (None, None));
    Ok(())
}

/// The uploader of a file is its owner, also if another user posts it first.
pub async fn a_file_belongs_to_its_uploader(store: &dyn Store) -> Result<()> {
    let ports = with_other_rooms(store).await?;
    ports.messages.own(&mxc(), &sender("anna")).await?;
    ports.messages.ingest(&[IngestedEvent { room: room("!2"), ..posted_by("$1", "bert", 0) }]).await?;
    assert_eq!(read_by(&ports, "bert").await?, None);
    ports.messages.ingest(&[posted_by("$2", "anna", 1)]).await?;
    assert!(read_by(&ports, "bert").await?.is_some(), "he is in her room");
    ports.messages.own(&mxc(), &sender("anna")).await?;
    assert!(read_by(&ports, "anna").await?.is_some(), "storing the owner again changes nothing");
    Ok(())
}
