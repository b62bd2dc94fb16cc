//! Messages and files in a room, written and read through the homeserver.
use anyhow::{Context, Result};

use super::endpoint::{Callers, Endpoint};
use super::subject::{Subject, Wanted};

/// How many messages stand in a room whose history is read: a page and more.
const SAID: u64 = 60;
/// Pieces of eight letters in a file: 4 KiB.
const PIECES: usize = 512;
const FORM: &[(&str, &str)] = &[("Content-Type", "multipart/form-data; boundary=bench")];

pub(super) const SAY: Endpoint = Endpoint::new("messages/send", "POST /api/v1/messages/send")
    .body(r#"{"room_id":"{room}","body":"message {number}"}"#);
pub(super) const HISTORY: Endpoint =
    Endpoint::new("messages/history", "GET /api/v1/messages/history/{room}?limit=50");
pub(super) const UPLOAD: Endpoint =
    Endpoint::new("messages/upload", "POST /api/v1/messages/upload").headers(FORM).body(
        "--bench\r\nContent-Disposition: form-data; name=\"room_id\"\r\n\r\n{room}\r\n\
         --bench\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{number}.txt\"\r\n\
         Content-Type: text/plain\r\n\r\n{number} {text}\r\n--bench--\r\n",
    );
pub(super) const DOWNLOAD: [Endpoint; 2] = [
    Endpoint::new("messages/media", "GET /api/v1/messages/media/{server}/{media}"),
    Endpoint::new("messages/media, a Range", "GET /api/v1/messages/media/{server}/{media}")
        .headers(&[("Range", "bytes=0-99")])
        .status(206),
];

/// What one user does in a room that they are in.
pub(super) async fn loads(callers: &Callers, wanted: &Wanted) -> Result<Vec<Subject>> {
    let callers = callers.clone().word("text", "measured".repeat(PIECES));
    let mut subjects = wanted.of(&[SAY], &callers);
    if wanted.any(&[HISTORY]) {
        callers.load(&SAY).times(SAID).await?;
        subjects.extend(wanted.of(&[HISTORY], &callers));
    }
    subjects.extend(wanted.of(&[UPLOAD], &callers));
    if wanted.any(&DOWNLOAD) {
        let posted = callers.load(&UPLOAD).once().await?.json()?;
        let address = posted["file_url"].as_str().and_then(|url| url.strip_prefix("mxc://"));
        let (server, media) =
            address.and_then(|rest| rest.split_once('/')).context("a file without an address")?;
        subjects.extend(wanted.of(&DOWNLOAD, &callers.word("server", server).word("media", media)));
    }
    Ok(subjects)
}
