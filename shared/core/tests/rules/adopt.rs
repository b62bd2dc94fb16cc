//! Rooms that the homeserver has and we do not: made by people elsewhere, or by us when a process ended.

use std::time::Duration;

use messenger_core::{
    event::Kind,
    id::{MatrixUserId, RoomId},
    inbound::RoomEvent,
    room::{Founding, RoomKey, RoomKind, RoomType},
};
use messenger_testkit::{TestHub, given, hub};
use serde_json::json;

use crate::{ready_caller, settle};

/// Longer than making a room takes, whatever fails.
const LATER: Duration = Duration::from_mins(10);

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

fn umbau() -> Founding {
    Founding { name: "Umbau".to_owned(), topic: None, invite: vec!["bert".to_owned(), "carl".to_owned()] }
}

async fn with_three() -> (TestHub, messenger_core::user::Caller) {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    for other in ["bert", "carl"] {
        ready_caller(&hub, other).await;
    }
    (hub, anna)
}

/// The room that is being made, if the homeserver has it.
fn made(hub: &TestHub) -> Option<RoomId> {
    hub.homeserver.rooms().into_iter().find(|room| hub.homeserver.asked(room).name == "Umbau")
}

/// What the homeserver pushes when somebody says something.
fn said(hub: &TestHub, room: &RoomId, user: &str, body: &str) -> RoomEvent {
    let event = hub.homeserver.says(room, &matrix(user), body);
    hub.homeserver.told(room, &event)
}

