//! The identifiers of the domain, as types that cannot be mixed up, and the mapping from Hub users to Matrix users.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::name;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
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
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a value that is already known to be one.
            pub fn new(value: impl Into<Arc<str>>) -> Self {
                Self(value.into())
            }

            /// The value as text.
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
    /// A factory.
    TenantId
}

number! {
    /// A notification: row key, stem of the Matrix transaction id, and the number a satellite is told.
    NotificationId
}

number! {
    /// A position in the event log. Positions become visible in order: whoever has seen `n` never later finds one
    /// smaller than `n`.
    Position
}

text! {
    /// A user as the Hub names them (`sub` of its token). Unique over all tenants.
    HubUserId
}

text! {
    /// A Matrix room id. Opaque: it may have no `:server` part (room version 12).
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
    /// Takes what a request names a room. An id is opaque, so nearly anything may be one; `None`: no room has it, and no
    /// database could look for it.
    pub fn parse(value: impl Into<Arc<str>>) -> Option<Self> {
        let value = value.into();
        (!value.contains('\0')).then_some(Self(value))
    }
}

impl MatrixUserId {
    /// The part between `@` and the server's name; `None` if it is a user of another server.
    pub fn localpart(&self, server_name: &str) -> Option<&str> {
        let (localpart, server) = self.as_str().strip_prefix('@')?.split_once(':')?;
        (server == server_name).then_some(localpart)
    }
}

/// Longest value of `sub` that is accepted, in characters.
pub const HUB_USER_ID_MAX: usize = 255;

/// Longest localpart as it stands; a longer one is replaced by its digest (user ids have at most 255 bytes).
const LOCALPART_MAX: usize = 180;

impl HubUserId {
    /// Parses the id by which a token or a request names a user. Every spelling of an id is the same id: it is kept in its
    /// [`normal`](name::normal) form.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
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

/// The Matrix localpart of a Hub user: injective, so `Max` and `max` never meet, and plain `[a-z0-9.-]` ids stay as
/// they are. `reserved` names (the bot, `conduit`, …) are never given to a user.
///
/// Matrix specification, appendix "Mapping from other character sets", case-preserving form: capitals become
/// `_` and the small letter, `_` becomes `__`, every other byte `=` and two hexadecimal digits.
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
        // `=h` is no escape that the mapping can produce, so a digest never equals a mapped id.
        return format!("=h{}", digest(user.as_str()));
    }
    if reserved.contains(&mapped.as_str()) {
        // The mapping never escapes a letter, so this form is nobody else's either.
        let first = mapped.remove(0);
        return format!("={:02x}{mapped}", u32::from(first));
    }
    mapped
}

/// SHA-256 in hexadecimal.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().flat_map(|byte| [hex(byte >> 4), hex(*byte)]).collect()
}

/// The low half of a byte as a hexadecimal digit.
fn hex(byte: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(byte & 0xf)])
}
