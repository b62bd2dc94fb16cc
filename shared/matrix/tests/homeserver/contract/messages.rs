//! Messages: sent once, to where they belong, legible for everybody.

use anyhow::{Context, Result};
use messenger_core::{
    error::Failure,
    id::{MatrixUserId, RoomId},
    port::Homeserver,
};
use serde_json::json;

use crate::stand::{BOT, Stand, failure, part, room, text, user};

pub(crate) async fn a_plain_client_reads_what_is_sent(stand: Stand) -> Result<()> {
    let anna = stand.person("anna").await?;
    let id = stand.appservice.create_room(&room("read")).await?;
    stand.appservice.join(&id, &user("anna")).await?;
    let event = stand.appservice.send(&id, "read.n1", &text("Störung an Fräse 42 ❗")).await?;

    let sync = anna.get("/sync?timeout=0").await?;
    let timeline =
        sync["rooms"]["join"][id.as_str()]["timeline"]["events"].as_array().context("a timeline")?;
    let message =
        timeline.iter().find(|message| message["event_id"] == event.as_str()).context("the message")?;
    assert_eq!(message["sender"], BOT);
    assert_eq!(message["content"], text("Störung an Fräse 42 ❗"));
    assert_eq!(anna.state(&part(&id), "m.room.member", BOT).await?["displayname"], "Messenger");
    Ok(())
}

pub(crate) async fn a_transaction_id_sends_once_also_after_a_restart(mut stand: Stand) -> Result<()> {
    let id = stand.appservice.create_room(&room("once")).await?;
    let first = stand.appservice.send(&id, "7f3a.n1", &text("one")).await?;
    assert_eq!(stand.appservice.send(&id, "7f3a.n1", &text("one")).await?, first);
    stand.server.stop().await;
    stand.server.start_again().await?;
    assert_eq!(stand.appservice.send(&id, "7f3a.n1", &text("one")).await?, first);
    let second = stand.appservice.send(&id, "7f3a.n2", &text("two")).await?;
    stand.server.kill();
    stand.server.start_again().await?;
    assert_eq!(stand.appservice.send(&id, "7f3a.n2", &text("two")).await?, second);

    let anna = stand.person("anna").await?;
    stand.appservice.join(&id, &user("anna")).await?;
    assert_eq!(anna.texts(&part(&id)).await?, ["one", "two"]);
    Ok(())
}

pub(crate) async fn no_id_reaches_another_endpoint(stand: Stand) -> Result<()> {
    let id = stand.appservice.create_room(&room("path")).await?;
    stand.appservice.join(&id, &user("anna")).await?;
    // Were they not one segment, each of these would make Anna leave.
    for suffix in
        ["/leave?", "/leave#", "/leave?x=", "/x/../leave#", "%2Fleave%23", "%2fleave%3f", "\\..\\leave#"]
    {
        let crooked = RoomId::new(format!("{id}{suffix}"));
        assert_eq!(
            failure(stand.appservice.join(&crooked, &user("anna")).await)?,
            Failure::Rejected,
            "{suffix}"
        );
    }
    assert_eq!(stand.bot()?.acting_for("@anna:hub.local").joined_rooms().await?, [id.as_str()]);

    for odd in
        ["!a/b:hub.local", "!a?b:hub.local", "!a#b:hub.local", "!a%2Fb:hub.local", "!nowhere", "!..", "!ü b"]
    {
        let sent = stand.appservice.send(&RoomId::new(odd), "odd", &text("odd")).await;
        assert_eq!(failure(sent)?, Failure::Rejected, "{odd}");
    }
    for no_room in ["", "!", "..", "#hub_path:hub.local", "@anna:hub.local", "!a\n:hub.local"] {
        let sent = stand.appservice.send(&RoomId::new(no_room), "none", &text("none")).await;
        assert_eq!(failure(sent)?, Failure::Rejected, "{no_room}");
    }
    for no_user in ["anna", "@anna", "@:hub.local", "@anna:elsewhere", "@a/../../b:elsewhere"] {
        let made = stand.appservice.ensure_user(&MatrixUserId::new(no_user), "x").await;
        assert_eq!(failure(made)?, Failure::Rejected, "{no_user}");
    }
    for transaction in ["a/b?c#d%2Fe", "ü ", "..."] {
        stand.appservice.send(&id, transaction, &text(transaction)).await?;
    }
    assert_eq!(failure(stand.appservice.send(&id, "..", &text("up")).await)?, Failure::Rejected);
    Ok(())
}

pub(crate) async fn what_the_homeserver_will_never_take_is_rejected(stand: Stand) -> Result<()> {
    let unknown = RoomId::new("!unknown:hub.local");
    assert_eq!(failure(stand.appservice.send(&unknown, "n1", &text("x")).await)?, Failure::Rejected);
    stand.appservice.ensure_user(&user("anna"), "Anna").await?;
    assert_eq!(failure(stand.appservice.join(&unknown, &user("anna")).await)?, Failure::Rejected);

    let id = stand.appservice.create_room(&room("big")).await?;
    let sent = stand.appservice.send(&id, "n2", &text(&"x".repeat(70_000))).await;
    assert_eq!(failure(sent)?, Failure::Rejected);
    assert_eq!(failure(stand.appservice.send(&id, "n3", &json!([1])).await)?, Failure::Rejected);

    stand.bot()?.post(&format!("/rooms/{}/leave", part(&id)), json!({})).await?;
    assert_eq!(failure(stand.appservice.send(&id, "n4", &text("x")).await)?, Failure::Rejected);
    Ok(())
}
