//! What a satellite says, and to whom.

use serde::{Deserialize, Serialize};

use crate::domain::{
    entity::EntityId,
    error::Result,
    event::{Audience, Payload},
    id::{HubUserId, RoomId, TenantId},
    room::{RoomKey, RoomKind},
};

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// As any message.
    Normal,
    /// Marked, and phones ring.
    Urgent,
}

impl Priority {
    /// The value in requests and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Urgent => "urgent",
        }
    }

    /// Reads the value of a request or the stored form.
    pub fn parse(value: &str) -> Option<Self> {
        [Self::Normal, Self::Urgent].into_iter().find(|priority| priority.as_str() == value)
    }
}

/// To whom it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Everybody of the tenant, in its general room.
    General,
    /// Everybody of the tenant, in the room of an entity.
    Entity {
        /// Such as `machine`.
        entity_type: String,
        /// Number or text.
        entity_id: EntityId,
    },
    /// Everybody of the tenant, in the room of the sending app.
    Service,
    /// One user, and never anybody else.
    Dm(HubUserId),
}

/// A notification as a satellite words it, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Which application sends it.
    pub source_app: String,
    /// What happened, for programs.
    pub event_type: String,
    /// What happened, for people.
    pub title: String,
    /// Details.
    pub body: Option<String>,
    /// To whom.
    pub target: Target,
    /// How much it matters.
    pub priority: Priority,
}

impl Draft {
    /// The room it belongs to.
    pub fn room_key(&self, tenant: TenantId) -> RoomKey {
        let kind = match &self.target {
            Target::General => RoomKind::General,
            Target::Entity { entity_type, entity_id } => {
                RoomKind::Entity { entity_type: entity_type.clone(), entity_id: entity_id.canonical() }
            }
            Target::Service => RoomKind::Service { source_app: self.source_app.clone() },
            Target::Dm(user) => RoomKind::BotDm { user: user.clone() },
        };
        RoomKey { tenant, kind }
    }

    /// Who hears its live event.
    pub fn audience(&self, tenant: TenantId) -> Audience {
        match &self.target {
            Target::Dm(user) => Audience::User(tenant, user.clone()),
            Target::General | Target::Entity { .. } | Target::Service => Audience::Tenant(tenant),
        }
    }

    /// The value of `target_type`.
    pub fn target_type(&self) -> &'static str {
        match self.target {
            Target::General => "general",
            Target::Entity { .. } => "entity_room",
            Target::Service => "service_room",
            Target::Dm(_) => "dm",
        }
    }

    /// `entity_type` and `entity_id`, if it has them.
    pub fn entity(&self) -> Option<(&str, &EntityId)> {
        match &self.target {
            Target::Entity { entity_type, entity_id } => Some((entity_type, entity_id)),
            _ => None,
        }
    }

    /// The fields of its live event.
    pub(crate) fn payload(&self, room: Option<&RoomId>) -> Result<Payload> {
        #[derive(Serialize)]
        struct Fields<'a> {
            source_app: &'a str,
            event_type: &'a str,
            title: &'a str,
            body: Option<&'a str>,
            priority: Priority,
            target_type: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            entity_type: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            entity_id: Option<&'a EntityId>,
            room_id: Option<&'a RoomId>,
        }
        Payload::of(&Fields {
            source_app: &self.source_app,
            event_type: &self.event_type,
            title: &self.title,
            body: self.body.as_deref(),
            priority: self.priority,
            target_type: self.target_type(),
            entity_type: self.entity().map(|(entity_type, _)| entity_type),
            entity_id: self.entity().map(|(_, entity_id)| entity_id),
            room_id: room,
        })
    }
}
