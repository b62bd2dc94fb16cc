//! Rooms: one for each alias, whole, and with the right people.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use messenger_core::{
    error::Failure,
    id::RoomId,
    port::{Homeserver, MembershipCalls, Timeline},
    room::NewRoom,
};
use messenger_matrix::Appservice;
use serde_json::{Value, json};

use crate::stand::{BOT, Stand, failure, part, room, text, user};

pub(crate) async fn a_room_is_as_the_design_says(stand: Stand) -> Result<()> {
    let id = stand.appservice.create_room(&room("design")).await?;
    let (bot, id) = (stand.bot()?, part(&id));
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
    let wanted =
        [("users_default", 0), ("events_default", 0), ("state_default", 50), ("invite", 50), ("kick", 50)];
    for (level, value) in wanted {
        assert_eq!(levels[level], value, "{level}");
    }
    Ok(())
}

pub(crate) async fn twenty_creations_of_one_alias_at_once_make_one_room(stand: Stand) -> Result<()> {
    let wanted = room("busy");
    let ids = try_join_all((0..20).map(|_| stand.appservice.create_room(&wanted))).await?;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(stand.bot()?.joined_rooms().await?, [ids[0].as_str()]);
    Ok(())
}

pub(crate) async fn a_creation_that_is_repeated_finds_the_first_room(stand: Stand) -> Result<()> {
    stand.appservice.ensure_user(&user("anna"), "Anna").await?;
    let wanted = NewRoom { invite: vec![user("anna")], ..room("again") };
    let first = stand.appservice.create_room(&wanted).await?;
    // Another process, after the first one died between creating and storing.
    let other = Appservice::new(stand.config.clone())?;
    assert_eq!(other.create_room(&wanted).await?, first);
    // And once more, with the invited user in it.
    other.join(&first, &user("anna")).await?;
    assert_eq!(other.create_room(&wanted).await?, first);
    // Another alias is another room.
    assert_ne!(other.create_room(&room("other")).await?, first);
    Ok(())
}

pub(crate) async fn a_caller_who_gives_up_leaves_a_whole_room(stand: Stand) -> Result<()> {
    let wanted = room("hurry");
    let impatient = tokio::time::timeout(Duration::from_millis(1), stand.appservice.create_room(&wanted));
    assert!(impatient.await.is_err());
    let id = stand.appservice.create_room(&wanted).await?;
    assert_eq!(stand.bot()?.joined_rooms().await?, [id.as_str()]);
    assert_eq!(stand.bot()?.state(&part(&id), "m.room.name", "").await?["name"], "Fräse 42");
    Ok(())
}

pub(crate) async fn a_half_made_room_is_completed(stand: Stand) -> Result<()> {
    let bare = json!({ "room_version": "11", "room_alias_name": "hub_half" });
    let made = stand.bot()?.post("/createRoom", bare).await?;
    let id = stand.appservice.create_room(&room("half")).await?;
    assert_eq!(made["room_id"], id.as_str());
    let (bot, id) = (stand.bot()?, part(&id));
    assert_eq!(bot.state(&id, "m.room.name", "").await?["name"], "Fräse 42");
    assert_eq!(bot.state(&id, "m.room.topic", "").await?["topic"], "Halle 3");
    // What is there already stays: people may have renamed the room since.
    bot.put(&format!("/rooms/{id}/state/m.room.name"), json!({ "name": "Renamed" })).await?;
    stand.appservice.create_room(&room("half")).await?;
    assert_eq!(bot.state(&id, "m.room.name", "").await?["name"], "Renamed");
    Ok(())
}

pub(crate) async fn an_alias_of_somebody_else_is_an_error(stand: Stand) -> Result<()> {
    let squatter = stand.bot()?.acting_for("@squatter:hub.local");
    squatter.register("squatter", None).await?;
    let foreign = squatter.post("/createRoom", json!({ "room_alias_name": "hub_taken" })).await?;
    let error =
        stand.appservice.create_room(&room("taken")).await.err().context("a foreign room was taken")?;
    let error = anyhow::Error::from(error);
    assert!(format!("{error:#}").contains("#hub_taken:hub.local belongs to"), "{error:#}");

    // Not even when the bot has let itself be invited: others must not get what is meant for ours.
    let id = foreign["room_id"].as_str().context("a room id")?.replace('!', "%21");
    squatter.post(&format!("/rooms/{id}/invite"), json!({ "user_id": BOT })).await?;
    stand.bot()?.post(&format!("/rooms/{id}/join"), json!({})).await?;
    let result = stand.appservice.create_room(&room("taken")).await;
    assert_eq!(failure(result)?, Failure::Broken);
    Ok(())
}

