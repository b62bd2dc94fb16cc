//! The number of statements for a list of rooms.

use std::time::Instant;

use messenger_core::room::{Profile, RoomKey, RoomKind};
use messenger_testkit::fixtures::{TENANT, identity, room, user};

use crate::database::TestStore;

#[tokio::test]
async fn a_list_of_rooms_is_one_statement_whatever_their_number() {
    let database = TestStore::create().await;
    let store = database.beside();
    let ports = database.ports();
    ports.users.sign_in(&identity("anna"), "anna").await.expect("signed in");
    let mut count = 0;
    for rooms in [10, 100, 500] {
        for n in count..rooms {
            let (entity_type, entity_id) = ("machine".to_owned(), n.to_string());
            let key = RoomKey { tenant: TENANT, kind: RoomKind::Entity { entity_type, entity_id } };
            let id = room(&format!("!{n}"));
            ports.rooms.register(&key, &id, &Profile::default()).await.expect("registered");
            ports.memberships.add(TENANT, &id, &user("anna")).await.expect("added");
        }
        count = rooms;
        let room_views: &dyn messenger_core::port::RoomViews = &store;
        let before = store.statements();
        let start = Instant::now();
        let listed = room_views.rooms(TENANT, &user("anna")).await.expect("a list");
        println!("{rooms} rooms: {:?}", start.elapsed());
        assert_eq!((listed.len(), store.statements() - before), (rooms, 1));
    }
}
