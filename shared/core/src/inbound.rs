//! What the homeserver tells us: messages and memberships, from whatever client. Each event counts once, however
//! often it is told.

use jiff::Timestamp;

use crate::{
    Hub, Result,
    event::{Audience, Kind, NewEvent, NewMessage, Payload},
    id::{EventId, MatrixUserId, RoomId},
    user::User,
};

/// An event of a room, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomEvent {
    /// Its id.
    pub event_id: EventId,
    /// Where.
    pub room_id: RoomId,
    /// Who.
    pub sender: MatrixUserId,
    /// When the homeserver got it.
    pub timestamp: Timestamp,
    /// What.
    pub content: Content,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// `m.room.message`.
    Message {
        /// Its text.
        body: String,
        /// Its `msgtype`.
        msg_type: String,
    },
    /// `m.room.member` with `membership: join`.
    Joined(MatrixUserId),
    /// `m.room.member` with `leave` or `ban`.
    Left(MatrixUserId),
}

impl Hub {
    /// Takes over what happened in rooms, in the order in which it is told. What happened in rooms that are not ours,
    /// and what the bot said (it stands in the log already), is passed over.
    pub async fn receive(&self, events: Vec<RoomEvent>) -> Result<()> {
        for event in events {
            self.receive_one(event).await?;
        }
        Ok(())
    }

    async fn receive_one(&self, event: RoomEvent) -> Result<()> {
        let Some(tenant) = self.rooms.tenant_of(&event.room_id).await? else { return Ok(()) };
        match event.content {
            Content::Message { .. } if event.sender == self.matrix_id_of(&self.settings.bot_localpart) => {
                Ok(())
            }
            Content::Message { body, msg_type } => {
                let sender = self.user_of(&event.sender).await?;
                let sender_display_name =
                    sender.map_or_else(|| event.sender.to_string(), |user| user.identity.display_name);
                let payload = Payload::of(&NewMessage {
                    room_id: event.room_id.clone(),
                    event_id: event.event_id.clone(),
                    sender: event.sender,
                    sender_display_name,
                    body,
                    msg_type,
                    timestamp: event.timestamp,
                })?;
                let audience = Audience::Room(tenant, event.room_id);
                let message =
                    NewEvent { audience, kind: Kind::NewMessage, payload, key: Some(event.event_id) };
                self.feed.append(&[message]).await.map(|_| ())
            }
            Content::Joined(user) => match self.user_of(&user).await? {
                Some(user) if user.tenant() == tenant => {
                    self.memberships.add(tenant, &event.room_id, user.id()).await
                }
                _ => Ok(()),
            },
            Content::Left(user) => match self.user_of(&user).await? {
                Some(user) => self.memberships.remove(tenant, &event.room_id, user.id()).await,
                None => Ok(()),
            },
        }
    }

    async fn user_of(&self, matrix_id: &MatrixUserId) -> Result<Option<User>> {
        let server = format!(":{}", self.settings.server_name);
        match matrix_id.as_str().strip_prefix('@').and_then(|id| id.strip_suffix(server.as_str())) {
            Some(localpart) => self.users.by_localpart(localpart).await,
            None => Ok(None),
        }
    }
}
