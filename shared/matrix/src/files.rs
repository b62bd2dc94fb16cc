//! Files: they pass through, and are never held whole.

use std::{io, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use messenger_core::{
    Result,
    id::MatrixUserId,
    media::{Download, Mxc, Upload},
    port::Files,
};
use reqwest::{Body, Method, StatusCode};
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    Appservice,
    call::Call,
    error::{Context, misconfigured},
};

/// The part of the client-server API by which files are uploaded.
const UPLOAD: &str = "/_matrix/media/v3";
/// The part by which they are downloaded, since that needs a token.
const DOWNLOAD: &str = "/_matrix/client/v1/media";
/// How long the homeserver may take for the next piece of a file. Whoever reads it may take any time.
const IDLE: Duration = Duration::from_secs(30);
const UPLOADING: &str = "uploading a file";
const DOWNLOADING: &str = "downloading a file";

#[derive(Deserialize)]
struct Uploaded {
    content_uri: String,
}

#[async_trait]
impl Files for Appservice {
    async fn upload(&self, sender: &MatrixUserId, upload: Upload) -> Result<Mxc> {
        // The bytes come once, so what might be missing is made beforehand.
        self.http.check_account(sender).await.context(UPLOADING)?;
        let call = Call::new(&self.http, Method::POST, UPLOAD).at("upload").by(sender);
        let call = call.query("filename", &upload.filename);
        let body = Body::wrap_stream(upload.bytes);
        let uploaded: Uploaded = call.pass(&upload.mimetype, upload.size, body).await.context(UPLOADING)?;
        Mxc::parse(&uploaded.content_uri)
            .ok_or_else(|| misconfigured(UPLOADING, format!("{} is no mxc URI", uploaded.content_uri)))
    }

    async fn download(&self, file: &Mxc) -> Result<Option<Download>> {
        let call = Call::new(&self.http, Method::GET, DOWNLOAD).at("download");
        let call = call.at(file.server()).at(file.id()).by(&self.bot);
        match call.open().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(None),
            response => {
                let response = response.context(DOWNLOADING)?;
                let size = response.content_length();
                let bytes = response.bytes_stream().map_err(|error| io::Error::other(error.without_url()));
                Ok(Some(Download { size, bytes: Box::pin(unless_idle(bytes)) }))
            }
        }
    }
}

/// Ends with an error where the next piece does not come.
fn unless_idle(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold(Some(Box::pin(bytes)), |bytes| async {
        let mut bytes = bytes?;
        match timeout(IDLE, bytes.next()).await {
            Ok(piece) => piece.map(|piece| (piece, Some(bytes))),
            Err(late) => Some((Err(io::Error::new(io::ErrorKind::TimedOut, late)), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_may_take_any_time_as_long_as_the_homeserver_goes_on() {
        let pieces = stream::iter((0..100).map(|_| Ok(Bytes::from_static(b"piece"))));
        let slow = pieces.then(async |piece| {
            tokio::time::sleep(IDLE / 2).await;
            piece
        });
        let mut read = Box::pin(unless_idle(slow));
        let mut count = 0;
        while let Some(piece) = read.next().await {
            piece.unwrap();
            count += 1;
            // Whoever reads it is slow.
            tokio::time::sleep(IDLE * 2).await;
        }
        assert_eq!(count, 100);
        let first = stream::iter([Ok(Bytes::from_static(b"piece"))]);
        let mut stuck = Box::pin(unless_idle(first.chain(stream::pending())));
        assert!(stuck.next().await.unwrap().is_ok());
        assert_eq!(stuck.next().await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(stuck.next().await.is_none());
    }
}
