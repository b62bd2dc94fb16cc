//! Files: their addresses, safe names and types.

use std::{fmt, io, pin::Pin};

use bytes::Bytes;
use futures::Stream;
use unicode_normalization::UnicodeNormalization;

/// The largest length of a file name in bytes, as in most file systems.
const NAME_MAX: usize = 255;

/// The largest length in bytes of an extension that is kept when the name is cut.
const EXTENSION_MAX: usize = 20;

/// The name of a file that has none.
const NAMELESS: &str = "file";

/// The bytes of a file, streamed.
pub type Bytestream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The address of a file on a homeserver: `mxc://server/id` (Matrix specification, "Matrix Content (`mxc://`)
/// URIs").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mxc {
    server: String,
    id: String,
}

/// A file in a message. Its name and type are claims of the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its address on the homeserver.
    pub mxc: Mxc,
    /// Its name, [`clean`].
    pub filename: String,
    /// Its size in bytes, if the sender states it.
    pub file_size: Option<u64>,
    /// Its media type, if the sender states it.
    pub mimetype: Option<String>,
}

/// A file to upload.
pub struct Upload {
    /// Its name, [`clean`].
    pub filename: String,
    /// Its media type, detected from its first bytes.
    pub mimetype: String,
    /// Its size in bytes, which homeservers require before the upload.
    pub size: u64,
    /// Its bytes.
    pub bytes: Bytestream,
}

/// A file from the homeserver.
pub struct Download {
    /// Its size in bytes, if the homeserver states it.
    pub size: Option<u64>,
    /// Its bytes.
    pub bytes: Bytestream,
}

/// A file that was posted in a room, as a member of the room may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its name.
    pub filename: String,
    /// Its media type, as the sender stated it.
    pub mimetype: Option<String>,
}

impl Mxc {
    /// Parses `mxc://server/id`; `None` if the text is invalid.
    pub fn parse(text: &str) -> Option<Self> {
        let (server, id) = text.strip_prefix("mxc://")?.split_once('/')?;
        Self::new(server, id)
    }

    /// Builds an address from its parts; `None` if one of them is invalid.
    pub fn new(server: &str, id: &str) -> Option<Self> {
        let is_server = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let good = |text: &str| !text.is_empty() && text.len() <= NAME_MAX && text != "." && text != "..";
        (good(server) && good(id) && server.chars().all(is_server) && id.chars().all(is_id))
            .then(|| Self { server: server.to_owned(), id: id.to_owned() })
    }

    /// Returns the homeserver that stores the file.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns the media id on that homeserver.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the path from which clients download the file.
    pub fn path(&self) -> String {
        format!("/api/v1/messages/media/{}/{}", self.server, self.id)
    }
}

impl fmt::Display for Mxc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mxc://{}/{}", self.server, self.id)
    }
}

/// Returns a file name that is safe to store and to display: without path, control characters and characters
/// that change the text direction, and with at most 255 bytes. A cut keeps the extension.
pub fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let legible: String = last.nfc().filter(|c| !c.is_control() && !is_invisible(*c)).collect();
    let trimmed = legible.trim().trim_matches('.').trim();
    match trimmed {
        "" => NAMELESS.to_owned(),
        name if name.len() <= NAME_MAX => name.to_owned(),
        name => {
            let extension = name.rfind('.').map(|dot| &name[dot..]).filter(|e| e.len() <= EXTENSION_MAX);
            let extension = extension.unwrap_or_default();
            let stem = &name[..name.floor_char_boundary(NAME_MAX - extension.len())];
            format!("{stem}{extension}")
        }
    }
}

/// Returns whether a character changes the text direction (Unicode Standard Annex #9) or has no width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Returns the message type for a media type: `m.image`, `m.audio`, `m.video` or `m.file`.
pub fn msg_type(mimetype: &str) -> &'static str {
    match mimetype.split('/').next() {
        // An SVG may contain scripts.
        Some("image") if !mimetype.contains("svg") => "m.image",
        Some("audio") => "m.audio",
        Some("video") => "m.video",
        _ => "m.file",
    }
}
