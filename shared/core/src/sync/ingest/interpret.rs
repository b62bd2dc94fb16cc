//! What an event of a room means to us: what is stored of it, and what the members are told.

use serde_json::json;

use crate::{
    domain::{
        error::Result,
        event::Payload,
        id::{RoomId, TenantId},
        message::People,
        name,
        room::Marks,
        room_event::{Content, RoomEvent},
        time::Rfc3339,
        user::User,
    },
    port::{Change, IngestedEvent},
    sync::ingest::Ingest,
};

impl Ingest {
    /// `None`: nothing follows from it.
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
            Content::Message(said) => {
                let by = people.get(&event.sender).map(|user| user.id().clone());
                let change = Change::Message { by, summary: said.summary(), file: said.file.clone() };
                (change, self.message_payload(event, people)?)
            }
            Content::Edited { of, content } => match self.edited(&event, of, content, people).await? {
                Some(interpreted) => interpreted,
                None => return Ok(None),
            },
            Content::Redacted { of } => self.redacted(tenant, &event, of, people).await?,
            Content::Reaction { of, key } => {
                let told = Payload::of(&json!({
                    "room_id": room, "event_id": of, "reaction_event_id": event_id, "key": key,
                    "sender": event.sender, "sender_display_name": people.name(&event.sender),
                    "timestamp": Rfc3339(timestamp),
                }))?;
                (Change::Reaction, Some(told))
            }
            // Who comes into a room that was replaced comes too late.
            Content::Joined(_) if self.room_records.former(&room).await?.is_some() => return Ok(None),
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
            // It keeps the one that it had: none would say less.
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
                    self.room_records.mark(&room, Marks::HISTORY_RESTRICTED).await?;
                }
                return Ok(None);
            }
            Content::Upgraded => {
                let followed = self.upgrades.follow(tenant, &room, &event.sender).await;
                backlog.extend(self.failures.in_time(&room, followed)?.unwrap_or_default());
                return Ok(None);
            }
        };
        let (change, payload) = interpreted;
        Ok(Some(IngestedEvent { event_id, tenant, room, sender, timestamp, change, payload }))
    }

    /// Whether a member who is said to have left is out. Whoever leaves here is out already, and may be back by the time
    /// it is told.
    async fn has_left(&self, tenant: TenantId, room: &RoomId, user: &User) -> Result<bool> {
        let is_member = self.messages.is_member(tenant, room, user.id()).await?;
        Ok(is_member && !self.invitations.is_in(room, &self.ids.of(user)).await?)
    }

    /// What the bot says stands in the log already, as a notification.
    fn message_payload(&self, event: RoomEvent, people: &People) -> Result<Option<Payload>> {
        if event.sender == self.ids.bot() {
            return Ok(None);
        }
        let name = people.name(&event.sender);
        event.message(name).map(|message| Payload::of(&message)).transpose()
    }
}
