//! Permissions, successors, history visibility and invitations.

use anyhow::{Context, Result};
use messenger_core::{
    Error,
    error::Refusal,
    id::{MatrixUserId, RoomId},
    port::{Accounts, MembershipCalls, RoomAdministration, Timeline},
    room::{Membership, NewRoom, Permissions},
    room_event::Content,
};
use serde_json::{Value, json};

use crate::{
    client::Client,
    fixture::{BOT, Fixture, room, segment, text, user},
};

/// Creates accounts, and returns clients that act for them.
async fn people<const N: usize>(fixture: &Fixture, names: [&str; N]) -> Result<[Client; N]> {
    for name in names {
        fixture.appservice.ensure_user(&user(name), name).await?;
    }
    let bot = fixture.bot()?;
    Ok(names.map(|name| bot.acting_for(user(name).as_str())))
}

/// Creates a room with another client and brings the bot into it.
async fn room_by(fixture: &Fixture, maker: &Client, name: &str, settings: Value) -> Result<RoomId> {
    let mut body = json!({ "preset": "private_chat", "room_version": "11" });
    if let (Value::Object(body), Value::Object(settings)) = (&mut body, settings) {
        body.extend(settings);
    }
    let made = maker.post("/createRoom", body).await?;
    let id = RoomId::new(made["room_id"].as_str().context("a room id")?);
    fixture.appservice.enter(&id, &user(name)).await?;
    Ok(id)
}

#[expect(clippy::disallowed_methods, reason = "the homeserver uses the real time")]
async fn send(fixture: &Fixture, room: &RoomId, name: &str, body: &str) -> Result<(), Error> {
    let transaction = format!("{name}-{body}-{room}");
    let at = jiff::Timestamp::now();
    fixture.appservice.send_as(room, &user(name), &transaction, at, &text(body)).await.map(drop)
}

fn refusal<T>(result: Result<T, Error>) -> Result<Refusal> {
    let error = result.err().context("the call succeeded")?;
    error.refusal().with_context(|| format!("the call failed without a refusal: {error:?}"))
}

async fn power_levels(maker: &Client, room: &RoomId, change: impl FnOnce(&mut Value)) -> Result<()> {
    let path = format!("/rooms/{}/state/m.room.power_levels", segment(room));
    let mut levels = maker.get(&path).await?;
    change(&mut levels);
    maker.put(&path, levels).await.map(drop)
}

pub(crate) async fn permissions_explain_a_refusal(fixture: Fixture) -> Result<()> {
    let [anna, bert, carl] = people(&fixture, ["anna", "bert", "carl"]).await?;
    let id = room_by(&fixture, &anna, "anna", json!({})).await?;
    let permissions = async |name: &str| fixture.appservice.permissions(&id, &user(name)).await;
    assert_eq!(permissions("bert").await?.membership, Membership::Out);
    anna.post(&format!("/rooms/{}/invite", segment(&id)), json!({ "user_id": "@bert:hub.local" })).await?;
    assert_eq!(permissions("bert").await?.membership, Membership::Invited);
    fixture.appservice.join(&id, &user("bert")).await?;
    send(&fixture, &id, "bert", "eins").await?;
    assert_eq!(permissions("bert").await?, Permissions::ALL);

    power_levels(&anna, &id, |levels| levels["users"]["@bert:hub.local"] = (-1).into()).await?;
    assert_eq!(permissions("bert").await?, Permissions { may_send: false, ..Permissions::ALL });
    assert_eq!(refusal(send(&fixture, &id, "bert", "zwei").await)?, Refusal::Forbidden);
    power_levels(&anna, &id, |levels| {
        levels["users"] = json!({ "@anna:hub.local": 100 });
        levels["events_default"] = 50.into();
    })
    .await?;
    assert!(!permissions("bert").await?.may_send, "a read-only room");
    assert!(permissions("anna").await?.may_send);

    anna.post(&format!("/rooms/{}/ban", segment(&id)), json!({ "user_id": "@bert:hub.local" })).await?;
    assert_eq!(permissions("bert").await?.membership, Membership::Banned);
    assert_eq!(refusal(send(&fixture, &id, "bert", "drei").await)?, Refusal::Forbidden);
    assert_eq!(refusal(fixture.appservice.join(&id, &user("bert")).await)?, Refusal::Forbidden);
    assert_eq!(
        refusal(fixture.appservice.join_by(&id, &user("anna"), &user("bert")).await)?,
        Refusal::Forbidden
    );
    // A room that does not exist has no members.
    assert_eq!(
        refusal(send(&fixture, &RoomId::new("!no:hub.local"), "anna", "x").await)?,
        Refusal::Forbidden
    );
    // The bot may not invite here, but a member may.
    power_levels(&anna, &id, |levels| levels["invite"] = 50.into()).await?;
    assert_eq!(refusal(fixture.appservice.join(&id, &user("carl")).await)?, Refusal::Forbidden);
    fixture.appservice.join_by(&id, &user("anna"), &user("carl")).await?;
    assert_eq!(carl.joined_rooms().await?, [id.as_str()]);
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    anna.put(&format!("/rooms/{}/state/m.room.encryption", segment(&id)), algorithm).await?;
    assert!(permissions("anna").await?.is_encrypted);
    drop(bert);
    Ok(())
}

