//! Sending of messages by the bot.

use anyhow::{Context, Result};
use messenger_core::{
    error::Failure,
    id::{MatrixUserId, RoomId},
    port::{Accounts, MembershipCalls, RoomAdministration, Timeline},
};
use serde_json::json;

use crate::fixture::{BOT, Fixture, failure, room, segment, text, user};

pub(crate) async fn another_client_reads_a_sent_message(fixture: Fixture) -> Result<()> {
    let anna = fixture.person("anna").await?;
    let id = fixture.appservice.create_room(&room("read")).await?;
    fixture.appservice.join(&id, &user("anna")).await?;
    let event = fixture.appservice.send(&id, "read.n1", &text("Störung an Fräse 42 ❗")).await?;

    let sync = anna.get("/sync?timeout=0").await?;
    let timeline =
        sync["rooms"]["join"][id.as_str()]["timeline"]["events"].as_array().context("a timeline")?;
    let message =
        timeline.iter().find(|message| message["event_id"] == event.as_str()).context("the message")?;
    assert_eq!(message["sender"], BOT);
    assert_eq!(message["content"], text("Störung an Fräse 42 ❗"));
    assert_eq!(anna.state(&segment(&id), "m.room.member", BOT).await?["displayname"], "Messenger");
    Ok(())
}

pub(crate) async fn a_transaction_id_sends_once_even_after_a_restart(mut fixture: Fixture) -> Result<()> {
    let id = fixture.appservice.create_room(&room("once")).await?;
    let first = fixture.appservice.send(&id, "7f3a.n1", &text("one")).await?;
    assert_eq!(fixture.appservice.send(&id, "7f3a.n1", &text("one")).await?, first);
    fixture.server.stop().await;
    fixture.server.start_again().await?;
    assert_eq!(fixture.appservice.send(&id, "7f3a.n1", &text("one")).await?, first);
    let second = fixture.appservice.send(&id, "7f3a.n2", &text("two")).await?;
    fixture.server.kill();
    fixture.server.start_again().await?;
    assert_eq!(fixture.appservice.send(&id, "7f3a.n2", &text("two")).await?, second);

    let anna = fixture.person("anna").await?;
    fixture.appservice.join(&id, &user("anna")).await?;
    assert_eq!(anna.texts(&segment(&id)).await?, ["one", "two"]);
    Ok(())
}

pub(crate) async fn no_id_reaches_another_endpoint(fixture: Fixture) -> Result<()> {
    let id = fixture.appservice.create_room(&room("path")).await?;
    fixture.appservice.join(&id, &user("anna")).await?;
    // Unescaped, each of these would make Anna leave.
    for suffix in
        ["/leave?", "/leave#", "/leave?x=", "/x/../leave#", "%2Fleave%23", "%2fleave%3f", "\\..\\leave#"]
    {
        let malicious = RoomId::new(format!("{id}{suffix}"));
        assert_eq!(
            failure(fixture.appservice.join(&malicious, &user("anna")).await)?,
            Failure::Rejected,
            "{suffix}"
        );
    }
    assert_eq!(fixture.bot()?.acting_for("@anna:hub.local").joined_rooms().await?, [id.as_str()]);

    for unusual in
        ["!a/b:hub.local", "!a?b:hub.local", "!a#b:hub.local", "!a%2Fb:hub.local", "!nowhere", "!..", "!ü b"]
    {
        let sent = fixture.appservice.send(&RoomId::new(unusual), "unusual", &text("x")).await;
        assert_eq!(failure(sent)?, Failure::Rejected, "{unusual}");
    }
    for invalid in ["", "!", "..", "#hub_path:hub.local", "@anna:hub.local", "!a\n:hub.local"] {
        let sent = fixture.appservice.send(&RoomId::new(invalid), "invalid", &text("x")).await;
        assert_eq!(failure(sent)?, Failure::Rejected, "{invalid}");
    }
    for invalid in ["anna", "@anna", "@:hub.local", "@anna:elsewhere", "@a/../../b:elsewhere"] {
        let ensured = fixture.appservice.ensure_user(&MatrixUserId::new(invalid), "x").await;
        assert_eq!(failure(ensured)?, Failure::Rejected, "{invalid}");
    }
    for transaction in ["a/b?c#d%2Fe", "ü ", "..."] {
        fixture.appservice.send(&id, transaction, &text(transaction)).await?;
    }
    assert_eq!(failure(fixture.appservice.send(&id, "..", &text("up")).await)?, Failure::Rejected);
    Ok(())
}

pub(crate) async fn a_message_that_the_homeserver_refuses_is_rejected(fixture: Fixture) -> Result<()> {
    let unknown = RoomId::new("!unknown:hub.local");
    assert_eq!(failure(fixture.appservice.send(&unknown, "n1", &text("x")).await)?, Failure::Rejected);
    fixture.appservice.ensure_user(&user("anna"), "Anna").await?;
    assert_eq!(failure(fixture.appservice.join(&unknown, &user("anna")).await)?, Failure::Rejected);

    let id = fixture.appservice.create_room(&room("big")).await?;
    let sent = fixture.appservice.send(&id, "n2", &text(&"x".repeat(70_000))).await;
    assert_eq!(failure(sent)?, Failure::Rejected);
    assert_eq!(failure(fixture.appservice.send(&id, "n3", &json!([1])).await)?, Failure::Rejected);

    fixture.bot()?.post(&format!("/rooms/{}/leave", segment(&id)), json!({})).await?;
    assert_eq!(failure(fixture.appservice.send(&id, "n4", &text("x")).await)?, Failure::Rejected);
    Ok(())
}
