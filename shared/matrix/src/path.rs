//! Paths of the client-server API. Each id is escaped into exactly one segment, so that it can never reach
//! another endpoint.

use messenger_core::id::{EventId, MatrixUserId, RoomId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that are not escaped: the unreserved ones of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Most bytes of an id (Matrix specification, appendix "Common Identifier Format").
const MAX: usize = 255;

/// A text that is not a valid segment of its kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not a {kind}")]
pub(crate) struct Malformed {
    text: String,
    kind: &'static str,
}

impl Malformed {
    pub(crate) fn new(text: &str, kind: &'static str) -> Self {
        Self { text: text.chars().take(MAX).collect(), kind }
    }
}

/// A segment of a path.
pub(crate) trait Segment {
    /// The name of its kind, as in "is not a room id".
    const KIND: &'static str;
    /// The character that it begins with.
    const SIGIL: Option<char>;

    /// Returns its text, unescaped.
    fn text(&self) -> &str;
}

/// A path below `/_matrix/…`, or its first invalid segment.
#[derive(Debug)]
pub(crate) struct Path(Result<String, Malformed>);

impl Path {
    pub(crate) fn below(root: &str) -> Self {
        Self(Ok(root.to_owned()))
    }

    pub(crate) fn at(self, segment: &(impl Segment + ?Sized)) -> Self {
        Self(self.0.and_then(|path| Ok(format!("{path}/{}", escaped(segment)?))))
    }

    pub(crate) fn finish(self) -> Result<String, Malformed> {
        self.0
    }
}

fn escaped<S: Segment + ?Sized>(segment: &S) -> Result<String, Malformed> {
    let text = segment.text();
    let body = match S::SIGIL {
        Some(sigil) => text.strip_prefix(sigil),
        // A URL cannot contain these two as segments, not even escaped.
        None => Some(text).filter(|text| !matches!(*text, "." | "..")),
    };
    if body.is_none_or(str::is_empty) || text.len() > MAX || text.chars().any(char::is_control) {
        return Err(Malformed::new(text, S::KIND));
    }
    Ok(utf8_percent_encode(text, UNRESERVED).to_string())
}

impl Segment for str {
    const KIND: &'static str = "path segment";
    const SIGIL: Option<char> = None;

    fn text(&self) -> &str {
        self
    }
}

macro_rules! id {
    ($type:ty, $sigil:literal, $kind:literal) => {
        impl Segment for $type {
            const KIND: &'static str = $kind;
            const SIGIL: Option<char> = Some($sigil);

            fn text(&self) -> &str {
                self.as_str()
            }
        }
    };
}

id!(RoomId, '!', "room id");
id!(MatrixUserId, '@', "user id");
id!(EventId, '$', "event id");

#[cfg(test)]
mod tests {
    use super::*;

    fn room(id: &str) -> Result<String, Malformed> {
        Path::below("/v3").at("rooms").at(&RoomId::new(id)).at("send").finish()
    }

    #[test]
    fn an_id_is_escaped_into_one_segment() {
        for (id, segment) in [
            ("!abc:hub.local", "%21abc%3Ahub.local"),
            (
                "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM",
                "%2131hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM",
            ),
            ("!a/../b:hub.local", "%21a%2F..%2Fb%3Ahub.local"),
            ("!a?b#c:hub.local", "%21a%3Fb%23c%3Ahub.local"),
            ("!a%2Fb\\c:hub.local", "%21a%252Fb%5Cc%3Ahub.local"),
            ("!ü +&=:hub.local", "%21%C3%BC%20%2B%26%3D%3Ahub.local"),
        ] {
            assert_eq!(room(id).as_deref(), Ok(format!("/v3/rooms/{segment}/send").as_str()));
        }
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        for id in ["", "!", "abc:hub.local", "#abc:hub.local", "..", "!a\nb", "!a\tb", "!a\0b"] {
            assert!(room(id).is_err(), "{id:?}");
        }
        assert!(room(&format!("!{}", "a".repeat(255))).is_err());
        assert_eq!(room("@a:b").unwrap_err().to_string(), "\"@a:b\" is not a room id");
    }

    #[test]
    fn a_transaction_id_is_escaped_into_one_segment() {
        let send = |id: &str| Path::below("/v3").at("send").at(id).finish();
        assert!(send("..").is_err());
        assert!(send(".").is_err());
        assert!(send("").is_err());
        assert_eq!(send("%2e%2e").as_deref(), Ok("/v3/send/%252e%252e"));
        assert_eq!(send("a/../b").as_deref(), Ok("/v3/send/a%2F..%2Fb"));
        assert_eq!(send("7f3a.n42").as_deref(), Ok("/v3/send/7f3a.n42"));
    }
}
