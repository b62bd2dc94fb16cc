//! Reactions and redactions, sent as users and as the bot.

use anyhow::{Context, Result};
use messenger_core::{
    id::{EventId, MatrixUserId, RoomId},
    port::{Accounts, MembershipCalls, NewReaction, Redactable, Relations, RoomAdministration, Timeline},
    room_event::Content,
};

use super::timeline::at;
use crate::fixture::{BOT, Fixture, room, text, user};

/// Creates a room with Anna and a message of hers.
async fn with_message(fixture: &Fixture, alias: &str) -> Result<(RoomId, EventId)> {
    let id = fixture.appservice.create_room(&room(alias)).await?;
    fixture.appservice.ensure_user(&user("anna"), "Anna").await?;
    fixture.appservice.join(&id, &user("anna")).await?;
    let content = text("hello");
    let sent = fixture.appservice.send_as(&id, &user("anna"), alias, at(), &content).await?;
    Ok((id, sent))
}

pub(crate) async fn a_user_reacts_once_with_each_key(fixture: Fixture) -> Result<()> {
    let (id, message) = with_message(&fixture, "reactions").await?;
    let (anna, homeserver) = (user("anna"), &fixture.appservice);
    let thumb = NewReaction { room: &id, of: &message, sender: &anna, key: "👍" };
    let sent = homeserver.react(thumb, "r1", at()).await?.context("a reaction")?;
    assert_eq!(homeserver.react(thumb, "r1", at()).await?, Some(sent.clone()));
    let event = homeserver.event(&id, &sent).await?.context("the reaction")?;
    assert_eq!(event.content, Content::Reaction { of: message.clone(), key: "👍".to_owned() });
    // Synapse refuses a second one, Conduit accepts it.
    let again = homeserver.react(thumb, "r2", at()).await?;
    let known = homeserver.reactions(thumb).await?;
    assert!(known.contains(&sent) && again.is_none_or(|again| known.contains(&again)), "{known:?}");
    assert_eq!(homeserver.reactions(NewReaction { key: "👎", ..thumb }).await?, []);
    let bot = MatrixUserId::new(BOT);
    assert_eq!(homeserver.reactions(NewReaction { sender: &bot, ..thumb }).await?, []);
    for own in known {
        homeserver.redact(&id, &own, &anna, &format!("x{own}"), None).await?;
    }
    assert_eq!(homeserver.reactions(thumb).await?, []);
    Ok(())
}

pub(crate) async fn a_message_is_redacted_by_its_sender_or_by_the_bot(fixture: Fixture) -> Result<()> {
    let (id, message) = with_message(&fixture, "redactions").await?;
    let (anna, homeserver) = (user("anna"), &fixture.appservice);
    let found = |is_redacted| Some(Redactable { sender: anna.clone(), is_redacted });
    assert_eq!(homeserver.redactable(&id, &message).await?, found(false));
    let redaction = homeserver.redact(&id, &message, &anna, "d1", Some("a mistake")).await?;
    let event = homeserver.event(&id, &redaction).await?.context("the redaction")?;
    assert_eq!(event.content, Content::Redacted { of: message.clone() });
    assert_eq!(homeserver.redactable(&id, &message).await?, found(true));
    assert_eq!(homeserver.event(&id, &message).await?, None);
    assert_eq!(homeserver.redactable(&id, &EventId::new("$nothing")).await?, None);
    assert_eq!(homeserver.redactable(&id, &redaction).await?, None, "a redaction is no message");
    let other = homeserver.send_as(&id, &anna, "other", at(), &text("other")).await?;
    homeserver.redact(&id, &other, &MatrixUserId::new(BOT), "d2", None).await?;
    assert_eq!(homeserver.redactable(&id, &other).await?, found(true));
    Ok(())
}
