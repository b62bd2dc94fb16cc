//! Creation of rooms, memberships and direct chats.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use messenger_core::{
    error::Failure,
    id::RoomId,
    port::{Accounts, EphemeralEvents, MembershipCalls, RoomAdministration, Timeline},
    room::NewRoom,
};
use messenger_matrix::Appservice;
use serde_json::{Value, json};

use crate::fixture::{BOT, Fixture, failure, room, segment, text, user};

pub(crate) async fn a_new_room_has_the_specified_state(fixture: Fixture) -> Result<()> {
    let id = fixture.appservice.create_room(&room("design")).await?;
    let (bot, id) = (fixture.bot()?, segment(&id));
    assert_eq!(bot.state(&id, "m.room.create", "").await?["room_version"], "11");
    assert_eq!(bot.state(&id, "m.room.join_rules", "").await?["join_rule"], "invite");
    assert_eq!(bot.state(&id, "m.room.history_visibility", "").await?["history_visibility"], "shared");
    assert_eq!(bot.state(&id, "m.room.guest_access", "").await?["guest_access"], "forbidden");
    assert_eq!(bot.state(&id, "m.room.encryption", "").await?, Value::Null);
    assert_eq!(bot.state(&id, "m.room.name", "").await?["name"], "Fräse 42");
    assert_eq!(bot.state(&id, "m.room.topic", "").await?["topic"], "Halle 3");
    assert_eq!(bot.state(&id, "m.room.canonical_alias", "").await?["alias"], "#hub_design:hub.local");
    let levels = bot.state(&id, "m.room.power_levels", "").await?;
    assert_eq!(levels["users"], json!({ BOT: 100 }));
    let expected =
        [("users_default", 0), ("events_default", 0), ("state_default", 50), ("invite", 50), ("kick", 50)];
    for (level, value) in expected {
        assert_eq!(levels[level], value, "{level}");
    }
    Ok(())
}

pub(crate) async fn twenty_concurrent_creations_of_one_alias_create_one_room(fixture: Fixture) -> Result<()> {
    let wanted = room("busy");
    let ids = try_join_all((0..20).map(|_| fixture.appservice.create_room(&wanted))).await?;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(fixture.bot()?.joined_rooms().await?, [ids[0].as_str()]);
    Ok(())
}

pub(crate) async fn a_repeated_creation_returns_the_first_room(fixture: Fixture) -> Result<()> {
    fixture.appservice.ensure_user(&user("anna"), "Anna").await?;
    let wanted = NewRoom { invite: vec![user("anna")], ..room("again") };
    let first = fixture.appservice.create_room(&wanted).await?;
    // The first process was killed before it stored the room.
    let other = Appservice::new(fixture.config.clone())?;
    assert_eq!(other.create_room(&wanted).await?, first);
    // The invited user has joined.
    other.join(&first, &user("anna")).await?;
    assert_eq!(other.create_room(&wanted).await?, first);
    // Another alias has another room.
    assert_ne!(other.create_room(&room("other")).await?, first);
    Ok(())
}

pub(crate) async fn a_cancelled_creation_leaves_a_complete_room(fixture: Fixture) -> Result<()> {
    let wanted = room("hurry");
    let cancelled = tokio::time::timeout(Duration::from_millis(1), fixture.appservice.create_room(&wanted));
    assert!(cancelled.await.is_err());
    let id = fixture.appservice.create_room(&wanted).await?;
    assert_eq!(fixture.bot()?.joined_rooms().await?, [id.as_str()]);
    assert_eq!(fixture.bot()?.state(&segment(&id), "m.room.name", "").await?["name"], "Fräse 42");
    Ok(())
}

pub(crate) async fn an_incomplete_room_is_completed(fixture: Fixture) -> Result<()> {
    let bare = json!({ "room_version": "11", "room_alias_name": "hub_half" });
    let made = fixture.bot()?.post("/createRoom", bare).await?;
    let id = fixture.appservice.create_room(&room("half")).await?;
    assert_eq!(made["room_id"], id.as_str());
    let (bot, id) = (fixture.bot()?, segment(&id));
    assert_eq!(bot.state(&id, "m.room.name", "").await?["name"], "Fräse 42");
    assert_eq!(bot.state(&id, "m.room.topic", "").await?["topic"], "Halle 3");
    // Existing state stays: a member may have renamed the room.
    bot.put(&format!("/rooms/{id}/state/m.room.name"), json!({ "name": "Renamed" })).await?;
    fixture.appservice.create_room(&room("half")).await?;
    assert_eq!(bot.state(&id, "m.room.name", "").await?["name"], "Renamed");
    Ok(())
}

