//! Interpretation of a room event: the change that is stored, and the payload for the members.

use crate::{
    domain::{
        error::Result,
        event::{
            Payload,
            payload::{EventPayload, NewMessage, Reaction},
        },
        id::{RoomId, TenantId},
        message::{MessageContent, People},
        name,
        room_event::{Content, RoomEvent},
        user::User,
    },
    port::{Change, IngestedEvent},
    sync::ingest::Ingest,
};

impl Ingest {
    /// Returns the change and the payload of an event, and changes nothing itself. Returns `None` if nothing
    /// is stored of it.
    pub(crate) async fn interpret(
        &self,
        tenant: TenantId,
        event: &RoomEvent,
        people: &People,
    ) -> Result<Option<IngestedEvent>> {
        let RoomEvent { event_id, room_id: room, sender, .. } = event;
        let (change, payload) = match &event.content {
            Content::Message(content) => {
                let by = people.get(sender).map(|user| user.id().clone());
                let mentions = people.mentioned(tenant, &content.mentions);
                let (summary, file) = (content.summary(), content.file.clone());
                // The message of a notification is found as that notification.
                let text = (*sender != self.ids.bot()).then(|| content.searched_text());
                let change = Change::Message { by, summary, file, mentions, text };
                (change, self.message_payload(tenant, event, people)?)
            }
            Content::Edited { of, content } => {
                match self.edited(tenant, event, of.clone(), content.clone(), people).await? {
                    Some(interpreted) => interpreted,
                    None => return Ok(None),
                }
            }
            Content::Redacted { of } => self.redacted(tenant, event, of.clone(), people).await?,
            Content::Reaction { of, key } => {
                let reaction = EventPayload::Reaction(Reaction {
                    event_id: of,
                    key,
                    reaction_event_id: event_id,
                    room_id: room,
                    sender,
                    sender_display_name: &people.name(sender),
                    timestamp: event.timestamp,
                });
                let change = Change::Reaction { of: of.clone(), key: key.clone() };
                (change, Some(reaction.serialise()?))
            }
            // A room that was replaced gets no more members.
            Content::Joined(_) if self.rooms.former(room).await?.is_some() => return Ok(None),
            Content::Joined(user) => match people.get(user) {
                Some(user) if user.tenant() == tenant => (Change::Joined(user.id().clone()), None),
                _ => return Ok(None),
            },
            Content::Left(id) => match people.get(id) {
                Some(user) if self.has_left(tenant, room, user).await? => {
                    (Change::Left(user.id().clone()), None)
                }
                _ => return Ok(None),
            },
            // The room keeps its last name.
            Content::Named(name) if name::is_blank(name) => return Ok(None),
            Content::Named(name) => (Change::Named(name::legible(name)), None),
            Content::Topic(topic) => (Change::Topic(name::legible(topic)), None),
            // The service acts on these, and stores no change.
            Content::Invited(_)
            | Content::Encrypted
            | Content::HistoryVisibility { .. }
            | Content::Upgraded => return Ok(None),
        };
        Ok(Some(IngestedEvent {
            event_id: event_id.clone(),
            tenant,
            room: room.clone(),
            sender: sender.clone(),
            timestamp: event.timestamp,
            change,
            payload,
            alarm: self.alarm_part(tenant, event, people).await?,
        }))
    }

    /// Returns whether a member has left and not joined again. A leave through this service is stored
    /// already, and its event can arrive after the next join.
    async fn has_left(&self, tenant: TenantId, room: &RoomId, user: &User) -> Result<bool> {
        let is_member = self.memberships.is_member(tenant, room, user.id()).await?;
        Ok(is_member && !self.invitations.is_in(room, &self.ids.of(user)).await?)
    }

    /// Returns `None` for a message of the bot: it stands in the event log as a notification.
    fn message_payload(
        &self,
        tenant: TenantId,
        event: &RoomEvent,
        people: &People,
    ) -> Result<Option<Payload>> {
        if event.sender == self.ids.bot() {
            return Ok(None);
        }
        let Content::Message(MessageContent { mentions, .. }) = &event.content else { return Ok(None) };
        let mentions = people.mentioned(tenant, mentions);
        let message = event.clone().message(people.name(&event.sender), mentions);
        message.map(|message| EventPayload::NewMessage(NewMessage::from(&message)).serialise()).transpose()
    }
}
