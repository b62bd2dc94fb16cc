//! What a list of rooms costs: one statement, whatever the number of rooms.

use std::time::Instant;

use messenger_core::room::{Profile, RoomKey, RoomKind};
use messenger_testkit::fixtures::{TENANT, identity, room, user};

use crate::database::LocalAppends;

#[tokio::test]
async fn a_list_of_rooms_is_one_statement_whatever_their_number() {
    let local_appends = LocalAppends::database().await;
    let store = local_appends.beside();
    let ports = local_appends.ports();
    ports.users.sign_in(&identity("anna"), "anna").await.expect("signed in");
    let mut there = 0;
    for rooms in [10, 100, 500] {
        for n in there..rooms {
            let (entity_type, entity_id) = ("machine".to_owned(), n.to_string());
            let key = RoomKey { tenant: TENANT, kind: RoomKind::Entity { entity_type, entity_id } };
            let id = room(&format!("!{n}"));
            ports.rooms.register(&key, &id, &Profile::default()).await.expect("settled");
            ports.memberships.add(TENANT, &id, &user("anna")).await.expect("added");
        }
        there = rooms;
        let room_views: &dyn messenger_core::port::RoomViews = &store;
        let before = store.statements();
        let start = Instant::now();
        let listed = room_views.rooms(TENANT, &user("anna")).await.expect("a list");
        println!("{rooms} rooms: {:?}", start.elapsed());
        assert_eq!((listed.len(), store.statements() - before), (rooms, 1));
    }
}