/// Since room version 12, power levels do not list the creator.
pub(crate) async fn the_creator_of_a_version_12_room_may_send(fixture: Fixture) -> Result<()> {
    let [anna, _bert] = people(&fixture, ["anna", "bert"]).await?;
    let read_only = json!({
        "room_version": "12",
        "power_level_content_override": { "events_default": 50, "users_default": 0, "invite": 0 },
    });
    let id = room_by(&fixture, &anna, "anna", read_only).await?;
    fixture.appservice.join_by(&id, &user("anna"), &user("bert")).await?;
    assert!(fixture.appservice.permissions(&id, &user("anna")).await?.may_send);
    assert!(!fixture.appservice.permissions(&id, &user("bert")).await?.may_send);
    Ok(())
}

/// Conduit regards all accounts without a password as deactivated and refuses them nothing.
pub(crate) async fn a_deactivated_account_is_reported_as_deactivated(fixture: Fixture) -> Result<()> {
    if fixture.is_conduit() {
        return Ok(());
    }
    let [anna] = people(&fixture, ["anna"]).await?;
    let id = fixture.appservice.create_room(&room("gone")).await?;
    fixture.appservice.join(&id, &user("anna")).await?;
    anna.post("/account/deactivate", json!({})).await?;
    assert_eq!(refusal(send(&fixture, &id, "anna", "x").await)?, Refusal::Deactivated);
    assert_eq!(refusal(fixture.appservice.ensure_user(&user("anna"), "Anna").await)?, Refusal::Deactivated);
    Ok(())
}

pub(crate) async fn a_discarded_room_is_left_unless_it_has_messages(fixture: Fixture) -> Result<()> {
    people(&fixture, ["anna"]).await?;
    for is_kept in [false, true] {
        let wanted = room(&format!("discarded_{is_kept}"));
        let id = fixture.appservice.create_room(&wanted).await?;
        if is_kept {
            fixture.appservice.send(&id, "n1", &text("kept")).await?;
        }
        for _ in 0..2 {
            fixture.appservice.discard(&id, &wanted.alias).await?;
        }
        let rooms = fixture.bot()?.joined_rooms().await?;
        assert_eq!(rooms.contains(&id.as_str().to_owned()), is_kept);
        assert_eq!(fixture.appservice.create_room(&wanted).await? == id, is_kept);
    }
    Ok(())
}

