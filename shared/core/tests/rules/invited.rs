//! Invitations by other clients to users who have no account yet.

use messenger_core::{
    id::{MatrixUserId, RoomId},
    room::RoomType,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::json;

use crate::ready_caller;

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

/// Signs in Anna, who may use other clients, and Carl.
async fn with_anna() -> TestMessenger {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    ready_caller(&messenger, "carl").await;
    messenger.enable_external(anna.user.id()).await.expect("enabled");
    messenger
}

async fn rooms(messenger: &TestMessenger, name: &str) -> Vec<(RoomId, RoomType)> {
    let caller = ready_caller(messenger, name).await;
    let rooms = messenger.rooms().list(&caller).await.expect("rooms");
    rooms.into_iter().map(|room| (room.matrix_room_id, room.room_type)).collect()
}

#[tokio::test]
async fn an_invitation_before_the_first_sign_in_is_accepted_after_it() {
    let messenger = with_anna().await;
    let known = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("carl")], false);
    let sent = messenger.homeserver.send_text(&known, &matrix("anna"), "eins");
    messenger.ingest().receive(vec![messenger.homeserver.room_event(&known, &sent)]).await.expect("received");
    let undiscovered = messenger.homeserver.create_room_as(&matrix("anna"), &[], false);
    for room in [&known, &undiscovered] {
        let invited = messenger.homeserver.invite(room, &matrix("anna"), &matrix("dora"));
        if room == &known {
            messenger
                .ingest()
                .receive(vec![messenger.homeserver.room_event(room, &invited)])
                .await
                .expect("received");
        }
    }
    assert!(!messenger.homeserver.members(&known).contains(&matrix("dora")));
    let rooms = rooms(&messenger, "dora").await;
    for room in [&known, &undiscovered] {
        assert!(rooms.iter().any(|(id, _)| id == room), "{rooms:?}");
        assert!(messenger.homeserver.members(room).contains(&matrix("dora")));
    }
    assert_eq!(rooms.len(), 3);
}

#[tokio::test]
async fn an_encrypted_chat_that_waits_for_a_user_leads_to_a_plain_one_after_the_sign_in() {
    let messenger = with_anna().await;
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[], true);
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    messenger.homeserver.set_state(&room, &matrix("anna"), "m.room.encryption", algorithm);
    messenger.homeserver.invite(&room, &matrix("anna"), &matrix("dora"));
    let rooms = rooms(&messenger, "dora").await;
    assert!(rooms.iter().any(|(id, kind)| *kind == RoomType::Dm && *id != room), "{rooms:?}");
    assert_eq!(rooms.len(), 2);
}

#[tokio::test]
async fn an_invitation_of_another_tenant_is_ignored_and_a_failing_room_blocks_no_other() {
    let messenger = with_anna().await;
    let broken = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("carl")], false);
    messenger.homeserver.invite(&broken, &matrix("anna"), &matrix("dora"));
    messenger.homeserver.fail_room(&broken, messenger_core::error::Failure::Broken);
    let fine = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("carl")], false);
    for guest in ["dora", "fritz"] {
        messenger.homeserver.invite(&fine, &matrix("anna"), &matrix(guest));
    }
    let rooms = rooms(&messenger, "dora").await;
    assert!(rooms.iter().any(|(id, _)| *id == fine), "{rooms:?}");
    let fritz = messenger.caller("fritz", fixtures::OTHER_TENANT).await;
    messenger.work().await;
    assert_eq!(messenger.rooms().list(&fritz).await.expect("rooms").len(), 1);
    assert!(!messenger.homeserver.members(&fine).contains(&matrix("fritz")));
}
