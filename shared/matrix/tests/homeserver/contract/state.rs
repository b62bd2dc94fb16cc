//! What users may do in rooms, what replaces a room, and what its history shows to whom.

use anyhow::{Context, Result};
use messenger_core::{
    Error,
    error::Refusal,
    id::{MatrixUserId, RoomId},
    port::{Homeserver, RoomState, Timeline},
    room::{Membership, NewRoom, Permissions},
    room_event::Content,
};
use serde_json::{Value, json};

use crate::{
    client::Client,
    stand::{BOT, Stand, part, room, text, user},
};

/// Accounts, and clients that act for them.
async fn people<const N: usize>(stand: &Stand, names: [&str; N]) -> Result<[Client; N]> {
    for name in names {
        stand.appservice.ensure_user(&user(name), name).await?;
    }
    let bot = stand.bot()?;
    Ok(names.map(|name| bot.acting_for(user(name).as_str())))
}

/// A room that somebody makes with another client, with the bot in it.
async fn made_by(stand: &Stand, maker: &Client, name: &str, settings: Value) -> Result<RoomId> {
    let mut body = json!({ "preset": "private_chat", "room_version": "11" });
    if let (Value::Object(body), Value::Object(settings)) = (&mut body, settings) {
        body.extend(settings);
    }
    let made = maker.post("/createRoom", body).await?;
    let id = RoomId::new(made["room_id"].as_str().context("a room id")?);
    stand.appservice.enter(&id, &user(name)).await?;
    Ok(id)
}

#[expect(clippy::disallowed_methods, reason = "the homeserver goes by the real time")]
async fn say(stand: &Stand, room: &RoomId, name: &str, body: &str) -> Result<(), Error> {
    let transaction = format!("{name}-{body}-{room}");
    let at = jiff::Timestamp::now();
    stand.appservice.send_as(room, &user(name), &transaction, at, &text(body)).await.map(drop)
}

fn refusal<T>(result: Result<T, Error>) -> Result<Refusal> {
    let error = result.err().context("it should have been refused")?;
    error.refusal().with_context(|| format!("it failed in another way: {error:?}"))
}

async fn power_levels(maker: &Client, room: &RoomId, change: impl FnOnce(&mut Value)) -> Result<()> {
    let path = format!("/rooms/{}/state/m.room.power_levels", part(room));
    let mut levels = maker.get(&path).await?;
    change(&mut levels);
    maker.put(&path, levels).await.map(drop)
}

pub(crate) async fn a_refusal_says_what_the_user_may_not_do(stand: Stand) -> Result<()> {
    let [anna, bert, carl] = people(&stand, ["anna", "bert", "carl"]).await?;
    let id = made_by(&stand, &anna, "anna", json!({})).await?;
    let permissions = async |name: &str| stand.appservice.permissions(&id, &user(name)).await;
    assert_eq!(permissions("bert").await?.membership, Membership::Out);
    anna.post(&format!("/rooms/{}/invite", part(&id)), json!({ "user_id": "@bert:hub.local" })).await?;
    assert_eq!(permissions("bert").await?.membership, Membership::Invited);
    stand.appservice.join(&id, &user("bert")).await?;
    say(&stand, &id, "bert", "eins").await?;
    assert_eq!(permissions("bert").await?, Permissions::ALL);

    power_levels(&anna, &id, |levels| levels["users"]["@bert:hub.local"] = (-1).into()).await?;
    assert_eq!(permissions("bert").await?, Permissions { may_send: false, ..Permissions::ALL });
    assert_eq!(refusal(say(&stand, &id, "bert", "zwei").await)?, Refusal::Forbidden);
    power_levels(&anna, &id, |levels| {
        levels["users"] = json!({ "@anna:hub.local": 100 });
        levels["events_default"] = 50.into();
    })
    .await?;
    assert!(!permissions("bert").await?.may_send, "a room for reading only");
    assert!(permissions("anna").await?.may_send);

    anna.post(&format!("/rooms/{}/ban", part(&id)), json!({ "user_id": "@bert:hub.local" })).await?;
    assert_eq!(permissions("bert").await?.membership, Membership::Banned);
    assert_eq!(refusal(say(&stand, &id, "bert", "drei").await)?, Refusal::Forbidden);
    assert_eq!(refusal(stand.appservice.join(&id, &user("bert")).await)?, Refusal::Forbidden);
    assert_eq!(
        refusal(stand.appservice.join_by(&id, &user("anna"), &user("bert")).await)?,
        Refusal::Forbidden
    );
    // Nobody at all is in a room that there is not.
    assert_eq!(refusal(say(&stand, &RoomId::new("!no:hub.local"), "anna", "x").await)?, Refusal::Forbidden);
    // The bot may not invite here; a member who may does.
    power_levels(&anna, &id, |levels| levels["invite"] = 50.into()).await?;
    assert_eq!(refusal(stand.appservice.join(&id, &user("carl")).await)?, Refusal::Forbidden);
    stand.appservice.join_by(&id, &user("anna"), &user("carl")).await?;
    assert_eq!(carl.joined_rooms().await?, [id.as_str()]);
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    anna.put(&format!("/rooms/{}/state/m.room.encryption", part(&id)), algorithm).await?;
    assert!(permissions("anna").await?.is_encrypted);
    drop(bert);
    Ok(())
}

