//! A file that is being uploaded, in a temporary file without a name, which ends with its last reader.

use std::{io, io::SeekFrom};

use axum::{
    extract::multipart::{Field, MultipartError},
    http::StatusCode,
};
use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use messenger_core::{
    Error, Result,
    error::{Failure, Problem, System},
    media::Upload,
};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
};

/// The number of bytes of a file that are in memory at once.
const PIECE: usize = 64 << 10;
/// The number of first bytes that the media type is detected from.
const HEAD: usize = 8 << 10;

/// A file that was received completely.
pub(crate) struct Spool {
    file: File,
    head: Vec<u8>,
    size: u64,
}

impl Spool {
    /// Reads a part of a form to its end, or to the first byte beyond `most`.
    pub(crate) async fn fill(mut part: Field<'_>, most: u64) -> Result<Self> {
        let file = tempfile::tempfile().map_err(disk)?;
        let mut spool = Self { file: File::from_std(file), head: Vec::with_capacity(HEAD), size: 0 };
        spool.file.set_max_buf_size(PIECE);
        while let Some(piece) = part.chunk().await.map_err(|error| refused(&error, most))? {
            spool.size += piece.len() as u64;
            if spool.size > most {
                return Err(Error::TooLarge { most });
            }
            let missing = HEAD.saturating_sub(spool.head.len()).min(piece.len());
            spool.head.extend_from_slice(&piece[..missing]);
            spool.file.write_all(&piece).await.map_err(disk)?;
        }
        spool.file.seek(SeekFrom::Start(0)).await.map_err(disk)?;
        Ok(spool)
    }

    /// Returns the file in the form in which it is uploaded to the homeserver.
    pub(crate) fn upload(self, filename: String) -> Upload {
        let mimetype = media_type(&self.head).to_owned();
        Upload { filename, mimetype, size: self.size, bytes: Box::pin(pieces(self.file)) }
    }
}

/// Detects the media type from the first bytes. The type that the client states is ignored.
fn media_type(head: &[u8]) -> &'static str {
    match infer::get(head) {
        Some(kind) => kind.mime_type(),
        None if !head.is_empty() && is_text(head) => "text/plain",
        None => "application/octet-stream",
    }
}

fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) if error.error_len().is_none() => return !head.contains(&0),
        Err(_) => return false,
    };
    !text.contains('\0')
}

fn pieces(file: File) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(file, |mut file| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = file.read_buf(&mut piece).await?;
        Ok((read > 0).then(|| (piece.freeze(), file)))
    })
}

fn disk(error: io::Error) -> Error {
    Error::fault(System::Disk, Failure::Broken, "storing a file that is being uploaded", error)
}

/// Returns the error for a form that cannot be read: 413 if it is too long, otherwise 422.
pub(crate) fn refused(error: &MultipartError, most: u64) -> Error {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Error::TooLarge { most };
    }
    Error::Invalid(vec![Problem::new("", format!("the form cannot be read: {}", error.body_text()))])
}
