//! Rooms of before the migration: their power levels are still to be corrected, and of adopted ones it is not known what
//! they showed to whom.

use messenger_core::{
    id::{RoomId, TenantId},
    room::{Marks, RoomKey, RoomKind},
};

use crate::database::LocalAppends;

const MIGRATION: &str = include_str!("../../migrations/V22__refusals_and_successors.sql");

#[tokio::test]
async fn rooms_of_before_are_corrected_once_and_adopted_ones_keep_their_history() {
    let local_appends = LocalAppends::database().await;
    let ports = local_appends.ports();
    let custom = |id: &str| RoomKey { tenant: TenantId(1), kind: RoomKind::Custom { id: id.to_owned() } };
    for (id, room) in [("made", "!made"), ("!adopted:hub.local", "!adopted:hub.local")] {
        ports
            .rooms
            .register(&custom(id), &RoomId::new(room), &messenger_core::room::Profile::default())
            .await
            .expect("stored");
    }
    let before = MIGRATION.lines().find(|line| line.starts_with("update rooms set levels_corrected"));
    let client = local_appends.client().await;
    client.batch_execute(before.expect("a statement about old rooms")).await.expect("it runs");
    let mut rooms = ports.room_records.uncorrected(10).await.expect("rooms");
    rooms.sort_by_key(|(_, room)| room.clone());
    let expected = [(custom("!adopted:hub.local"), "!adopted:hub.local"), (custom("made"), "!made")];
    assert_eq!(rooms, expected.map(|(key, room)| (key, RoomId::new(room))));
    assert_eq!(rooms.iter().filter(|(key, _)| key.is_made_here()).count(), 1);
    let marks = async |room: &str| ports.room_records.marks(&RoomId::new(room)).await.expect("read");
    assert_eq!(marks("!made").await, Some(Marks::default()));
    assert_eq!(marks("!adopted:hub.local").await, Some(Marks::HISTORY_RESTRICTED));
    ports.room_records.corrected(&RoomId::new("!made")).await.expect("stored");
    assert_eq!(ports.room_records.uncorrected(10).await.expect("rooms").len(), 1);
}
