//! Interpretation of a room event: the change that is stored, and the payload for the members.

use crate::{
    domain::{
        error::Result,
        event::{
            Payload,
            payload::{EventPayload, NewMessage, Reaction},
        },
        id::{RoomId, TenantId},
        message::People,
        name,
        room::Marks,
        room_event::{Content, RoomEvent},
        user::User,
    },
    port::{Change, IngestedEvent},
    sync::{ingest::Ingest, quarantine::Subject},
};

impl Ingest {
    /// Returns the change and the payload of an event. Returns `None` if nothing is stored of it. Puts the
    /// earlier events of a successor room into `backlog`.
    pub(crate) async fn interpret(
        &self,
        tenant: TenantId,
        event: RoomEvent,
        people: &People,
        backlog: &mut Vec<RoomEvent>,
    ) -> Result<Option<IngestedEvent>> {
        let (event_id, room, timestamp) = (event.event_id.clone(), event.room_id.clone(), event.timestamp);
        let sender = event.sender.clone();
        let interpreted = match event.content.clone() {
            Content::Message(content) => {
                let by = people.get(&event.sender).map(|user| user.id().clone());
                let change = Change::Message { by, summary: content.summary(), file: content.file.clone() };
                (change, self.message_payload(event, people)?)
            }
            Content::Edited { of, content } => match self.edited(&event, of, content, people).await? {
                Some(interpreted) => interpreted,
                None => return Ok(None),
            },
            Content::Redacted { of } => self.redacted(tenant, &event, of, people).await?,
            Content::Reaction { of, key } => {
                let reaction = EventPayload::Reaction(Reaction {
                    event_id: &of,
                    key: &key,
                    reaction_event_id: &event_id,
                    room_id: &room,
                    sender: &sender,
                    sender_display_name: &people.name(&sender),
                    timestamp,
                });
                (Change::Reaction, Some(reaction.serialise()?))
            }
            // A room that was replaced gets no more members.
            Content::Joined(_) if self.rooms.former(&room).await?.is_some() => return Ok(None),
            Content::Joined(user) => match people.get(&user) {
                Some(user) if user.tenant() == tenant => (Change::Joined(user.id().clone()), None),
                _ => return Ok(None),
            },
            Content::Left(id) => match people.get(&id) {
                Some(user) if self.has_left(tenant, &room, user).await? => {
                    (Change::Left(user.id().clone()), None)
                }
                _ => return Ok(None),
            },
            // The room keeps its last name.
            Content::Named(name) if name::is_blank(&name) => return Ok(None),
            Content::Named(name) => (Change::Named(name::legible(&name)), None),
            Content::Topic(topic) => (Change::Topic(name::legible(&topic)), None),
            Content::Invited(_) => {
                self.invitations.accept_for_member(tenant, &event).await?;
                return Ok(None);
            }
            Content::Encrypted => {
                self.encryption.room_was_encrypted(&room).await?;
                return Ok(None);
            }
            Content::HistoryVisibility { is_restricted } => {
                if is_restricted {
                    self.room_marks.mark(&room, Marks::HISTORY_RESTRICTED).await?;
                }
                return Ok(None);
            }
            Content::Upgraded => {
                let replaced = self.upgrades.replace(tenant, &room, &event.sender).await;
                backlog.extend(
                    self.failures.tolerate(&room, Subject::Event(event_id), replaced)?.unwrap_or_default(),
                );
                return Ok(None);
            }
        };
        let (change, payload) = interpreted;
        Ok(Some(IngestedEvent { event_id, tenant, room, sender, timestamp, change, payload }))
    }

    /// Returns whether a member has left and not joined again. A leave through this service is stored
    /// already, and its event can arrive after the next join.
    async fn has_left(&self, tenant: TenantId, room: &RoomId, user: &User) -> Result<bool> {
        let is_member = self.memberships.is_member(tenant, room, user.id()).await?;
        Ok(is_member && !self.invitations.is_in(room, &self.ids.of(user)).await?)
    }

    /// Returns `None` for a message of the bot: it stands in the event log as a notification.
    fn message_payload(&self, event: RoomEvent, people: &People) -> Result<Option<Payload>> {
        if event.sender == self.ids.bot() {
            return Ok(None);
        }
        let name = people.name(&event.sender);
        let message = event.message(name);
        message.map(|message| EventPayload::NewMessage(NewMessage::from(&message)).serialise()).transpose()
    }
}