pub(crate) async fn an_alias_of_a_foreign_room_is_an_error(fixture: Fixture) -> Result<()> {
    let other = fixture.bot()?.acting_for("@squatter:hub.local");
    other.register("squatter", None).await?;
    let foreign = other.post("/createRoom", json!({ "room_alias_name": "hub_taken" })).await?;
    let error =
        fixture.appservice.create_room(&room("taken")).await.err().context("a foreign room was accepted")?;
    let error = anyhow::Error::from(error);
    assert!(format!("{error:#}").contains("#hub_taken:hub.local belongs to"), "{error:#}");

    // It is refused even if the bot is a member: its creator must not receive the room's messages.
    let id = foreign["room_id"].as_str().context("a room id")?.replace('!', "%21");
    other.post(&format!("/rooms/{id}/invite"), json!({ "user_id": BOT })).await?;
    fixture.bot()?.post(&format!("/rooms/{id}/join"), json!({})).await?;
    let result = fixture.appservice.create_room(&room("taken")).await;
    assert_eq!(failure(result)?, Failure::Broken);
    Ok(())
}

pub(crate) async fn a_repeated_join_changes_nothing(fixture: Fixture) -> Result<()> {
    let member = user("anna");
    fixture.appservice.ensure_user(&member, "Anna").await?;
    let id = fixture.appservice.create_room(&room("join")).await?;
    for _ in 0..3 {
        fixture.appservice.join(&id, &member).await?;
    }
    try_join_all((0..10).map(|_| fixture.appservice.join(&id, &member))).await?;
    let anna = fixture.bot()?.acting_for("@anna:hub.local");
    assert_eq!(anna.joined_rooms().await?, [id.as_str()]);
    // A user who left can join again; a banned user cannot.
    anna.post(&format!("/rooms/{}/leave", segment(&id)), json!({})).await?;
    fixture.appservice.join(&id, &member).await?;
    let ban = json!({ "user_id": "@anna:hub.local" });
    fixture.bot()?.post(&format!("/rooms/{}/ban", segment(&id)), ban).await?;
    assert_eq!(failure(fixture.appservice.join(&id, &member).await)?, Failure::Rejected);
    Ok(())
}

pub(crate) async fn a_direct_chat_is_listed_in_m_direct(fixture: Fixture) -> Result<()> {
    let anna = fixture.person("anna").await?;
    fixture.appservice.ensure_user(&user("anna"), "Anna").await?;
    let path = "/user/@anna:hub.local/account_data/m.direct";
    anna.put(path, json!({ "@bob:hub.local": ["!other:hub.local"] })).await?;
    let wanted = NewRoom { is_direct: true, invite: vec![user("anna")], topic: None, ..room("dm") };
    let id = fixture.appservice.create_room(&wanted).await?;
    fixture.appservice.join(&id, &user("anna")).await?;
    fixture.appservice.create_room(&wanted).await?;
    let direct = anna.get(path).await?;
    assert_eq!(direct, json!({ "@bob:hub.local": ["!other:hub.local"], BOT: [id.as_str()] }));
    assert_eq!(anna.joined_rooms().await?, [id.as_str()]);
    Ok(())
}

pub(crate) async fn a_direct_chat_of_two_users_is_listed_for_both(fixture: Fixture) -> Result<()> {
    for name in ["anna", "bert"] {
        fixture.appservice.ensure_user(&user(name), name).await?;
    }
    let wanted =
        NewRoom { is_direct: true, invite: vec![user("anna"), user("bert")], topic: None, ..room("pair") };
    let id = fixture.appservice.create_room(&wanted).await?;
    for (name, partner) in [("anna", "bert"), ("bert", "anna")] {
        fixture.appservice.join(&id, &user(name)).await?;
        let client = fixture.bot()?.acting_for(user(name).as_str());
        let direct = client.get(&format!("/user/@{name}:hub.local/account_data/m.direct")).await?;
        assert_eq!(direct, json!({ user(partner).as_str(): [id.as_str()] }));
    }
    Ok(())
}

pub(crate) async fn a_repeated_leave_changes_nothing(fixture: Fixture) -> Result<()> {
    let anna = user("anna");
    fixture.appservice.ensure_user(&anna, "Anna").await?;
    let id = fixture.appservice.create_room(&room("left")).await?;
    fixture.appservice.leave(&id, &anna).await?;
    fixture.appservice.join(&id, &anna).await?;
    for _ in 0..2 {
        fixture.appservice.leave(&id, &anna).await?;
        assert_eq!(fixture.bot()?.acting_for(anna.as_str()).joined_rooms().await?, [""; 0]);
    }
    fixture.appservice.join(&id, &anna).await?;
    assert_eq!(fixture.bot()?.acting_for(anna.as_str()).joined_rooms().await?, [id.as_str()]);
    Ok(())
}