/// From room version 12 on its maker stands in no list of power levels.
pub(crate) async fn the_maker_of_a_new_room_may_do_everything(stand: Stand) -> Result<()> {
    let [anna, _bert] = people(&stand, ["anna", "bert"]).await?;
    let read_only = json!({
        "room_version": "12",
        "power_level_content_override": { "events_default": 50, "users_default": 0, "invite": 0 },
    });
    let id = made_by(&stand, &anna, "anna", read_only).await?;
    stand.appservice.join_by(&id, &user("anna"), &user("bert")).await?;
    assert!(stand.appservice.permissions(&id, &user("anna")).await?.may_send);
    assert!(!stand.appservice.permissions(&id, &user("bert")).await?.may_send);
    Ok(())
}

/// On Conduit an account without a password, as all of ours, is a deactivated one: there nothing is refused to it.
pub(crate) async fn a_deactivated_account_is_told_as_such(stand: Stand) -> Result<()> {
    if stand.is_conduit() {
        return Ok(());
    }
    let [anna] = people(&stand, ["anna"]).await?;
    let id = stand.appservice.create_room(&room("gone")).await?;
    stand.appservice.join(&id, &user("anna")).await?;
    anna.post("/account/deactivate", json!({})).await?;
    assert_eq!(refusal(say(&stand, &id, "anna", "x").await)?, Refusal::Deactivated);
    assert_eq!(refusal(stand.appservice.ensure_user(&user("anna"), "Anna").await)?, Refusal::Deactivated);
    Ok(())
}

pub(crate) async fn a_discarded_room_is_gone_unless_something_was_said(stand: Stand) -> Result<()> {
    people(&stand, ["anna"]).await?;
    for is_kept in [false, true] {
        let wanted = room(&format!("discarded_{is_kept}"));
        let id = stand.appservice.create_room(&wanted).await?;
        if is_kept {
            stand.appservice.send(&id, "n1", &text("kept")).await?;
        }
        for _ in 0..2 {
            stand.appservice.discard(&id, &wanted.alias).await?;
        }
        let rooms = stand.bot()?.joined_rooms().await?;
        assert_eq!(rooms.contains(&id.as_str().to_owned()), is_kept);
        assert_eq!(stand.appservice.create_room(&wanted).await? == id, is_kept);
    }
    Ok(())
}

/// A guest who may not come in leaves no room behind.
pub(crate) async fn a_room_whose_guest_is_refused_is_taken_back(stand: Stand) -> Result<()> {
    people(&stand, ["anna"]).await?;
    // A guest of another server: no federation is configured.
    let stranger = MatrixUserId::new("@anna:elsewhere.example");
    let wanted = NewRoom { is_direct: true, invite: vec![user("anna"), stranger], ..room("half") };
    let before = stand.bot()?.joined_rooms().await?.len();
    let refused = stand.appservice.create_room(&wanted).await.err().context("it should have failed")?;
    if refused.refusal().is_some() {
        assert_eq!(stand.bot()?.joined_rooms().await?.len(), before, "{refused:?}");
    }
    Ok(())
}

