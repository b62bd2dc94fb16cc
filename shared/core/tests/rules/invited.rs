//! Invitations that other clients send before their guest has an account.

use messenger_core::{
    id::{MatrixUserId, RoomId},
    room::RoomType,
    user::Role,
};
use messenger_testkit::{TestHub, given, hub};
use serde_json::json;

use crate::{ready_caller, ready_with};

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

/// Anna may use other clients, and Carl is there.
async fn with_anna() -> TestHub {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    ready_caller(&hub, "carl").await;
    let admin = ready_with(&hub, "admin", Role::Admin).await;
    hub.enable_external_access(&admin, anna.user.id()).await.expect("enabled");
    hub
}

async fn rooms(hub: &TestHub, name: &str) -> Vec<(RoomId, RoomType)> {
    let caller = ready_caller(hub, name).await;
    let rooms = hub.rooms_of(&caller).await.expect("rooms");
    rooms.into_iter().map(|room| (room.matrix_room_id, room.room_type)).collect()
}

#[tokio::test]
async fn an_invitation_to_somebody_who_never_signed_in_is_accepted_when_they_do() {
    let hub = with_anna().await;
    let known = hub.homeserver.makes_room(&matrix("anna"), &[&matrix("carl")], false);
    let said = hub.homeserver.says(&known, &matrix("anna"), "eins");
    hub.receive(vec![hub.homeserver.told(&known, &said)]).await.expect("heard");
    let unheard = hub.homeserver.makes_room(&matrix("anna"), &[], false);
    for room in [&known, &unheard] {
        let invited = hub.homeserver.invites(room, &matrix("anna"), &matrix("dora"));
        if room == &known {
            hub.receive(vec![hub.homeserver.told(room, &invited)]).await.expect("heard");
        }
    }
    assert!(!hub.homeserver.members(&known).contains(&matrix("dora")));
    let rooms = rooms(&hub, "dora").await;
    for room in [&known, &unheard] {
        assert!(rooms.iter().any(|(id, _)| id == room), "{rooms:?}");
        assert!(hub.homeserver.members(room).contains(&matrix("dora")));
    }
    assert_eq!(rooms.len(), 3);
}

#[tokio::test]
async fn an_encrypted_chat_that_waits_for_somebody_leads_them_to_a_plain_one_when_they_come() {
    let hub = with_anna().await;
    let room = hub.homeserver.makes_room(&matrix("anna"), &[], true);
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    hub.homeserver.sets(&room, &matrix("anna"), "m.room.encryption", algorithm);
    hub.homeserver.invites(&room, &matrix("anna"), &matrix("dora"));
    let rooms = rooms(&hub, "dora").await;
    assert!(rooms.iter().any(|(id, kind)| *kind == RoomType::Dm && *id != room), "{rooms:?}");
    assert_eq!(rooms.len(), 2);
}

#[tokio::test]
async fn another_tenants_invitation_is_left_alone_and_a_room_that_fails_keeps_nobody_out() {
    let hub = with_anna().await;
    let broken = hub.homeserver.makes_room(&matrix("anna"), &[&matrix("carl")], false);
    hub.homeserver.invites(&broken, &matrix("anna"), &matrix("dora"));
    hub.homeserver.fail_room(&broken, messenger_core::error::Failure::Broken);
    let fine = hub.homeserver.makes_room(&matrix("anna"), &[&matrix("carl")], false);
    for guest in ["dora", "fritz"] {
        hub.homeserver.invites(&fine, &matrix("anna"), &matrix(guest));
    }
    let rooms = rooms(&hub, "dora").await;
    assert!(rooms.iter().any(|(id, _)| *id == fine), "{rooms:?}");
    let fritz = hub.caller("fritz", given::OTHER_TENANT).await;
    hub.work().await;
    assert_eq!(hub.rooms_of(&fritz).await.expect("rooms").len(), 1);
    assert!(!hub.homeserver.members(&fine).contains(&matrix("fritz")));
}
