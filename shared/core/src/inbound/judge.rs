//! What an event of a room means to us: what is stored of it, and what the members are told.

use serde_json::json;

use super::{Content, RoomEvent};
use crate::{
    Hub, Result,
    error::Failure,
    event::Payload,
    id::{EventId, TenantId},
    message::{People, Said},
    port::{Fact, Taken},
};

impl Hub {
    /// `None`: nothing follows from it.
    pub(super) async fn judge(
        &self,
        tenant: TenantId,
        event: RoomEvent,
        people: &People,
    ) -> Result<Option<Taken>> {
        let (event_id, room, timestamp) = (event.event_id.clone(), event.room_id.clone(), event.timestamp);
        let judged = match event.content.clone() {
            Content::Message(said) => {
                let by = people.get(&event.sender).map(|user| user.id().clone());
                let fact = Fact::Message { by, summary: said.summary(), file: said.file.clone() };
                (fact, self.told_message(event, people)?)
            }
            Content::Edited { of, said } => {
                if !self.may_edit(&event, &of).await? {
                    return Ok(None);
                }
                let told = self.told_edit(&event, &of, &said, people)?;
                (Fact::Edited { of, by: event.sender, said }, told)
            }
            Content::Redacted { of } => {
                let told = Payload::of(&json!({
                    "room_id": room, "event_id": of, "sender": event.sender,
                    "sender_display_name": people.name(&event.sender), "timestamp": timestamp,
                }))?;
                (Fact::Redacted { of }, Some(told))
            }
            Content::Reaction { of, key } => {
                let told = Payload::of(&json!({
                    "room_id": room, "event_id": of, "reaction_event_id": event_id, "key": key,
                    "sender": event.sender, "sender_display_name": people.name(&event.sender),
                    "timestamp": timestamp,
                }))?;
                (Fact::Reaction, Some(told))
            }
            Content::Joined(user) => match people.get(&user) {
                Some(user) if user.tenant() == tenant => (Fact::Joined(user.id().clone()), None),
                _ => return Ok(None),
            },
            Content::Left(user) => match people.get(&user) {
                Some(user) => (Fact::Left(user.id().clone()), None),
                None => return Ok(None),
            },
            // It keeps the one that it had: none would say less.
            Content::Named(name) if name.trim().is_empty() => return Ok(None),
            Content::Named(name) => (Fact::Named(name), None),
            Content::Topic(topic) => (Fact::Topic(topic), None),
            Content::Invited(_) => {
                self.accept_invitation(tenant, &event).await?;
                return Ok(None);
            }
        };
        let (fact, told) = judged;
        Ok(Some(Taken { event_id, tenant, room, timestamp, fact, told }))
    }

    /// What the bot says stands in the log already, as a notification.
    fn told_message(&self, event: RoomEvent, people: &People) -> Result<Option<Payload>> {
        if event.sender == self.bot() {
            return Ok(None);
        }
        let name = people.name(&event.sender);
        event.message(name).map(|message| Payload::of(&message)).transpose()
    }

    /// Only who wrote a message may change it. Homeservers do not see to that.
    async fn may_edit(&self, edit: &RoomEvent, of: &EventId) -> Result<bool> {
        let original = match self.timeline.event(&edit.room_id, of).await {
            // It is not for us to see, or its id is none.
            Err(error) if error.failure() == Some(Failure::Rejected) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(edit = %edit.event_id, room = %edit.room_id, error, "an edit of what cannot be read is passed over");
                return Ok(false);
            }
            original => self.in_time(&edit.room_id, original)?.flatten(),
        };
        Ok(original.is_some_and(|original| {
            original.sender == edit.sender && matches!(original.content, Content::Message(_))
        }))
    }

    fn told_edit(
        &self,
        event: &RoomEvent,
        of: &EventId,
        said: &Said,
        people: &People,
    ) -> Result<Option<Payload>> {
        if event.sender == self.bot() {
            return Ok(None);
        }
        Payload::of(&json!({
            "room_id": event.room_id, "event_id": of, "edit_event_id": event.event_id,
            "sender": event.sender, "sender_display_name": people.name(&event.sender),
            "body": said.body, "msg_type": said.msg_type, "timestamp": event.timestamp,
        }))
        .map(Some)
    }
}