pub(crate) async fn members_invite_where_they_may_and_nobody_encrypts_or_replaces(
    stand: Stand,
) -> Result<()> {
    let [anna, _bert] = people(&stand, ["anna", "bert"]).await?;
    for members_invite in [true, false] {
        let wanted = NewRoom { members_invite, ..room(&format!("levels_{members_invite}")) };
        let id = stand.appservice.create_room(&wanted).await?;
        stand.appservice.join(&id, &user("anna")).await?;
        let path = |what: &str| format!("/rooms/{}/{what}", part(&id));
        let invited = anna.post(&path("invite"), json!({ "user_id": "@bert:hub.local" })).await;
        assert_eq!(invited.is_ok(), members_invite, "{invited:?}");
        let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
        assert!(anna.put(&path("state/m.room.encryption"), algorithm).await.is_err());
        assert!(anna.post(&path("upgrade"), json!({ "new_version": "11" })).await.is_err());
    }
    assert_eq!(anna.joined_rooms().await?.len(), 2, "no half of a successor is left");
    Ok(())
}

pub(crate) async fn power_levels_of_an_old_room_become_those_of_a_new_one(stand: Stand) -> Result<()> {
    let [anna] = people(&stand, ["anna"]).await?;
    let bot = stand.bot()?;
    let levels = json!({ "users": { BOT: 100 }, "users_default": 0, "invite": 50, "state_default": 50 });
    let made =
        json!({ "preset": "private_chat", "room_version": "11", "power_level_content_override": levels });
    let made = bot.post("/createRoom", made).await?;
    let id = RoomId::new(made["room_id"].as_str().context("a room id")?);
    let levels = async || bot.state(&part(&id), "m.room.power_levels", "").await;
    for _ in 0..2 {
        assert!(stand.appservice.correct_power_levels(&id, true).await?);
        let levels = levels().await?;
        assert_eq!(
            (&levels["events"]["m.room.encryption"], &levels["users"]),
            (&json!(100), &json!({ BOT: 100 }))
        );
        assert_eq!(levels["invite"].as_i64().unwrap_or_default(), 0);
    }
    assert!(
        stand.appservice.correct_power_levels(&id, false).await?,
        "an invitation right is not taken away"
    );
    // Where the bot has no power nothing changes.
    let theirs = made_by(&stand, &anna, "anna", json!({})).await?;
    assert!(!stand.appservice.correct_power_levels(&theirs, true).await?);
    assert!(!stand.appservice.correct_power_levels(&RoomId::new("!no:hub.local"), true).await?);
    Ok(())
}

pub(crate) async fn a_room_and_its_successor_name_each_other(stand: Stand) -> Result<()> {
    let [anna, bert] = people(&stand, ["anna", "bert"]).await?;
    let id = made_by(&stand, &anna, "anna", json!({})).await?;
    stand.appservice.join_by(&id, &user("anna"), &user("bert")).await?;
    assert_eq!(stand.appservice.successor(&id).await?, None);
    let upgraded =
        anna.post(&format!("/rooms/{}/upgrade", part(&id)), json!({ "new_version": "11" })).await?;
    let new = RoomId::new(upgraded["replacement_room"].as_str().context("a room id")?);
    assert_eq!(stand.appservice.successor(&id).await?, Some(new.clone()));
    let summary = stand.appservice.summary(&new, &user("anna")).await?;
    assert_eq!(summary.predecessor, Some(id.clone()));
    assert!(summary.has_joined(&user("anna")) && !summary.is_upgraded);
    assert!(stand.appservice.summary(&id, &user("bert")).await?.is_upgraded);
    let permissions = stand.appservice.permissions(&id, &user("bert")).await?;
    assert!(permissions.is_upgraded && !permissions.may_send);
    assert_eq!(refusal(say(&stand, &id, "bert", "x").await)?, Refusal::Forbidden);
    stand.appservice.enter(&new, &user("anna")).await?;
    stand.appservice.join_by(&new, &user("anna"), &user("bert")).await?;
    assert!(bert.joined_rooms().await?.contains(&new.as_str().to_owned()));
    // The bot replaces rooms of its own.
    let own = stand.appservice.create_room(&room("own")).await?;
    let path = format!("/rooms/{}/upgrade", part(&own));
    let upgraded = stand.bot()?.post(&path, json!({ "new_version": "10" })).await?;
    let new = RoomId::new(upgraded["replacement_room"].as_str().context("a room id")?);
    assert_eq!(stand.appservice.summary(&new, &MatrixUserId::new(BOT)).await?.predecessor, Some(own));
    assert_eq!(stand.appservice.create_room(&room("own")).await?, new, "the alias has moved");
    Ok(())
}

