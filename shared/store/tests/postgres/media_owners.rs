//! Files of before the update have no known owner: they stay readable where they stand, and nobody opens them elsewhere.

use messenger_core::{
    id::{EventId, MatrixUserId},
    media::{File, Mxc},
    port::{Change, IngestedEvent},
    room::{Profile, RoomKey, RoomKind},
};
use messenger_testkit::fixtures::{TENANT, identity, room, user};

use crate::database::LocalAppends;

/// A message in a room that names the file.
fn naming(event: &str, place: &str, sender: &str) -> IngestedEvent {
    let mxc = Mxc::new("hub.local", "old").expect("a good name");
    let file = File { mxc, filename: "old.png".to_owned(), file_size: None, mimetype: None };
    IngestedEvent {
        event_id: EventId::new(event),
        tenant: TENANT,
        room: room(place),
        sender: MatrixUserId::new(sender),
        timestamp: "2026-01-01T06:00:00Z".parse().expect("a time"),
        change: Change::Message { by: None, summary: "old.png".to_owned(), file: Some(file) },
        payload: None,
    }
}

#[tokio::test]
async fn a_file_of_before_the_update_is_for_the_members_of_its_rooms() {
    let local_appends = LocalAppends::database().await;
    let ports = local_appends.ports();
    for (place, member) in [("!1", "anna"), ("!2", "bert")] {
        let key = RoomKey { tenant: TENANT, kind: RoomKind::Service { source_app: place.to_owned() } };
        ports.rooms.register(&key, &room(place), &Profile::default()).await.expect("settled");
        ports.users.sign_in(&identity(member), member).await.expect("signed in");
        ports.memberships.add(TENANT, &room(place), &user(member)).await.expect("added");
    }
    ports.messages.ingest(&[naming("$1", "!1", "@anna:hub.local")]).await.expect("taken in");
    // As the migration leaves what it finds: the sender was not stored.
    let client = local_appends.client().await;
    client
        .batch_execute(
            "update media set sender = ''; update media_owners set owner = '', since = '-infinity'",
        )
        .await
        .expect("updated");
    let mxc = Mxc::new("hub.local", "old").expect("a good name");
    let read_by = async |name: &str| {
        ports.messages.posted(TENANT, &user(name), &mxc).await.expect("an answer").is_some()
    };
    assert!(read_by("anna").await);
    for (event, sender) in [("$2", "@bert:hub.local"), ("$3", "@anna:hub.local")] {
        ports.messages.ingest(&[naming(event, "!2", sender)]).await.expect("taken in");
        assert!(!read_by("bert").await, "{sender}");
    }
    assert!(read_by("anna").await);
}