pub(crate) async fn joining_again_is_no_change(stand: Stand) -> Result<()> {
    let member = user("anna");
    stand.appservice.ensure_user(&member, "Anna").await?;
    let id = stand.appservice.create_room(&room("join")).await?;
    for _ in 0..3 {
        stand.appservice.join(&id, &member).await?;
    }
    try_join_all((0..10).map(|_| stand.appservice.join(&id, &member))).await?;
    let anna = stand.bot()?.acting_for("@anna:hub.local");
    assert_eq!(anna.joined_rooms().await?, [id.as_str()]);
    // Who has left comes back; who is banned does not.
    anna.post(&format!("/rooms/{}/leave", part(&id)), json!({})).await?;
    stand.appservice.join(&id, &member).await?;
    let ban = json!({ "user_id": "@anna:hub.local" });
    stand.bot()?.post(&format!("/rooms/{}/ban", part(&id)), ban).await?;
    assert_eq!(failure(stand.appservice.join(&id, &member).await)?, Failure::Rejected);
    Ok(())
}

pub(crate) async fn a_direct_chat_is_shown_as_one(stand: Stand) -> Result<()> {
    let anna = stand.person("anna").await?;
    stand.appservice.ensure_user(&user("anna"), "Anna").await?;
    let path = "/user/@anna:hub.local/account_data/m.direct";
    anna.put(path, json!({ "@bob:hub.local": ["!other:hub.local"] })).await?;
    let wanted = NewRoom { is_direct: true, invite: vec![user("anna")], topic: None, ..room("dm") };
    let id = stand.appservice.create_room(&wanted).await?;
    stand.appservice.join(&id, &user("anna")).await?;
    stand.appservice.create_room(&wanted).await?;
    let direct = anna.get(path).await?;
    assert_eq!(direct, json!({ "@bob:hub.local": ["!other:hub.local"], BOT: [id.as_str()] }));
    assert_eq!(anna.joined_rooms().await?, [id.as_str()]);
    Ok(())
}

pub(crate) async fn a_direct_chat_of_two_is_shown_to_both(stand: Stand) -> Result<()> {
    for name in ["anna", "bert"] {
        stand.appservice.ensure_user(&user(name), name).await?;
    }
    let wanted =
        NewRoom { is_direct: true, invite: vec![user("anna"), user("bert")], topic: None, ..room("pair") };
    let id = stand.appservice.create_room(&wanted).await?;
    for (name, partner) in [("anna", "bert"), ("bert", "anna")] {
        stand.appservice.join(&id, &user(name)).await?;
        let client = stand.bot()?.acting_for(user(name).as_str());
        let direct = client.get(&format!("/user/@{name}:hub.local/account_data/m.direct")).await?;
        assert_eq!(direct, json!({ user(partner).as_str(): [id.as_str()] }));
    }
    Ok(())
}

pub(crate) async fn leaving_again_is_no_change(stand: Stand) -> Result<()> {
    let anna = user("anna");
    stand.appservice.ensure_user(&anna, "Anna").await?;
    let id = stand.appservice.create_room(&room("left")).await?;
    stand.appservice.leave(&id, &anna).await?;
    stand.appservice.join(&id, &anna).await?;
    for _ in 0..2 {
        stand.appservice.leave(&id, &anna).await?;
        assert_eq!(stand.bot()?.acting_for(anna.as_str()).joined_rooms().await?, [""; 0]);
    }
    stand.appservice.join(&id, &anna).await?;
    assert_eq!(stand.bot()?.acting_for(anna.as_str()).joined_rooms().await?, [id.as_str()]);
    Ok(())
}