pub(crate) async fn a_members_page_has_what_the_visibility_of_the_room_shows_them(
    stand: Stand,
) -> Result<()> {
    let [anna, bert] = people(&stand, ["anna", "bert"]).await?;
    for (visibility, expected) in [("shared", 3), ("joined", 1), ("invited", 2), ("world_readable", 3)] {
        let content = json!({ "history_visibility": visibility });
        let state = json!([{ "type": "m.room.history_visibility", "state_key": "", "content": content }]);
        let id = made_by(&stand, &anna, "anna", json!({ "initial_state": state })).await?;
        let summary = stand.appservice.summary(&id, &user("anna")).await?;
        assert_eq!(summary.marks.is_history_restricted, expected < 3, "{visibility}");
        say(&stand, &id, "anna", "before").await?;
        anna.post(&format!("/rooms/{}/invite", part(&id)), json!({ "user_id": "@bert:hub.local" })).await?;
        say(&stand, &id, "anna", "invited").await?;
        stand.appservice.join(&id, &user("bert")).await?;
        say(&stand, &id, "anna", "joined").await?;
        let count = async |reader: Option<&MatrixUserId>| -> Result<usize> {
            let page = stand.appservice.before(&id, None, 50, reader).await?;
            Ok(page.events.iter().filter(|event| matches!(event.content, Content::Message(_))).count())
        };
        assert_eq!(count(Some(&user("bert"))).await?, expected, "{visibility}");
        assert_eq!(count(Some(&user("anna"))).await?, 3, "{visibility}");
        assert_eq!(count(None).await?, 3, "{visibility}: the bot was there");
        // Logged out everywhere, they read on.
        bert.post("/logout/all", json!({})).await?;
        assert_eq!(count(Some(&user("bert"))).await?, expected, "{visibility}");
        let error = stand.appservice.before(&id, None, 50, Some(&user("carl"))).await;
        assert!(error.is_err() || error?.events.is_empty(), "{visibility}: who was never there");
    }
    Ok(())
}

/// Of somebody who has an account only since.
pub(crate) async fn invitations_of_before_the_account_are_told(stand: Stand) -> Result<()> {
    let [anna] = people(&stand, ["anna"]).await?;
    let invited = json!({ "preset": "private_chat", "room_version": "11", "invite": ["@dora:hub.local"] });
    let first = anna.post("/createRoom", invited.clone()).await?;
    let second = anna.post("/createRoom", invited).await?;
    stand.appservice.ensure_user(&user("dora"), "Dora").await?;
    let mut expected = Vec::new();
    for made in [first, second] {
        expected.push((RoomId::new(made["room_id"].as_str().context("a room id")?), user("anna")));
    }
    let mut invitations = stand.appservice.invitations(&user("dora")).await?;
    invitations.sort_unstable();
    expected.sort_unstable();
    assert_eq!(invitations, expected);
    stand.appservice.join(&expected[0].0, &user("dora")).await.ok();
    assert_eq!(stand.appservice.invitations(&user("anna")).await?, []);
    Ok(())
}

pub(crate) async fn marks_of_a_room_are_read_as_they_happen(stand: Stand) -> Result<()> {
    let [anna] = people(&stand, ["anna"]).await?;
    let id = made_by(&stand, &anna, "anna", json!({})).await?;
    let path = |kind: &str| format!("/rooms/{}/state/{kind}", part(&id));
    anna.put(&path("m.room.encryption"), json!({ "algorithm": "m.megolm.v1.aes-sha2" })).await?;
    anna.put(&path("m.room.history_visibility"), json!({ "history_visibility": "joined" })).await?;
    anna.post(&format!("/rooms/{}/upgrade", part(&id)), json!({ "new_version": "11" })).await?;
    let page = stand.appservice.all_before(&id, None, 50).await?;
    for expected in
        [Content::Encrypted, Content::HistoryVisibility { is_restricted: true }, Content::Upgraded]
    {
        assert!(page.events.iter().any(|event| event.content == expected), "{expected:?}");
    }
    Ok(())
}
