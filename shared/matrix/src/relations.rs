//! Reactions and redactions, sent as users or as the bot.

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    id::{EventId, MatrixUserId, RoomId},
    port::{NewReaction, Redactable, Relations},
    room_event::Content,
};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    Appservice,
    call::Call,
    error::Context,
    timeline::SentEvent,
    wire::{parse_event, parse_redactable},
};

/// The root of the API of relationships.
const V1: &str = "/_matrix/client/v1";
/// The most reactions of a message that are looked at.
const REACTIONS_MAX: &str = "500";

#[derive(Deserialize)]
struct RelatedEvents {
    #[serde(default)]
    chunk: Vec<Box<RawValue>>,
}

#[async_trait]
impl Relations for Appservice {
    async fn react(
        &self,
        reaction: NewReaction<'_>,
        transaction: &str,
        at: Timestamp,
    ) -> Result<Option<EventId>> {
        let NewReaction { room, of, sender, key } = reaction;
        let call = self.http.put().at("rooms").at(room).at("send").at("m.reaction").at(transaction);
        let relation = json!({ "rel_type": "m.annotation", "event_id": of, "key": key });
        let at = at.as_millisecond().to_string();
        let call = call.by(sender).query("ts", &at).body(&json!({ "m.relates_to": relation }));
        match call.send::<SentEvent>().await {
            Err(cause) if cause.is("M_DUPLICATE_ANNOTATION") => Ok(None),
            sent => Ok(Some(sent.context("sending a reaction")?.event_id)),
        }
    }

    async fn reactions(&self, reaction: NewReaction<'_>) -> Result<Vec<EventId>> {
        let NewReaction { room, of, sender, key } = reaction;
        let call = Call::new(&self.http, Method::GET, V1).at("rooms").at(room).at("relations").at(of);
        let call = call.at("m.annotation").at("m.reaction").query("limit", REACTIONS_MAX).by(sender);
        let related: RelatedEvents = match call.send().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => return Ok(Vec::new()),
            related => related.context("reading reactions")?,
        };
        let events = related.chunk.iter().filter_map(|event| parse_event(event, Some(room)));
        let own = events.filter(|event| {
            let is_meant = matches!(&event.content, Content::Reaction { of: message, key: other }
                if message == of && other == key);
            is_meant && event.sender == *sender
        });
        Ok(own.map(|event| event.event_id).collect())
    }

    async fn redactable(&self, room: &RoomId, event: &EventId) -> Result<Option<Redactable>> {
        let call = self.http.get().at("rooms").at(room).at("event").at(event).by(&self.bot);
        match call.send::<Box<RawValue>>().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(None),
            event => Ok(parse_redactable(&event.context("reading an event")?)),
        }
    }

    async fn redact(
        &self,
        room: &RoomId,
        event: &EventId,
        sender: &MatrixUserId,
        transaction: &str,
        reason: Option<&str>,
    ) -> Result<EventId> {
        let call = self.http.put().at("rooms").at(room).at("redact").at(event).at(transaction).by(sender);
        let body = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
        let sent: SentEvent = call.body(&body).send().await.context("redacting an event")?;
        Ok(sent.event_id)
    }
}
