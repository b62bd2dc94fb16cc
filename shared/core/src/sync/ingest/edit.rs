//! Edits and redactions: of a message, of a reaction, or of an edit, which restores the content before that
//! edit.

use std::iter;

use crate::{
    domain::{
        error::{Failure, Result},
        event::{
            Payload,
            payload::{self, EventPayload, MessageEdited, MessageRedacted, Text},
        },
        id::{EventId, RoomId, TenantId},
        message::{MessageContent, People},
        room_event::{Content, RoomEvent},
    },
    port::Change,
    sync::{ingest::Ingest, quarantine::Subject},
};

impl Ingest {
    /// Returns the change and the payload of an edit. Returns `None` if its sender did not write the message:
    /// homeservers let everybody send such an event.
    pub(crate) async fn edited(
        &self,
        tenant: TenantId,
        event: &RoomEvent,
        of: EventId,
        content: MessageContent,
        people: &People,
    ) -> Result<Option<(Change, Option<Payload>)>> {
        let sender = &event.sender;
        let original = self.original(&event.room_id, &of).await?.filter(|message| message.sender == *sender);
        let Some(Content::Message(first)) = original.map(|message| message.content) else { return Ok(None) };
        let mentions = people.mentioned(tenant, &content.mentions);
        let payload = self.edit_payload(MessageEdited {
            room_id: &event.room_id,
            event_id: &of,
            edit_event_id: Some(&event.event_id),
            sender,
            sender_display_name: &people.name(sender),
            body: &content.body,
            msg_type: &content.msg_type,
            timestamp: event.timestamp,
            file: content.file.as_ref().map(payload::File::from),
            text: Text {
                reply_to: first.reply_to.as_ref(),
                formatted_body: content.formatted_body.as_deref(),
                mentions: payload::Mentions::from(&mentions),
            },
        })?;
        Ok(Some((Change::Edited { of, by: sender.clone(), content }, payload)))
    }

    /// Returns the change and the payload of a redaction.
    pub(crate) async fn redacted(
        &self,
        tenant: TenantId,
        event: &RoomEvent,
        of: EventId,
        people: &People,
    ) -> Result<(Change, Option<Payload>)> {
        if let Some(payload) = self.redacted_edit(tenant, event, &of).await? {
            return Ok((Change::RedactedEdit { edit: of }, payload));
        }
        let redacted = EventPayload::MessageRedacted(MessageRedacted {
            event_id: &of,
            room_id: &event.room_id,
            sender: &event.sender,
            sender_display_name: &people.name(&event.sender),
            timestamp: event.timestamp,
        });
        let payload = redacted.serialise()?;
        Ok((Change::Redacted { of }, Some(payload)))
    }

    /// Returns the payload of a redacted edit, with the content of the message without it. Returns `None` if
    /// the redacted event is no known edit.
    async fn redacted_edit(
        &self,
        tenant: TenantId,
        event: &RoomEvent,
        edit: &EventId,
    ) -> Result<Option<Option<Payload>>> {
        let room = &event.room_id;
        let Some(remaining) = self.messages.without(tenant, room, edit).await? else { return Ok(None) };
        let Some(message) = self.original(room, &remaining.of).await? else { return Ok(None) };
        let Content::Message(first) = message.content else { return Ok(None) };
        let reply_to = first.reply_to.clone();
        let (edit, content) = match remaining.last {
            Some((edit, content)) => (Some(edit), content),
            // The homeserver knows edits from before the adoption of the room.
            None => (None, message.edited.unwrap_or(first)),
        };
        // The sender of the redaction may be somebody else.
        let people = iter::once(&message.sender).chain(&content.mentions.users);
        let people = self.directory.people(people).await?;
        let mentions = people.mentioned(tenant, &content.mentions);
        let payload = self.edit_payload(MessageEdited {
            room_id: room,
            event_id: &remaining.of,
            edit_event_id: edit.as_ref(),
            sender: &message.sender,
            sender_display_name: &people.name(&message.sender),
            body: &content.body,
            msg_type: &content.msg_type,
            timestamp: event.timestamp,
            file: content.file.as_ref().map(payload::File::from),
            text: Text {
                reply_to: reply_to.as_ref(),
                formatted_body: content.formatted_body.as_deref(),
                mentions: payload::Mentions::from(&mentions),
            },
        })?;
        Ok(Some(payload))
    }

    /// Returns the message of an edit. Returns `None` if it does not exist, is not visible to the bot, or has
    /// an invalid id.
    async fn original(&self, room: &RoomId, of: &EventId) -> Result<Option<RoomEvent>> {
        let original = match self.timeline.event(room, of).await {
            Err(error) if error.failure() == Some(Failure::Rejected) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(%of, %room, error, "edited message cannot be read; edit skipped");
                Ok(None)
            }
            original => original,
        };
        Ok(self.failures.tolerate(room, Subject::Event(of.clone()), original)?.flatten())
    }

    /// Returns `None` for a message of the bot: it stands in the event log as a notification.
    fn edit_payload(&self, edited: MessageEdited<'_>) -> Result<Option<Payload>> {
        if *edited.sender == self.ids.bot() {
            return Ok(None);
        }
        EventPayload::MessageEdited(edited).serialise().map(Some)
    }
}
