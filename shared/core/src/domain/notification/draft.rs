//! The parsed content and target of a notification.

use serde::{Deserialize, Serialize};

use crate::domain::{
    entity::EntityId,
    event::Audience,
    id::{HubUserId, TenantId},
    name,
    room::{RoomKey, RoomKind},
};

/// The values of `target_type`.
pub const TARGET_TYPES: [&str; 4] = ["general", "entity_room", "dm", "service_room"];

/// The priority of a notification, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Sent as `m.notice`, which makes no phone ring.
    Low,
    /// Treated as any message.
    Normal,
    /// Mentions its readers.
    High,
    /// Marked in the text; phones ring.
    Urgent,
}

impl Priority {
    /// All priorities, the lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Urgent];

    /// Returns the value in requests and responses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// Parses the value of a request or the stored form; `None` if it is unknown.
    pub fn parse(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == value)
    }
}

/// The target of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Everybody of the tenant, in its general room.
    General,
    /// Everybody of the tenant, in the room of an entity.
    Entity {
        /// The type of the entity, such as `machine`.
        entity_type: String,
        /// The id of the entity.
        entity_id: EntityId,
    },
    /// Everybody of the tenant, in the room of the sending app.
    Service,
    /// One user only.
    Dm(HubUserId),
}

/// The parsed content and target of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The application that sends it.
    pub source_app: String,
    /// The type of the reported event, for programs.
    pub event_type: String,
    /// The title, for readers.
    pub title: String,
    /// Details.
    pub body: Option<String>,
    /// The target.
    pub target: Target,
    /// The priority.
    pub priority: Priority,
}

impl Draft {
    /// Returns the title as readers see it ([`name::legible`]).
    pub fn shown_title(&self) -> String {
        name::legible(&self.title)
    }

    /// Returns the body as readers see it ([`name::legible_lines`]).
    pub fn shown_body(&self) -> Option<String> {
        self.body.as_deref().map(name::legible_lines)
    }

    /// Returns the key of its room.
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

    /// Returns the audience of its live event.
    pub fn audience(&self, tenant: TenantId) -> Audience {
        match &self.target {
            Target::Dm(user) => Audience::User(tenant, user.clone()),
            Target::General | Target::Entity { .. } | Target::Service => Audience::Tenant(tenant),
        }
    }

    /// Returns the value of `target_type`.
    pub fn target_type(&self) -> &'static str {
        match self.target {
            Target::General => "general",
            Target::Entity { .. } => "entity_room",
            Target::Service => "service_room",
            Target::Dm(_) => "dm",
        }
    }

    /// Returns the only reader of a direct message; `None` for other targets.
    pub fn recipient(&self) -> Option<&HubUserId> {
        match &self.target {
            Target::Dm(user) => Some(user),
            Target::General | Target::Entity { .. } | Target::Service => None,
        }
    }

    /// Returns `entity_type` and `entity_id`; `None` if its target is no entity.
    pub fn entity(&self) -> Option<(&str, &EntityId)> {
        match &self.target {
            Target::Entity { entity_type, entity_id } => Some((entity_type, entity_id)),
            _ => None,
        }
    }
}
