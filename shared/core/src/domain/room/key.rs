//! Room keys: the tenant and kind of a room, and the alias that is derived from them.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::domain::{
    id::{self, HubUserId, TenantId},
    name,
    room::Profile,
    settings::MessengerSettings,
};

/// The largest length in characters of the legible part of an alias. A whole alias has at most 255 bytes.
const ALIAS_MAX: usize = 160;

/// The characters to escape in a key. They include the separators `:` and `/`.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The kind of a room, with the values that identify the room within its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RoomKind {
    /// The general room, of which all users of the tenant are members.
    General,
    /// The room of a machine, an order, …
    Entity {
        /// The type of the entity, such as `machine`.
        entity_type: String,
        /// The canonical form of its id: `42` and `"42"` are the same.
        entity_id: String,
    },
    /// The room of a satellite.
    Service {
        /// The `source_app` of the satellite.
        source_app: String,
    },
    /// The room of the bot and one user.
    BotDm {
        /// The user.
        user: HubUserId,
    },
    /// The room of two users.
    Dm(Pair),
    /// A room that a user created. Only its members see it.
    Custom {
        /// An id that is generated at creation; for an adopted room, its Matrix room id.
        id: String,
    },
}

/// An unordered pair of two users.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pair(HubUserId, HubUserId);

/// The key of a room: its tenant and its kind. Notifications with the same key share a room queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomKey {
    /// The tenant of the room.
    pub tenant: TenantId,
    /// The kind of the room.
    pub kind: RoomKind,
}

impl Pair {
    /// Returns the pair of two users; `None` if they are the same user.
    pub fn of(one: &HubUserId, other: &HubUserId) -> Option<Self> {
        match one.cmp(other) {
            std::cmp::Ordering::Less => Some(Self(one.clone(), other.clone())),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Self(other.clone(), one.clone())),
        }
    }

    /// Returns both users, ordered by their ids.
    pub fn both(&self) -> [&HubUserId; 2] {
        [&self.0, &self.1]
    }
}

impl RoomKey {
    /// Returns the stored name of the kind.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            RoomKind::General => "general",
            RoomKind::Entity { .. } => "entity",
            RoomKind::Service { .. } => "service",
            RoomKind::BotDm { .. } => "bot_dm",
            RoomKind::Dm(_) => "dm",
            RoomKind::Custom { .. } => "custom",
        }
    }

    /// Parses the stored form, see [`kind`](Self::kind) and [`key`](Self::key). Returns `None` if it is
    /// invalid.
    pub fn parse(tenant: TenantId, kind: &str, key: &str) -> Option<Self> {
        let plain = |part: &str| percent_decode_str(part).decode_utf8().ok().map(String::from);
        let kind = match kind {
            "general" if key.is_empty() => RoomKind::General,
            "entity" => {
                let (entity_type, entity_id) = key.split_once('/')?;
                RoomKind::Entity { entity_type: plain(entity_type)?, entity_id: plain(entity_id)? }
            }
            "service" => RoomKind::Service { source_app: plain(key)? },
            "bot_dm" => RoomKind::BotDm { user: HubUserId::new(plain(key)?) },
            "dm" => {
                let (one, other) = key.split_once('/')?;
                RoomKind::Dm(Pair::of(&HubUserId::new(plain(one)?), &HubUserId::new(plain(other)?))?)
            }
            "custom" => RoomKind::Custom { id: plain(key)? },
            _ => return None,
        };
        Some(Self { tenant, kind })
    }

    /// Returns whether it is a direct chat, whose two members never change.
    pub fn is_direct(&self) -> bool {
        matches!(self.kind, RoomKind::Dm(_) | RoomKind::BotDm { .. })
    }

    /// Returns whether its members may invite others, with this service and with any Matrix client. The other
    /// rooms need no invitations: they are open to the whole tenant, or direct chats.
    pub fn members_invite(&self) -> bool {
        matches!(self.kind, RoomKind::Custom { .. })
    }

    /// Returns whether this user of the tenant may join without an invitation.
    pub fn is_open_to(&self, user: &HubUserId) -> bool {
        match &self.kind {
            RoomKind::General | RoomKind::Entity { .. } | RoomKind::Service { .. } => true,
            RoomKind::BotDm { user: partner } => partner == user,
            RoomKind::Dm(pair) => pair.both().contains(&user),
            RoomKind::Custom { .. } => false,
        }
    }

    /// Returns the part of the key that distinguishes rooms of the same kind. It is injective, because its
    /// parts are escaped before they are joined.
    pub fn key(&self) -> String {
        let escape = |part: &str| utf8_percent_encode(part, KEY).to_string();
        match &self.kind {
            RoomKind::General => String::new(),
            RoomKind::Entity { entity_type, entity_id } => {
                format!("{}/{}", escape(entity_type), escape(entity_id))
            }
            RoomKind::Service { source_app } => escape(source_app),
            RoomKind::BotDm { user } => escape(user.as_str()),
            RoomKind::Dm(Pair(one, other)) => format!("{}/{}", escape(one.as_str()), escape(other.as_str())),
            RoomKind::Custom { id } => escape(id),
        }
    }

    /// Returns the localpart of the room's canonical alias.
    pub fn alias(&self) -> String {
        let legible = self.to_string().replace(['%', '/', ':'], "_").to_lowercase();
        // The digest keeps the alias injective, which the legible part is not (case, escapes, length).
        let digest = &id::digest(&self.to_string())[..16];
        let legible: String = legible.chars().take(ALIAS_MAX).collect();
        format!("hub_{legible}_{digest}")
    }

    /// Returns the key of a user's room from the localpart of its alias; `None` if it is no such alias.
    pub fn of_alias(localpart: &str) -> Option<Self> {
        let (tenant, rest) = localpart.strip_prefix("hub_t")?.split_once('_')?;
        let (id, _) = rest.strip_prefix("custom_")?.rsplit_once('_')?;
        let tenant = TenantId(tenant.parse().ok()?);
        let key = Self { tenant, kind: RoomKind::Custom { id: id.to_owned() } };
        (key.alias() == localpart).then_some(key)
    }

    /// Returns the users of a direct chat; none for any other room.
    pub(crate) fn partners(&self) -> Vec<&HubUserId> {
        match &self.kind {
            RoomKind::BotDm { user } => vec![user],
            RoomKind::Dm(pair) => pair.both().into(),
            _ => Vec::new(),
        }
    }

    /// Returns the profile of a room that is created on demand.
    pub(crate) fn profile(&self, settings: &MessengerSettings) -> Profile {
        let name = match &self.kind {
            RoomKind::General => Some(settings.general_room_name.clone()),
            RoomKind::Entity { entity_type, entity_id } => {
                Some(name::legible(&format!("{entity_type} {entity_id}")))
            }
            RoomKind::Service { source_app } => Some(name::legible(source_app)),
            RoomKind::BotDm { .. } => Some(settings.bot_display_name.clone()),
            RoomKind::Dm(_) | RoomKind::Custom { .. } => None,
        };
        Profile { name, ..Profile::default() }
    }
}

/// The form `t<tenant>:<kind>:<key>`, which names the room queue.
impl fmt::Display for RoomKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}:{}:{}", self.tenant, self.kind(), self.key())
    }
}
