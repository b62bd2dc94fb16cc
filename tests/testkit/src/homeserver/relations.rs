//! Reactions and redactions in memory.

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    error::Failure,
    id::{EventId, MatrixUserId, RoomId},
    port::{NewReaction, Redactable, Relations},
};
use messenger_matrix::wire::parse_redactable;
use serde_json::{json, value::to_raw_value};

use super::{BOT, Bot, MemoryHomeserver, Message};

#[async_trait]
impl Relations for MemoryHomeserver {
    async fn react(
        &self,
        reaction: NewReaction<'_>,
        transaction: &str,
        _at: Timestamp,
    ) -> Result<Option<EventId>> {
        let NewReaction { room, of, sender, key } = reaction;
        self.check_account(sender)?;
        self.call_in(room, "sending a reaction", |state| {
            state.act_as(sender);
            let found =
                state.rooms.get(room).filter(|room| room.may_send(sender)).ok_or(Failure::Rejected)?;
            if let Some(known) = found.messages.iter().find(|event| event.transaction == transaction) {
                return Ok(Some(known.event.clone()));
            }
            if found.messages.iter().any(|event| is_same(event, reaction)) {
                return Ok(None);
            }
            let relation = json!({ "rel_type": "m.annotation", "event_id": of, "key": key });
            let content = json!({ "m.relates_to": relation });
            Ok(Some(state.send_as_client(room, sender, "m.reaction", content, transaction)))
        })
        .await
    }

    async fn reactions(&self, reaction: NewReaction<'_>) -> Result<Vec<EventId>> {
        self.call_in(reaction.room, "reading reactions", |state| {
            let messages = state.read_by_bot(reaction.room)?;
            let own = messages.iter().filter(|event| is_same(event, reaction));
            Ok(own.map(|event| event.event.clone()).collect())
        })
        .await
    }

    async fn redactable(&self, room: &RoomId, event: &EventId) -> Result<Option<Redactable>> {
        self.call_in(room, "reading an event", |state| {
            let messages = state.rooms.get(room).map(|room| room.messages.as_slice()).unwrap_or_default();
            let found = messages.iter().find(|message| message.event == *event);
            Ok(found.and_then(|message| {
                let event = json!({
                    "event_id": message.event, "sender": message.sender, "type": message.kind,
                    "content": message.content,
                });
                parse_redactable(&to_raw_value(&event).expect("JSON"))
            }))
        })
        .await
    }

    async fn redact(
        &self,
        room: &RoomId,
        event: &EventId,
        sender: &MatrixUserId,
        transaction: &str,
        reason: Option<&str>,
    ) -> Result<EventId> {
        self.call_in(room, "redacting an event", |state| {
            state.act_as(sender);
            let found = state.rooms.get_mut(room).ok_or(Failure::Rejected)?;
            let is_bot = sender.as_str() == BOT;
            if !(is_bot && found.bot == Bot::In || !is_bot && found.may_send(sender)) {
                return Err(Failure::Rejected);
            }
            if let Some(known) = found.messages.iter().find(|event| event.transaction == transaction) {
                return Ok(known.event.clone());
            }
            if let Some(redacted) = found.messages.iter_mut().find(|message| message.event == *event) {
                redacted.content = json!({});
            }
            let content = json!({ "redacts": event, "reason": reason });
            Ok(state.send_as_client(room, sender, "m.room.redaction", content, transaction))
        })
        .await
    }
}

fn is_same(event: &Message, reaction: NewReaction<'_>) -> bool {
    let relation = &event.content["m.relates_to"];
    event.kind == "m.reaction"
        && event.sender == *reaction.sender
        && relation["event_id"] == reaction.of.as_str()
        && relation["key"] == reaction.key
}