fn told(hub: &TestHub) -> Vec<String> {
    let messages = hub.memory.events().into_iter().filter(|event| event.kind == Kind::NewMessage);
    let fields =
        messages.map(|event| serde_json::from_str::<serde_json::Value>(&event.json()).expect("JSON"));
    fields.map(|fields| fields["body"].as_str().expect("a body").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_room_whose_maker_crashed_is_whole_for_everybody_who_is_in_it() {
    for step in 0..1000 {
        let (hub, anna) = with_three().await;
        let done = hub.crash_after(step, hub.found_room(&anna, umbau())).await.is_some();
        let hub = hub.another_process();
        let Some(room) = made(&hub) else { continue };
        // As every room that is made, it has a name by an event of the bot.
        let name = json!({ "name": "Umbau" });
        let name = hub.homeserver.happens(&room, &matrix("messenger"), "m.room.name", name);
        hub.receive(vec![hub.homeserver.told(&room, &name)]).await.expect("heard");
        hub.pass(LATER);
        settle(&hub).await;
        let members: Vec<_> = hub.homeserver.members(&room);
        let members: Vec<_> = members.iter().filter_map(|member| member.localpart("hub.local")).collect();
        for member in &members {
            hub.receive(vec![said(&hub, &room, member, member)]).await.expect("heard");
        }
        for member in &members {
            let caller = hub.caller(member, given::TENANT).await;
            let rooms = hub.rooms_of(&caller).await.expect("a list");
            let seen = rooms.iter().find(|seen| seen.matrix_room_id == room).expect("the room");
            assert_eq!((seen.room_type, seen.display_name.as_str()), (RoomType::Custom, "Umbau"), "{step}");
            assert_eq!(hub.members(&caller, &room).await.expect("a list").len(), members.len(), "{step}");
        }
        assert_eq!(told(&hub), members, "step {step}");
        if done {
            assert_eq!(members.len(), 3);
            return;
        }
    }
    panic!("it never comes to an end");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_just_being_made_is_left_to_who_makes_it() {
    let (hub, anna) = with_three().await;
    hub.homeserver.answer_late(Duration::from_secs(5));
    let pushed = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        let room = made(&hub).expect("it is being made");
        assert_eq!(hub.homeserver.members(&room).len(), 3);
        hub.homeserver.answer_late(Duration::ZERO);
        hub.pass(Duration::from_mins(2));
        let early = said(&hub, &room, "bert", "schon da");
        hub.receive(vec![early.clone()]).await.expect("heard");
        assert_eq!(hub.rooms.tenant_of(&room).await.expect("looked"), None);
        early
    };
    let (made, early) = tokio::join!(hub.found_room(&anna, umbau()), pushed);
    let made = made.expect("made");
    assert_eq!(made.display_name, "Umbau");
    assert_eq!(hub.members(&anna, &made.matrix_room_id).await.expect("a list").len(), 3);
    // What push told too early was not told in vain, and is told once.
    hub.settled().await;
    hub.receive(vec![early]).await.expect("heard");
    assert_eq!(told(&hub), ["schon da"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_while_a_chat_is_being_made_is_told() {
    let (hub, anna) = with_three().await;
    hub.homeserver.answer_late(Duration::from_secs(2));
    let pushed = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let rooms = hub.homeserver.rooms();
        let room = rooms.iter().find(|room| hub.homeserver.asked(room).is_direct).expect("it is being made");
        hub.homeserver.answer_late(Duration::ZERO);
        hub.receive(vec![said(&hub, room, "bert", "schon da")]).await.expect("heard");
        assert_eq!(hub.rooms.tenant_of(room).await.expect("looked"), None);
    };
    let bert = given::user("bert");
    let (made, ()) = tokio::join!(hub.open_dm(&anna, &bert), pushed);
    made.expect("made");
    hub.settled().await;
    assert_eq!(told(&hub), ["schon da"]);
}

#[tokio::test(start_paused = true)]
async fn a_room_made_elsewhere_is_whole_whenever_its_adoption_crashed() {
    for is_direct in [false, true] {
        for step in 0..1000 {
            let hub = hub().build();
            for user in ["anna", "bert"] {
                ready_caller(&hub, user).await;
            }
            let room = hub.homeserver.makes_room(&matrix("anna"), &[&matrix("bert")], is_direct);
            let name = json!({ "name": "Schicht 3" });
            hub.homeserver.happens(&room, &matrix("anna"), "m.room.name", name);
            let first = said(&hub, &room, "anna", "eins");
            let done = hub.crash_after(step, hub.receive(vec![first.clone()])).await.is_some();
            let hub = hub.another_process();
            // It was not answered, so it is told again, before anything else.
            let second = said(&hub, &room, "bert", "zwei");
            hub.receive(vec![first, second]).await.expect("heard");
            assert_eq!(told(&hub), ["eins", "zwei"], "step {step}");
            let bert = hub.caller("bert", given::TENANT).await;
            assert_eq!(hub.members(&bert, &room).await.expect("a list").len(), 2, "step {step}");
            let seen = hub.rooms_of(&bert).await.expect("a list");
            let seen = seen.iter().find(|seen| seen.matrix_room_id == room).expect("the room");
            let expected = if is_direct { (RoomType::Dm, "anna") } else { (RoomType::Custom, "Schicht 3") };
            assert_eq!((seen.room_type, seen.display_name.as_str()), expected, "step {step}");
            for (user, partner) in [("anna", "bert"), ("bert", "anna")] {
                let shown = hub.homeserver.is_direct(&room, &matrix(user), &matrix(partner));
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
async fn an_invitation_is_accepted_once_and_not_when_it_comes_again() {
    let (hub, anna) = with_three().await;
    let room = hub.found_room(&anna, Founding { invite: Vec::new(), ..umbau() }).await.expect("made");
    let room = room.matrix_room_id;
    let bert = matrix("bert");
    let members = async || hub.members(&anna, &room).await.expect("a list").len();
    let invited = hub.homeserver.invites(&room, &matrix("anna"), &bert);
    let invited = hub.homeserver.told(&room, &invited);
    hub.receive(vec![invited.clone()]).await.expect("heard");
    assert_eq!(members().await, 2);
    let put_out = hub.homeserver.puts_out(&room, &matrix("anna"), &bert);
    hub.receive(vec![hub.homeserver.told(&room, &put_out)]).await.expect("heard");
    assert_eq!(members().await, 1);
    // The worker reads what push has told already; and push tells late what is over by now.
    hub.receive(vec![invited]).await.expect("heard");
    hub.reconcile("worker", Duration::ZERO).await.expect("read");
    assert!(!hub.homeserver.members(&room).contains(&bert), "they are not dragged back in");
    assert_eq!(members().await, 1);
}

#[tokio::test]
async fn who_declined_before_a_room_was_adopted_stays_out() {
    let (hub, _) = with_three().await;
    let bert = matrix("bert");
    let room = hub.homeserver.makes_room(&bert, &[&matrix("carl")], false);
    for user in ["anna", "carl"] {
        hub.homeserver.invites(&room, &bert, &matrix(user));
    }
    hub.homeserver.puts_out(&room, &matrix("anna"), &matrix("anna"));
    hub.receive(vec![said(&hub, &room, "bert", "eins")]).await.expect("heard");
    let bert = hub.caller("bert", given::TENANT).await;
    assert_eq!(hub.members(&bert, &room).await.expect("a list").len(), 2);
    assert!(!hub.homeserver.members(&room).contains(&matrix("anna")));
    // Who is invited at this moment is in.
    hub.homeserver.puts_out(&room, &matrix("bert"), &matrix("carl"));
    let invited = hub.homeserver.invites(&room, &matrix("bert"), &matrix("anna"));
    hub.receive(vec![hub.homeserver.told(&room, &invited)]).await.expect("heard");
    assert!(hub.homeserver.members(&room).contains(&matrix("anna")));
}

#[tokio::test]
async fn an_adopted_room_is_called_as_its_state_says_or_by_who_is_in_it() {
    let (hub, anna) = with_three().await;
    let shown = async |room: &RoomId| {
        let rooms = hub.rooms_of(&anna).await.expect("a list");
        let seen = rooms.into_iter().find(|seen| seen.matrix_room_id == *room).expect("the room");
        (seen.display_name, seen.topic)
    };
    let state =
        |room: &RoomId, kind: &str, content| hub.homeserver.happens(room, &matrix("anna"), kind, content);
    // Named so long ago that it is not read back.
    let named = hub.homeserver.makes_room(&matrix("anna"), &[&matrix("bert")], false);
    state(&named, "m.room.name", json!({ "name": "\u{202e}Schicht 3\u{200b}" }));
    state(&named, "m.room.topic", json!({ "topic": "Hal\u{2066}le\n" }));
    for n in 0..600 {
        hub.homeserver.says(&named, &matrix("bert"), &n.to_string());
    }
    hub.receive(vec![said(&hub, &named, "anna", "eins")]).await.expect("heard");
    assert_eq!(shown(&named).await, ("Schicht 3".to_owned(), Some("Halle".to_owned())));

    let nameless = hub.homeserver.makes_room(&matrix("anna"), &[&matrix("bert"), &matrix("carl")], false);
    hub.receive(vec![said(&hub, &nameless, "anna", "eins")]).await.expect("heard");
    assert_eq!(shown(&nameless).await, ("anna, bert, carl".to_owned(), None));
    // A name that is taken away leaves the one before.
    for (name, expected) in
        [("Um\u{202e}bau", "Umbau"), ("", "Umbau"), ("\u{200b}\u{3164}", "Umbau"), ("U\u{308}bung", "Übung")]
    {
        let event = state(&nameless, "m.room.name", json!({ "name": name }));
        hub.receive(vec![hub.homeserver.told(&nameless, &event)]).await.expect("heard");
        assert_eq!(shown(&nameless).await.0, expected);
    }
}

#[tokio::test]
async fn a_space_is_left_alone() {
    let (hub, _) = with_three().await;
    let space = hub.homeserver.makes_room(&matrix("anna"), &[&matrix("bert")], false);
    hub.homeserver.makes_space(&space);
    hub.receive(vec![said(&hub, &space, "anna", "eins")]).await.expect("heard");
    assert_eq!(hub.rooms.tenant_of(&space).await.expect("looked"), None);
}

#[test]
fn only_the_alias_of_a_room_that_somebody_made_leads_back_to_its_key() {
    let key = |kind| RoomKey { tenant: given::TENANT, kind };
    let made = key(RoomKind::Custom { id: format!("{:032x}", 77_u128 << 64) });
    assert_eq!(RoomKey::of_alias(&made.alias()), Some(made.clone()));
    let general = key(RoomKind::General).alias();
    let odd = key(RoomKind::Custom { id: "!A/b:x".to_owned() }).alias();
    let other_tenant = made.alias().replace("hub_t1_", "hub_t2_");
    for alias in
        [general.as_str(), &odd, &other_tenant, "hub_t1_custom__", "hub_t1_custom_x_0", "hub_", "", "x"]
    {
        assert_eq!(RoomKey::of_alias(alias), None, "{alias}");
    }
}
