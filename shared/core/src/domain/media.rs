//! Files: addresses, safe names and types.

use std::{fmt, io, pin::Pin};

use bytes::Bytes;
use futures::Stream;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use unicode_normalization::UnicodeNormalization;

use crate::domain::error::Result;

/// Most bytes of a file name, as in most file systems.
const NAME_MAX: usize = 255;

/// Most bytes of a name's extension that survive when the name is cut.
const EXTENSION_MAX: usize = 20;

/// What a file is called that has no name of its own.
const NAMELESS: &str = "file";

/// The bytes of a file, as they come.
pub type Bytestream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The address of a file on a homeserver: `mxc://server/id` (Matrix specification, "Matrix Content (`mxc://`) URIs").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mxc {
    server: String,
    id: String,
}

/// A file that stands in a message. Name and type are the sender's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its address on the homeserver.
    pub mxc: Mxc,
    /// Its name, [`clean`].
    pub filename: String,
    /// Its size in bytes.
    pub file_size: Option<u64>,
    /// Its type.
    pub mimetype: Option<String>,
}

/// A file to be uploaded.
pub struct Upload {
    /// Its name, [`clean`].
    pub filename: String,
    /// Its type, according to its first bytes.
    pub mimetype: String,
    /// Its size in bytes: homeservers want to know it beforehand.
    pub size: u64,
    /// What is in it.
    pub bytes: Bytestream,
}

/// A file as the homeserver gives it.
pub struct Download {
    /// Its size in bytes, if the homeserver says so.
    pub size: Option<u64>,
    /// What is in it.
    pub bytes: Bytestream,
}

/// What a member may know of a file that was posted in a room of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its name.
    pub filename: String,
    /// Its type, as the sender said.
    pub mimetype: Option<String>,
}

impl Mxc {
    /// Parses `mxc://server/id`; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (server, id) = text.strip_prefix("mxc://")?.split_once('/')?;
        Self::new(server, id)
    }

    /// Puts the parts of a path together; `None` if they are none.
    pub fn new(server: &str, id: &str) -> Option<Self> {
        let is_server = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let good = |text: &str| !text.is_empty() && text.len() <= NAME_MAX && text != "." && text != "..";
        (good(server) && good(id) && server.chars().all(is_server) && id.chars().all(is_id))
            .then(|| Self { server: server.to_owned(), id: id.to_owned() })
    }

    /// The homeserver that has it.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Its name there.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where clients get it from us.
    pub fn path(&self) -> String {
        format!("/api/v1/messages/media/{}/{}", self.server, self.id)
    }
}

impl fmt::Display for Mxc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mxc://{}/{}", self.server, self.id)
    }
}

/// `file_url` is the address, `media_path` the path at which this service gives the file to members.
impl Serialize for File {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("file_url", &self.mxc.to_string())?;
        fields.serialize_entry("media_path", &self.mxc.path())?;
        fields.serialize_entry("filename", &self.filename)?;
        if let Some(size) = self.file_size {
            fields.serialize_entry("file_size", &size)?;
        }
        if let Some(mimetype) = &self.mimetype {
            fields.serialize_entry("mimetype", mimetype)?;
        }
        fields.end()
    }
}

/// A name that is one, wherever it is stored or shown: no path, no control characters, nothing that turns the
/// direction of the text, at most 255 bytes; the extension survives a cut. Umlauts stay.
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

/// Characters that change how others are read, or that nobody sees (Unicode Standard Annex #9, and zero widths).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `m.image`, `m.audio`, `m.video` or `m.file`.
pub fn msg_type(mimetype: &str) -> &'static str {
    match mimetype.split('/').next() {
        // A vector graphic is a program.
        Some("image") if !mimetype.contains("svg") => "m.image",
        Some("audio") => "m.audio",
        Some("video") => "m.video",
        _ => "m.file",
    }
}
