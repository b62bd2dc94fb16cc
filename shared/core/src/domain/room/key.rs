//! What names a room: its tenant and its kind, and the alias that is derived from them.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::domain::{
    id::{self, HubUserId, TenantId},
    name,
    room::Profile,
    settings::MessengerSettings,
};

/// Longest alias localpart that is kept legible; a longer one ends in a digest (an alias has at most 255 bytes).
const ALIAS_MAX: usize = 160;

/// What stands unescaped in a key: never the separators `:` and `/`.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// What kind of room it is, with what makes it that one room of its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RoomKind {
    /// "Allgemein": everybody of the tenant is a member.
    General,
    /// The room of a machine, an order, …
    Entity {
        /// Such as `machine`.
        entity_type: String,
        /// Number or text; `42` and `"42"` are the same.
        entity_id: String,
    },
    /// The room of a satellite.
    Service {
        /// Its `source_app`.
        source_app: String,
    },
    /// The room of the bot and one user.
    BotDm {
        /// The user.
        user: HubUserId,
    },
    /// The room of two users.
    Dm(Pair),
    /// A room that somebody made: only its members know of it.
    Custom {
        /// Made up when the room is made; of a room that was made elsewhere, its Matrix id.
        id: String,
    },
}

/// Two users, whoever is named first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pair(HubUserId, HubUserId);

/// The one name of a room: its tenant and its kind. The unit of order in delivery (a room queue).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomKey {
    /// Whose room.
    pub tenant: TenantId,
    /// Which room.
    pub kind: RoomKind,
}

impl Pair {
    /// Two users; `None` if it is the same one.
    pub fn of(one: &HubUserId, other: &HubUserId) -> Option<Self> {
        match one.cmp(other) {
            std::cmp::Ordering::Less => Some(Self(one.clone(), other.clone())),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Self(other.clone(), one.clone())),
        }
    }

    /// Both, in the order of their ids.
    pub fn both(&self) -> [&HubUserId; 2] {
        [&self.0, &self.1]
    }
}

impl RoomKey {
    /// The name of the kind, as stored.
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

    /// Reads the stored form back: see [`kind`](Self::kind) and [`key`](Self::key).
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

    /// Whether it is a chat of two, who stay in it.
    pub fn is_direct(&self) -> bool {
        matches!(self.kind, RoomKind::Dm(_) | RoomKind::BotDm { .. })
    }

    /// Whether its members may invite others: here they may, so they may with any Matrix client. Everybody of the tenant
    /// may come into the other rooms anyway, and direct chats stay between two.
    pub fn members_invite(&self) -> bool {
        matches!(self.kind, RoomKind::Custom { .. })
    }

    /// Whether we made the room, as far as its key tells: an adopted one has its Matrix id as key.
    pub fn is_made_here(&self) -> bool {
        !matches!(&self.kind, RoomKind::Custom { id } if id.starts_with('!'))
    }

    /// Whether this user of the tenant may come in without being invited.
    pub fn is_open_to(&self, user: &HubUserId) -> bool {
        match &self.kind {
            RoomKind::General | RoomKind::Entity { .. } | RoomKind::Service { .. } => true,
            RoomKind::BotDm { user: partner } => partner == user,
            RoomKind::Dm(pair) => pair.both().contains(&user),
            RoomKind::Custom { .. } => false,
        }
    }

    /// What tells it from other rooms of its kind. Injective: parts are escaped before they are joined.
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

    /// The localpart of the room's canonical alias.
    pub fn alias(&self) -> String {
        let legible = self.to_string().replace(['%', '/', ':'], "_").to_lowercase();
        // The digest keeps the alias injective where the legible part is not (case, escapes, length).
        let digest = &id::digest(&self.to_string())[..16];
        let legible: String = legible.chars().take(ALIAS_MAX).collect();
        format!("hub_{legible}_{digest}")
    }

    /// The key of a room that somebody made here, by the localpart of its alias; `None` if it is the alias of another.
    pub fn of_alias(localpart: &str) -> Option<Self> {
        let (tenant, rest) = localpart.strip_prefix("hub_t")?.split_once('_')?;
        let (id, _) = rest.strip_prefix("custom_")?.rsplit_once('_')?;
        let tenant = TenantId(tenant.parse().ok()?);
        let key = Self { tenant, kind: RoomKind::Custom { id: id.to_owned() } };
        (key.alias() == localpart).then_some(key)
    }

    /// The users of a direct chat.
    pub(crate) fn partners(&self) -> Vec<&HubUserId> {
        match &self.kind {
            RoomKind::BotDm { user } => vec![user],
            RoomKind::Dm(pair) => pair.both().into(),
            _ => Vec::new(),
        }
    }

    /// What people see of the room when it is made on demand.
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

/// `t<tenant>:<kind>:<key>`: the room queue of its deliveries.
impl fmt::Display for RoomKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}:{}:{}", self.tenant, self.kind(), self.key())
    }
}
