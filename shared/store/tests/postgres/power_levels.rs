//! Rooms whose power levels are still to be corrected.

use messenger_core::{
    id::{RoomId, TenantId},
    room::{Profile, RoomKey, RoomKind},
};

use crate::database::TestStore;

#[tokio::test]
async fn a_room_with_corrected_power_levels_is_not_listed_again() {
    let database = TestStore::create().await;
    let ports = database.ports();
    let custom = |id: &str| RoomKey { tenant: TenantId(1), kind: RoomKind::Custom { id: id.to_owned() } };
    for (id, room) in [("made", "!made"), ("!adopted:hub.local", "!adopted:hub.local")] {
        ports
            .rooms
            .register(&custom(id), &RoomId::new(room), &Profile::default())
            .await
            .expect("the room is registered");
    }
    let client = database.client().await;
    client.execute("update rooms set levels_corrected = false", &[]).await.expect("the rooms are updated");
    let rooms = ports.room_marks.uncorrected(10).await.expect("rooms are listed");
    let expected = [(custom("!adopted:hub.local"), "!adopted:hub.local"), (custom("made"), "!made")];
    assert_eq!(rooms, expected.map(|(key, room)| (key, RoomId::new(room))));
    assert_eq!(rooms.iter().filter(|(key, _)| key.is_made_here()).count(), 1);
    ports.room_marks.corrected(&RoomId::new("!made")).await.expect("the correction is stored");
    assert_eq!(ports.room_marks.uncorrected(10).await.expect("rooms are listed").len(), 1);
}