pub(crate) async fn a_room_is_discarded_if_an_invitation_is_refused(fixture: Fixture) -> Result<()> {
    people(&fixture, ["anna"]).await?;
    // Federation is not configured, so the invitation of a remote user fails.
    let remote = MatrixUserId::new("@anna:elsewhere.example");
    let wanted = NewRoom { is_direct: true, invite: vec![user("anna"), remote], ..room("half") };
    let before = fixture.bot()?.joined_rooms().await?.len();
    let refused = fixture.appservice.create_room(&wanted).await.err().context("the creation succeeded")?;
    if refused.refusal().is_some() {
        assert_eq!(fixture.bot()?.joined_rooms().await?.len(), before, "{refused:?}");
    }
    Ok(())
}

pub(crate) async fn members_invite_if_allowed_and_cannot_encrypt_or_upgrade(fixture: Fixture) -> Result<()> {
    let [anna, _bert] = people(&fixture, ["anna", "bert"]).await?;
    for members_invite in [true, false] {
        let wanted = NewRoom { members_invite, ..room(&format!("levels_{members_invite}")) };
        let id = fixture.appservice.create_room(&wanted).await?;
        fixture.appservice.join(&id, &user("anna")).await?;
        let path = |endpoint: &str| format!("/rooms/{}/{endpoint}", segment(&id));
        let invited = anna.post(&path("invite"), json!({ "user_id": "@bert:hub.local" })).await;
        assert_eq!(invited.is_ok(), members_invite, "{invited:?}");
        let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
        assert!(anna.put(&path("state/m.room.encryption"), algorithm).await.is_err());
        assert!(anna.post(&path("upgrade"), json!({ "new_version": "11" })).await.is_err());
    }
    assert_eq!(anna.joined_rooms().await?.len(), 2, "no successor was created");
    Ok(())
}

pub(crate) async fn a_room_and_its_successor_name_each_other(fixture: Fixture) -> Result<()> {
    let [anna, bert] = people(&fixture, ["anna", "bert"]).await?;
    let id = room_by(&fixture, &anna, "anna", json!({})).await?;
    fixture.appservice.join_by(&id, &user("anna"), &user("bert")).await?;
    assert_eq!(fixture.appservice.successor(&id).await?, None);
    let upgraded =
        anna.post(&format!("/rooms/{}/upgrade", segment(&id)), json!({ "new_version": "11" })).await?;
    let new = RoomId::new(upgraded["replacement_room"].as_str().context("a room id")?);
    assert_eq!(fixture.appservice.successor(&id).await?, Some(new.clone()));
    let summary = fixture.appservice.summary(&new, &user("anna")).await?;
    assert_eq!(summary.predecessor, Some(id.clone()));
    assert!(summary.has_joined(&user("anna")) && !summary.is_upgraded);
    assert!(fixture.appservice.summary(&id, &user("bert")).await?.is_upgraded);
    let permissions = fixture.appservice.permissions(&id, &user("bert")).await?;
    assert!(permissions.is_upgraded && !permissions.may_send);
    assert_eq!(refusal(send(&fixture, &id, "bert", "x").await)?, Refusal::Forbidden);
    fixture.appservice.enter(&new, &user("anna")).await?;
    fixture.appservice.join_by(&new, &user("anna"), &user("bert")).await?;
    assert!(bert.joined_rooms().await?.contains(&new.as_str().to_owned()));
    // The bot upgrades a room of its own.
    let own = fixture.appservice.create_room(&room("own")).await?;
    let path = format!("/rooms/{}/upgrade", segment(&own));
    let upgraded = fixture.bot()?.post(&path, json!({ "new_version": "10" })).await?;
    let new = RoomId::new(upgraded["replacement_room"].as_str().context("a room id")?);
    assert_eq!(fixture.appservice.summary(&new, &MatrixUserId::new(BOT)).await?.predecessor, Some(own));
    assert_eq!(fixture.appservice.create_room(&room("own")).await?, new, "the alias has moved");
    Ok(())
}

