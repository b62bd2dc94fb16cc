//! Edits, and what is taken back: a message, a reaction, or an edit, after which the message says what it said before.

use std::iter;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::{
    domain::{
        error::{Failure, Result},
        event::Payload,
        id::{EventId, MatrixUserId, RoomId, TenantId},
        media::File,
        message::{MessageContent, People},
        room_event::{Content, RoomEvent},
        time::{Rfc3339, rfc3339},
    },
    port::Change,
    sync::ingest::Ingest,
};

/// What members are told of a message that says something else.
#[derive(Serialize)]
struct Edited<'a> {
    room_id: &'a RoomId,
    event_id: &'a EventId,
    /// The edit that says so; `None` if the message says again what it said at first.
    edit_event_id: Option<&'a EventId>,
    sender: &'a MatrixUserId,
    sender_display_name: String,
    body: &'a str,
    msg_type: &'a str,
    #[serde(serialize_with = "rfc3339")]
    timestamp: Timestamp,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    file: Option<&'a File>,
}

impl Ingest {
    /// What follows from an edit; `None`: nothing, since only who wrote a message may change it. Homeservers do not see to
    /// that.
    pub(crate) async fn edited(
        &self,
        event: &RoomEvent,
        of: EventId,
        said: MessageContent,
        people: &People,
    ) -> Result<Option<(Change, Option<Payload>)>> {
        let writer = &event.sender;
        let original = self.original(&event.room_id, &of).await?;
        let may_edit = original.is_some_and(|original| {
            original.sender == *writer && matches!(original.content, Content::Message(_))
        });
        if !may_edit {
            return Ok(None);
        }
        let told = self.edit_payload(&Edited {
            room_id: &event.room_id,
            event_id: &of,
            edit_event_id: Some(&event.event_id),
            sender: writer,
            sender_display_name: people.name(writer),
            body: &said.body,
            msg_type: &said.msg_type,
            timestamp: event.timestamp,
            file: said.file.as_ref(),
        })?;
        Ok(Some((Change::Edited { of, by: writer.clone(), content: said }, told)))
    }

    /// What follows from a redaction.
    pub(crate) async fn redacted(
        &self,
        tenant: TenantId,
        event: &RoomEvent,
        of: EventId,
        people: &People,
    ) -> Result<(Change, Option<Payload>)> {
        if let Some(told) = self.redacted_edit(tenant, event, &of).await? {
            return Ok((Change::RedactedEdit { edit: of }, told));
        }
        let told = Payload::of(&json!({
            "room_id": event.room_id, "event_id": of, "sender": event.sender,
            "sender_display_name": people.name(&event.sender), "timestamp": Rfc3339(event.timestamp),
        }))?;
        Ok((Change::Redacted { of }, Some(told)))
    }

    /// What members are told when an edit is taken back: what the message says without it. `None`: it is no edit.
    async fn redacted_edit(
        &self,
        tenant: TenantId,
        event: &RoomEvent,
        edit: &EventId,
    ) -> Result<Option<Option<Payload>>> {
        let room = &event.room_id;
        let Some(rest) = self.messages.without(tenant, room, edit).await? else { return Ok(None) };
        let Some(message) = self.original(room, &rest.of).await? else { return Ok(None) };
        let Content::Message(first) = message.content else { return Ok(None) };
        let (edit, said) = match rest.last {
            Some((edit, said)) => (Some(edit), said),
            // The homeserver knows edits from before we listened.
            None => (None, message.edited.unwrap_or(first)),
        };
        let told = self.edit_payload(&Edited {
            room_id: room,
            event_id: &rest.of,
            edit_event_id: edit.as_ref(),
            sender: &message.sender,
            // Who takes it back may be somebody else.
            sender_display_name: self
                .directory
                .people(iter::once(&message.sender))
                .await?
                .name(&message.sender),
            body: &said.body,
            msg_type: &said.msg_type,
            timestamp: event.timestamp,
            file: said.file.as_ref(),
        })?;
        Ok(Some(told))
    }

    /// What an edit is about. `None`: it is not there, it is not for us to see, or its id is none.
    async fn original(&self, room: &RoomId, of: &EventId) -> Result<Option<RoomEvent>> {
        match self.timeline.event(room, of).await {
            Err(error) if error.failure() == Some(Failure::Rejected) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(%of, %room, error, "an edit of what cannot be read is passed over");
                Ok(None)
            }
            original => Ok(self.failures.in_time(room, original)?.flatten()),
        }
    }

    /// What the bot says stands in the log as a notification.
    fn edit_payload(&self, edited: &Edited<'_>) -> Result<Option<Payload>> {
        if *edited.sender == self.ids.bot() { Ok(None) } else { Payload::of(edited).map(Some) }
    }
}
