//! The identifiers of the domain, as distinct types, and the mapping from Hub users to Matrix users.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::name;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a value that is known to be valid.
            pub fn new(value: impl Into<Arc<str>>) -> Self {
                Self(value.into())
            }

            /// Returns the value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

number! {
    /// A tenant: a customer of the Hub.
    TenantId
}

number! {
    /// The id of a notification: row key, part of the Matrix transaction id, and the number that a satellite
    /// gets.
    NotificationId
}

number! {
    /// The id of an alarm.
    AlarmId
}

number! {
    /// The id of an input of an alarm. The inputs of an alarm have ids in the order of their commits.
    AlarmInputId
}

number! {
    /// The id of a ring of an alarm.
    RingId
}

number! {
    /// A position in the event log. Positions become visible in order: a reader that has seen `n` never later
    /// finds a new one below `n`.
    Position
}

number! {
    /// The place of a message in the order in which search returns messages: that of their arrival.
    SearchPosition
}

text! {
    /// The id of a user in the Hub (`sub` of its token). It is unique over all tenants.
    HubUserId
}

text! {
    /// A Matrix room id. It is opaque: from room version 12 on it has no `:server` part.
    RoomId
}

text! {
    /// A Matrix event id.
    EventId
}

text! {
    /// A full Matrix user id, `@localpart:server`.
    MatrixUserId
}

impl RoomId {
    /// Parses the room id of a request. An id is opaque, so nearly any text may be one. Returns `None` for a
    /// text with U+0000, which no room id and no database has.
    pub fn parse(value: impl Into<Arc<str>>) -> Option<Self> {
        let value = value.into();
        (!value.contains('\0')).then_some(Self(value))
    }
}

impl EventId {
    /// Returns whether the text may be an event id: `$` and at most 254 other bytes, none of them a control
    /// character. Event ids are opaque otherwise.
    pub(crate) fn is_well_formed(&self) -> bool {
        let rest = self.0.strip_prefix('$').unwrap_or_default();
        (1..255).contains(&rest.len()) && !rest.contains(char::is_control)
    }
}

impl MatrixUserId {
    /// Returns the part between `@` and the server name; `None` for a user of another server.
    pub fn localpart(&self, server_name: &str) -> Option<&str> {
        let (localpart, server) = self.as_str().strip_prefix('@')?.split_once(':')?;
        (server == server_name).then_some(localpart)
    }
}

/// The largest accepted length of `sub`, in characters.
pub const HUB_USER_ID_MAX: usize = 255;

/// The largest length of a localpart, in bytes. A longer one is replaced by its digest, because a Matrix user
/// id has at most 255 bytes.
const LOCALPART_MAX: usize = 180;

impl HubUserId {
    /// Parses the user id of a token or request into its [`normal`](name::normal) form, which is the same for
    /// every spelling.
    ///
    /// # Errors
    /// Returns a sentence part that names the violated rule.
    pub fn parse(value: &str) -> Result<Self, &'static str> {
        let value = name::normal(value);
        if value.chars().any(char::is_control) {
            Err("must not contain control characters")
        } else if name::is_blank(&value) {
            Err("must not be blank")
        } else if value.chars().count() > HUB_USER_ID_MAX {
            Err("must have at most 255 characters")
        } else {
            Ok(Self::new(value))
        }
    }
}

/// Returns the Matrix localpart of a Hub user. The mapping is injective, so `Max` and `max` have different
/// localparts. No user gets a `reserved` name (the bot, `conduit`, …).
///
/// This is the case-preserving form of the Matrix specification, appendix "Mapping from other character
/// sets": `[a-z0-9.-]` stays, a capital becomes `_` and the small letter, `_` becomes `__`, and every other
/// byte becomes `=` and two hexadecimal digits.
pub fn localpart(user: &HubUserId, reserved: &[&str]) -> String {
    let mut mapped = String::with_capacity(user.as_str().len());
    for byte in user.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => mapped.push(char::from(byte)),
            b'A'..=b'Z' => mapped.extend(['_', char::from(byte.to_ascii_lowercase())]),
            b'_' => mapped.push_str("__"),
            _ => mapped.extend(['=', hex(byte >> 4), hex(byte)]),
        }
    }
    if mapped.len() > LOCALPART_MAX {
        // The mapping never produces `=h`, so a digest never equals a mapped id.
        return format!("=h{}", digest(user.as_str()));
    }
    if reserved.contains(&mapped.as_str()) {
        // The mapping never escapes a small letter, so no other id has this form.
        let first = mapped.remove(0);
        return format!("={:02x}{mapped}", u32::from(first));
    }
    mapped
}

/// Returns the SHA-256 of a text in hexadecimal.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().flat_map(|byte| [hex(byte >> 4), hex(*byte)]).collect()
}

/// Returns the low half of a byte as a hexadecimal digit.
fn hex(byte: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(byte & 0xf)])
}