pub(crate) async fn what_was_read_is_told_to_the_readers_own_clients(stand: Stand) -> Result<()> {
    let (anna, bert) = (stand.person("anna").await?, stand.person("bert").await?);
    let id = stand.appservice.create_room(&room("read")).await?;
    for name in ["anna", "bert"] {
        stand.appservice.join(&id, &user(name)).await?;
    }
    let event = stand.appservice.send(&id, "n1", &text("read me")).await?;
    stand.appservice.mark_read(&id, &user("anna"), &event).await?;
    stand.appservice.mark_read(&id, &user("anna"), &event).await?;
    let receipts = async |client: &crate::client::Client| -> Result<String> {
        let sync = client.get("/sync?timeout=0").await?;
        Ok(sync["rooms"]["join"][id.as_str()]["ephemeral"].to_string())
    };
    let (own, others) = (receipts(&anna).await?, receipts(&bert).await?);
    assert!(!others.contains("@anna:hub.local"), "{others}");
    // Conduit keeps it as the place up to which nothing is unread, and shows no receipt.
    if matches!(stand.server, crate::stand::Server::Synapse(_)) {
        assert!(own.contains("m.read.private") && own.contains(event.as_str()), "{own}");
    }
    Ok(())
}

/// Also where anybody may come: who was put out, or has declined, does not come back by an old invitation.
pub(crate) async fn only_an_invitation_of_this_moment_is_accepted(stand: Stand) -> Result<()> {
    for name in ["anna", "bert"] {
        stand.appservice.ensure_user(&user(name), name).await?;
    }
    let anna = stand.bot()?.acting_for("@anna:hub.local");
    let bert = stand.bot()?.acting_for("@bert:hub.local");
    for preset in ["private_chat", "public_chat"] {
        let made = anna.post("/createRoom", json!({ "preset": preset, "room_version": "11" })).await?;
        let id = RoomId::new(made["room_id"].as_str().context("a room id")?);
        stand.appservice.enter(&id, &user("anna")).await?;
        let path = |what: &str| format!("/rooms/{}/{what}", part(&id));
        let invited = json!({ "user_id": "@bert:hub.local" });
        assert!(!stand.appservice.accept(&id, &user("bert")).await?, "{preset}: nobody has invited him");
        anna.post(&path("invite"), invited.clone()).await?;
        assert!(stand.appservice.accept(&id, &user("bert")).await?);
        assert!(!stand.appservice.accept(&id, &user("bert")).await?, "he is in it");
        anna.post(&path("kick"), invited.clone()).await?;
        assert!(!stand.appservice.accept(&id, &user("bert")).await?, "{preset}: he was put out");
        anna.post(&path("invite"), invited.clone()).await?;
        bert.post(&path("leave"), json!({})).await?;
        assert!(!stand.appservice.accept(&id, &user("bert")).await?, "{preset}: he has declined");
        assert_eq!(bert.joined_rooms().await?, [""; 0]);
    }
    Ok(())
}

/// Also those in which the bot is not, and not those into which they are only invited.
pub(crate) async fn a_users_rooms_are_those_that_they_are_in(stand: Stand) -> Result<()> {
    for name in ["anna", "bert"] {
        stand.appservice.ensure_user(&user(name), name).await?;
    }
    let bert = stand.bot()?.acting_for("@bert:hub.local");
    let made = bert.post("/createRoom", json!({ "invite": ["@anna:hub.local"] })).await?;
    let own = RoomId::new(made["room_id"].as_str().context("a room id")?);
    let ours = stand.appservice.create_room(&room("theirs")).await?;
    stand.appservice.join(&ours, &user("anna")).await?;
    assert_eq!(stand.appservice.rooms_of(&user("anna")).await?, [ours]);
    assert_eq!(stand.appservice.rooms_of(&user("bert")).await?, [own]);
    Ok(())
}

pub(crate) async fn direct_chats_that_are_made_at_once_are_all_shown(stand: Stand) -> Result<()> {
    stand.appservice.ensure_user(&user("anna"), "Anna").await?;
    let chats: Vec<_> =
        (0..10).map(|n| (RoomId::new(format!("!chat{n}:hub.local")), user(&format!("p{n}")))).collect();
    let anna = user("anna");
    let shown = chats.iter().map(|(id, partner)| stand.appservice.show_as_direct(id, &anna, partner));
    try_join_all(shown).await?;
    let direct =
        stand.bot()?.acting_for(anna.as_str()).get("/user/@anna:hub.local/account_data/m.direct").await?;
    for (id, partner) in &chats {
        assert_eq!(direct[partner.as_str()], json!([id]), "{direct}");
    }
    Ok(())
}