pub(crate) async fn a_read_position_is_sent_to_the_readers_own_clients_only(fixture: Fixture) -> Result<()> {
    let (anna, bert) = (fixture.person("anna").await?, fixture.person("bert").await?);
    let id = fixture.appservice.create_room(&room("read")).await?;
    for name in ["anna", "bert"] {
        fixture.appservice.join(&id, &user(name)).await?;
    }
    let event = fixture.appservice.send(&id, "n1", &text("read me")).await?;
    fixture.appservice.mark_read(&id, &user("anna"), &event).await?;
    fixture.appservice.mark_read(&id, &user("anna"), &event).await?;
    let receipts = async |client: &crate::client::Client| -> Result<String> {
        let sync = client.get("/sync?timeout=0").await?;
        Ok(sync["rooms"]["join"][id.as_str()]["ephemeral"].to_string())
    };
    let (own, others) = (receipts(&anna).await?, receipts(&bert).await?);
    assert!(!others.contains("@anna:hub.local"), "{others}");
    // Conduit uses it for the unread count and sends no receipt.
    if matches!(fixture.server, crate::fixture::Server::Synapse(_)) {
        assert!(own.contains("m.read.private") && own.contains(event.as_str()), "{own}");
    }
    Ok(())
}

/// This holds for public rooms, too: a removed user, or one who declined, does not return by an old
/// invitation.
pub(crate) async fn only_a_current_invitation_is_accepted(fixture: Fixture) -> Result<()> {
    for name in ["anna", "bert"] {
        fixture.appservice.ensure_user(&user(name), name).await?;
    }
    let anna = fixture.bot()?.acting_for("@anna:hub.local");
    let bert = fixture.bot()?.acting_for("@bert:hub.local");
    for preset in ["private_chat", "public_chat"] {
        let made = anna.post("/createRoom", json!({ "preset": preset, "room_version": "11" })).await?;
        let id = RoomId::new(made["room_id"].as_str().context("a room id")?);
        fixture.appservice.enter(&id, &user("anna")).await?;
        let path = |endpoint: &str| format!("/rooms/{}/{endpoint}", segment(&id));
        let invited = json!({ "user_id": "@bert:hub.local" });
        assert!(!fixture.appservice.accept(&id, &user("bert")).await?, "{preset}: not invited");
        anna.post(&path("invite"), invited.clone()).await?;
        assert!(fixture.appservice.accept(&id, &user("bert")).await?);
        assert!(!fixture.appservice.accept(&id, &user("bert")).await?, "joined already");
        anna.post(&path("kick"), invited.clone()).await?;
        assert!(!fixture.appservice.accept(&id, &user("bert")).await?, "{preset}: removed");
        anna.post(&path("invite"), invited.clone()).await?;
        bert.post(&path("leave"), json!({})).await?;
        assert!(!fixture.appservice.accept(&id, &user("bert")).await?, "{preset}: declined");
        assert_eq!(bert.joined_rooms().await?, [""; 0]);
    }
    Ok(())
}

/// They include rooms without the bot, and exclude those with a mere invitation.
pub(crate) async fn rooms_of_a_user_are_the_joined_ones(fixture: Fixture) -> Result<()> {
    for name in ["anna", "bert"] {
        fixture.appservice.ensure_user(&user(name), name).await?;
    }
    let bert = fixture.bot()?.acting_for("@bert:hub.local");
    let made = bert.post("/createRoom", json!({ "invite": ["@anna:hub.local"] })).await?;
    let own = RoomId::new(made["room_id"].as_str().context("a room id")?);
    let ours = fixture.appservice.create_room(&room("theirs")).await?;
    fixture.appservice.join(&ours, &user("anna")).await?;
    assert_eq!(fixture.appservice.rooms_of(&user("anna")).await?, [ours]);
    assert_eq!(fixture.appservice.rooms_of(&user("bert")).await?, [own]);
    Ok(())
}

pub(crate) async fn concurrently_added_direct_chats_are_all_listed(fixture: Fixture) -> Result<()> {
    fixture.appservice.ensure_user(&user("anna"), "Anna").await?;
    let chats: Vec<_> =
        (0..10).map(|n| (RoomId::new(format!("!chat{n}:hub.local")), user(&format!("p{n}")))).collect();
    let anna = user("anna");
    let additions = chats.iter().map(|(id, partner)| fixture.appservice.show_as_direct(id, &anna, partner));
    try_join_all(additions).await?;
    let direct =
        fixture.bot()?.acting_for(anna.as_str()).get("/user/@anna:hub.local/account_data/m.direct").await?;
    for (id, partner) in &chats {
        assert_eq!(direct[partner.as_str()], json!([id]), "{direct}");
    }
    Ok(())
}