pub(crate) async fn a_members_page_obeys_the_history_visibility(fixture: Fixture) -> Result<()> {
    let [anna, bert] = people(&fixture, ["anna", "bert"]).await?;
    for (visibility, expected) in [("shared", 3), ("joined", 1), ("invited", 2), ("world_readable", 3)] {
        let content = json!({ "history_visibility": visibility });
        let state = json!([{ "type": "m.room.history_visibility", "state_key": "", "content": content }]);
        let id = room_by(&fixture, &anna, "anna", json!({ "initial_state": state })).await?;
        let summary = fixture.appservice.summary(&id, &user("anna")).await?;
        assert_eq!(summary.marks.is_history_restricted, expected < 3, "{visibility}");
        send(&fixture, &id, "anna", "before").await?;
        anna.post(&format!("/rooms/{}/invite", segment(&id)), json!({ "user_id": "@bert:hub.local" }))
            .await?;
        send(&fixture, &id, "anna", "invited").await?;
        fixture.appservice.join(&id, &user("bert")).await?;
        send(&fixture, &id, "anna", "joined").await?;
        let count = async |reader: Option<&MatrixUserId>| -> Result<usize> {
            let page = fixture.appservice.before(&id, None, 50, reader).await?;
            Ok(page.events.iter().filter(|event| matches!(event.content, Content::Message(_))).count())
        };
        assert_eq!(count(Some(&user("bert"))).await?, expected, "{visibility}");
        assert_eq!(count(Some(&user("anna"))).await?, 3, "{visibility}");
        assert_eq!(count(None).await?, 3, "{visibility}: the bot was a member");
        // After a logout of all devices, reading works again.
        bert.post("/logout/all", json!({})).await?;
        assert_eq!(count(Some(&user("bert"))).await?, expected, "{visibility}");
        let error = fixture.appservice.before(&id, None, 50, Some(&user("carl"))).await;
        assert!(error.is_err() || error?.events.is_empty(), "{visibility}: never a member");
    }
    Ok(())
}

pub(crate) async fn invitations_from_before_the_account_are_returned(fixture: Fixture) -> Result<()> {
    let [anna] = people(&fixture, ["anna"]).await?;
    let invited = json!({ "preset": "private_chat", "room_version": "11", "invite": ["@dora:hub.local"] });
    let first = anna.post("/createRoom", invited.clone()).await?;
    let second = anna.post("/createRoom", invited).await?;
    fixture.appservice.ensure_user(&user("dora"), "Dora").await?;
    let mut expected = Vec::new();
    for made in [first, second] {
        expected.push((RoomId::new(made["room_id"].as_str().context("a room id")?), user("anna")));
    }
    let mut invitations = fixture.appservice.invitations(&user("dora")).await?;
    invitations.sort_unstable();
    expected.sort_unstable();
    assert_eq!(invitations, expected);
    fixture.appservice.join(&expected[0].0, &user("dora")).await.ok();
    assert_eq!(fixture.appservice.invitations(&user("anna")).await?, []);
    Ok(())
}

pub(crate) async fn encryption_history_visibility_and_upgrade_are_parsed(fixture: Fixture) -> Result<()> {
    let [anna] = people(&fixture, ["anna"]).await?;
    let id = room_by(&fixture, &anna, "anna", json!({})).await?;
    let path = |kind: &str| format!("/rooms/{}/state/{kind}", segment(&id));
    anna.put(&path("m.room.encryption"), json!({ "algorithm": "m.megolm.v1.aes-sha2" })).await?;
    anna.put(&path("m.room.history_visibility"), json!({ "history_visibility": "joined" })).await?;
    anna.post(&format!("/rooms/{}/upgrade", segment(&id)), json!({ "new_version": "11" })).await?;
    let page = fixture.appservice.all_before(&id, None, 50).await?;
    for expected in
        [Content::Encrypted, Content::HistoryVisibility { is_restricted: true }, Content::Upgraded]
    {
        assert!(page.events.iter().any(|event| event.content == expected), "{expected:?}");
    }
    Ok(())
}
