//! Adoption of rooms that the homeserver has and the store has not: created by other clients, or by a process
//! that crashed.

use std::time::Duration;

use messenger_core::{
    event::Kind,
    id::{MatrixUserId, RoomId},
    room::{RoomCreation, RoomKey, RoomKind, RoomType},
    room_event::RoomEvent,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::json;

use crate::{ready_caller, run_until_idle};

/// A time longer than the creation of a room takes, whatever fails.
const LATER: Duration = Duration::from_mins(10);

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

fn creation() -> RoomCreation {
    RoomCreation { name: "Umbau".to_owned(), topic: None, invite: vec!["bert".to_owned(), "carl".to_owned()] }
}

async fn with_three() -> (TestMessenger, messenger_core::user::Caller) {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    for other in ["bert", "carl"] {
        ready_caller(&messenger, other).await;
    }
    (messenger, anna)
}

/// Returns the room in creation if the homeserver has it.
fn created_room(messenger: &TestMessenger) -> Option<RoomId> {
    messenger
        .homeserver
        .rooms()
        .into_iter()
        .find(|room| messenger.homeserver.creation_request(room).name == "Umbau")
}

/// Sends a text as another client. Returns the event that the homeserver pushes.
fn text_event(messenger: &TestMessenger, room: &RoomId, user: &str, body: &str) -> RoomEvent {
    let event = messenger.homeserver.send_text(room, &matrix(user), body);
    messenger.homeserver.room_event(room, &event)
}

/// Returns the bodies of the published messages.
fn published(messenger: &TestMessenger) -> Vec<String> {
    let messages = messenger.memory.events().into_iter().filter(|event| event.kind == Kind::NewMessage);
    let fields =
        messages.map(|event| serde_json::from_str::<serde_json::Value>(&event.json()).expect("JSON"));
    fields.map(|fields| fields["body"].as_str().expect("a body").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_room_whose_creator_crashed_is_complete_for_its_members() {
    for step in 0..1000 {
        let (messenger, anna) = with_three().await;
        let done = messenger.crash_after(step, messenger.rooms().create(&anna, creation())).await.is_some();
        let messenger = messenger.another_process();
        let Some(room) = created_room(&messenger) else { continue };
        // As in every created room, the bot's event has set the name.
        let name = json!({ "name": "Umbau" });
        let name = messenger.homeserver.send_event(&room, &matrix("messenger"), "m.room.name", name);
        messenger
            .ingest()
            .receive(vec![messenger.homeserver.room_event(&room, &name)])
            .await
            .expect("received");
        messenger.pass(LATER);
        run_until_idle(&messenger).await;
        let members: Vec<_> = messenger.homeserver.members(&room);
        let members: Vec<_> = members.iter().filter_map(|member| member.localpart("hub.local")).collect();
        for member in &members {
            messenger
                .ingest()
                .receive(vec![text_event(&messenger, &room, member, member)])
                .await
                .expect("received");
        }
        for member in &members {
            let caller = messenger.caller(member, fixtures::TENANT).await;
            let rooms = messenger.rooms().list(&caller).await.expect("a list");
            let seen = rooms.iter().find(|seen| seen.matrix_room_id == room).expect("the room");
            assert_eq!((seen.room_type, seen.display_name.as_str()), (RoomType::Custom, "Umbau"), "{step}");
            assert_eq!(
                messenger.rooms().members(&caller, &room).await.expect("a list").len(),
                members.len(),
                "{step}"
            );
        }
        assert_eq!(published(&messenger), members, "step {step}");
        if done {
            assert_eq!(members.len(), 3);
            return;
        }
    }
    panic!("the scenario never completes");
}

#[tokio::test(start_paused = true)]
async fn a_room_in_creation_is_left_to_its_creator() {
    let (messenger, anna) = with_three().await;
    messenger.homeserver.delay_responses(Duration::from_secs(5));
    let pushed = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        let room = created_room(&messenger).expect("a room in creation");
        assert_eq!(messenger.homeserver.members(&room).len(), 3);
        messenger.homeserver.delay_responses(Duration::ZERO);
        messenger.pass(Duration::from_mins(2));
        let early = text_event(&messenger, &room, "bert", "schon da");
        messenger.ingest().receive(vec![early.clone()]).await.expect("received");
        assert_eq!(messenger.ports.rooms.tenant_of(&room).await.expect("looked up"), None);
        early
    };
    let (made, early) = tokio::join!(messenger.rooms().create(&anna, creation()), pushed);
    let made = made.expect("created");
    assert_eq!(made.display_name, "Umbau");
    assert_eq!(messenger.rooms().members(&anna, &made.matrix_room_id).await.expect("a list").len(), 3);
    // The event that was pushed too early is published once.
    messenger.drain_background().await;
    messenger.ingest().receive(vec![early]).await.expect("received");
    assert_eq!(published(&messenger), ["schon da"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_sent_during_the_creation_of_a_chat_is_published() {
    let (messenger, anna) = with_three().await;
    messenger.homeserver.delay_responses(Duration::from_secs(2));
    let pushed = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let rooms = messenger.homeserver.rooms();
        let room = rooms
            .iter()
            .find(|room| messenger.homeserver.creation_request(room).is_direct)
            .expect("a room in creation");
        messenger.homeserver.delay_responses(Duration::ZERO);
        messenger
            .ingest()
            .receive(vec![text_event(&messenger, room, "bert", "schon da")])
            .await
            .expect("received");
        assert_eq!(messenger.ports.rooms.tenant_of(room).await.expect("looked up"), None);
    };
    let bert = fixtures::user("bert");
    let (made, ()) = tokio::join!(messenger.rooms().open_direct_chat(&anna, &bert), pushed);
    made.expect("created");
    messenger.drain_background().await;
    assert_eq!(published(&messenger), ["schon da"]);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_room_is_complete_whenever_its_adoption_crashed() {
    for is_direct in [false, true] {
        for step in 0..1000 {
            let messenger = messenger().build();
            for user in ["anna", "bert"] {
                ready_caller(&messenger, user).await;
            }
            let room = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("bert")], is_direct);
            let name = json!({ "name": "Schicht 3" });
            messenger.homeserver.send_event(&room, &matrix("anna"), "m.room.name", name);
            let first = text_event(&messenger, &room, "anna", "eins");
            let done =
                messenger.crash_after(step, messenger.ingest().receive(vec![first.clone()])).await.is_some();
            let messenger = messenger.another_process();
            // The push was not acknowledged, so the homeserver repeats it first.
            let second = text_event(&messenger, &room, "bert", "zwei");
            messenger.ingest().receive(vec![first, second]).await.expect("received");
            assert_eq!(published(&messenger), ["eins", "zwei"], "step {step}");
            let bert = messenger.caller("bert", fixtures::TENANT).await;
            assert_eq!(
                messenger.rooms().members(&bert, &room).await.expect("a list").len(),
                2,
                "step {step}"
            );
            let seen = messenger.rooms().list(&bert).await.expect("a list");
            let seen = seen.iter().find(|seen| seen.matrix_room_id == room).expect("the room");
            let expected = if is_direct { (RoomType::Dm, "anna") } else { (RoomType::Custom, "Schicht 3") };
            assert_eq!((seen.room_type, seen.display_name.as_str()), expected, "step {step}");
            for (user, partner) in [("anna", "bert"), ("bert", "anna")] {
                let shown = messenger.homeserver.is_direct(&room, &matrix(user), &matrix(partner));
                assert_eq!(shown, is_direct, "step {step}");
            }
            if done {
                assert!(step > 10, "there were only {step} steps");
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_invitation_is_accepted_once_and_a_repeated_one_is_ignored() {
    let (messenger, anna) = with_three().await;
    let room = messenger
        .rooms()
        .create(&anna, RoomCreation { invite: Vec::new(), ..creation() })
        .await
        .expect("created");
    let room = room.matrix_room_id;
    let bert = matrix("bert");
    let members = async || messenger.rooms().members(&anna, &room).await.expect("a list").len();
    let invited = messenger.homeserver.invite(&room, &matrix("anna"), &bert);
    let invited = messenger.homeserver.room_event(&room, &invited);
    messenger.ingest().receive(vec![invited.clone()]).await.expect("received");
    assert_eq!(members().await, 2);
    let put_out = messenger.homeserver.end_membership(&room, &matrix("anna"), &bert);
    messenger
        .ingest()
        .receive(vec![messenger.homeserver.room_event(&room, &put_out)])
        .await
        .expect("received");
    assert_eq!(members().await, 1);
    // A late push repeats the invitation after the kick, and the worker reads it again.
    messenger.ingest().receive(vec![invited]).await.expect("received");
    messenger.reconcile().run("worker", Duration::ZERO).await.expect("read");
    assert!(!messenger.homeserver.members(&room).contains(&bert), "the user is not joined again");
    assert_eq!(members().await, 1);
}

#[tokio::test]
async fn a_user_who_declined_before_the_adoption_stays_out() {
    let (messenger, _) = with_three().await;
    let bert = matrix("bert");
    let room = messenger.homeserver.create_room_as(&bert, &[&matrix("carl")], false);
    for user in ["anna", "carl"] {
        messenger.homeserver.invite(&room, &bert, &matrix(user));
    }
    messenger.homeserver.end_membership(&room, &matrix("anna"), &matrix("anna"));
    messenger.ingest().receive(vec![text_event(&messenger, &room, "bert", "eins")]).await.expect("received");
    let bert = messenger.caller("bert", fixtures::TENANT).await;
    assert_eq!(messenger.rooms().members(&bert, &room).await.expect("a list").len(), 2);
    assert!(!messenger.homeserver.members(&room).contains(&matrix("anna")));
    // A user who is invited now becomes a member.
    messenger.homeserver.end_membership(&room, &matrix("bert"), &matrix("carl"));
    let invited = messenger.homeserver.invite(&room, &matrix("bert"), &matrix("anna"));
    messenger
        .ingest()
        .receive(vec![messenger.homeserver.room_event(&room, &invited)])
        .await
        .expect("received");
    assert!(messenger.homeserver.members(&room).contains(&matrix("anna")));
}

#[tokio::test]
async fn an_adopted_room_is_named_by_its_state_or_by_its_members() {
    let (messenger, anna) = with_three().await;
    let shown = async |room: &RoomId| {
        let rooms = messenger.rooms().list(&anna).await.expect("a list");
        let seen = rooms.into_iter().find(|seen| seen.matrix_room_id == *room).expect("the room");
        (seen.display_name, seen.topic)
    };
    let state = |room: &RoomId, kind: &str, content| {
        messenger.homeserver.send_event(room, &matrix("anna"), kind, content)
    };
    // The name was set so long ago that its event is not backfilled.
    let named = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("bert")], false);
    state(&named, "m.room.name", json!({ "name": "\u{202e}Schicht 3\u{200b}" }));
    state(&named, "m.room.topic", json!({ "topic": "Hal\u{2066}le\n" }));
    for n in 0..600 {
        messenger.homeserver.send_text(&named, &matrix("bert"), &n.to_string());
    }
    messenger.ingest().receive(vec![text_event(&messenger, &named, "anna", "eins")]).await.expect("received");
    assert_eq!(shown(&named).await, ("Schicht 3".to_owned(), Some("Halle".to_owned())));

    let nameless =
        messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("bert"), &matrix("carl")], false);
    messenger
        .ingest()
        .receive(vec![text_event(&messenger, &nameless, "anna", "eins")])
        .await
        .expect("received");
    assert_eq!(shown(&nameless).await, ("anna, bert, carl".to_owned(), None));
    // An empty name leaves the former one.
    for (name, expected) in
        [("Um\u{202e}bau", "Umbau"), ("", "Umbau"), ("\u{200b}\u{3164}", "Umbau"), ("U\u{308}bung", "Übung")]
    {
        let event = state(&nameless, "m.room.name", json!({ "name": name }));
        messenger
            .ingest()
            .receive(vec![messenger.homeserver.room_event(&nameless, &event)])
            .await
            .expect("received");
        assert_eq!(shown(&nameless).await.0, expected);
    }
}

#[tokio::test]
async fn a_space_is_not_adopted() {
    let (messenger, _) = with_three().await;
    let space = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("bert")], false);
    messenger.homeserver.make_space(&space);
    messenger.ingest().receive(vec![text_event(&messenger, &space, "anna", "eins")]).await.expect("received");
    assert_eq!(messenger.ports.rooms.tenant_of(&space).await.expect("looked up"), None);
}

#[test]
fn only_the_alias_of_a_custom_room_leads_to_its_key() {
    let key = |kind| RoomKey { tenant: fixtures::TENANT, kind };
    let made = key(RoomKind::Custom { id: format!("{:032x}", 77_u128 << 64) });
    assert_eq!(RoomKey::of_alias(&made.alias()), Some(made.clone()));
    let general = key(RoomKind::General).alias();
    let foreign = key(RoomKind::Custom { id: "!A/b:x".to_owned() }).alias();
    let other_tenant = made.alias().replace("hub_t1_", "hub_t2_");
    for alias in
        [general.as_str(), &foreign, &other_tenant, "hub_t1_custom__", "hub_t1_custom_x_0", "hub_", "", "x"]
    {
        assert_eq!(RoomKey::of_alias(alias), None, "{alias}");
    }
}
