//! Files, streamed in both directions and never held in memory as a whole.

use std::{io, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use messenger_core::{
    Result,
    id::MatrixUserId,
    media::{Download, Mxc, Upload},
    port::Media,
};
use reqwest::{Body, Method, StatusCode};
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    Appservice,
    call::Call,
    error::{Context, misconfigured},
};

/// The root of the upload API.
const UPLOAD: &str = "/_matrix/media/v3";
/// The root of the authenticated download API.
const DOWNLOAD: &str = "/_matrix/client/v1/media";
/// The time limit for the next chunk of a download. The reader has none.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const UPLOADING: &str = "uploading a file";
const DOWNLOADING: &str = "downloading a file";

#[derive(Deserialize)]
struct Uploaded {
    content_uri: String,
}

#[async_trait]
impl Media for Appservice {
    async fn upload(&self, sender: &MatrixUserId, upload: Upload) -> Result<Mxc> {
        // The body can be sent only once, so a missing account or device is restored before.
        self.http.check_account(sender).await.context(UPLOADING)?;
        let call = Call::new(&self.http, Method::POST, UPLOAD).at("upload").by(sender);
        let call = call.query("filename", &upload.filename);
        let body = Body::wrap_stream(upload.bytes);
        let uploaded: Uploaded = call.upload(&upload.mimetype, upload.size, body).await.context(UPLOADING)?;
        Mxc::parse(&uploaded.content_uri)
            .ok_or_else(|| misconfigured(UPLOADING, format!("{} is not an mxc URI", uploaded.content_uri)))
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
                Ok(Some(Download { size, bytes: Box::pin(with_idle_timeout(bytes)) }))
            }
        }
    }
}

/// Ends a stream with an error if the next chunk takes longer than [`IDLE_TIMEOUT`].
fn with_idle_timeout(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold(Some(Box::pin(bytes)), |bytes| async {
        let mut bytes = bytes?;
        match timeout(IDLE_TIMEOUT, bytes.next()).await {
            Ok(chunk) => chunk.map(|chunk| (chunk, Some(bytes))),
            Err(late) => Some((Err(io::Error::new(io::ErrorKind::TimedOut, late)), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_download_fails_only_if_the_homeserver_stalls() {
        let chunks = stream::iter((0..100).map(|_| Ok(Bytes::from_static(b"chunk"))));
        let slow = chunks.then(async |chunk| {
            tokio::time::sleep(IDLE_TIMEOUT / 2).await;
            chunk
        });
        let mut read = Box::pin(with_idle_timeout(slow));
        let mut count = 0;
        while let Some(chunk) = read.next().await {
            chunk.unwrap();
            count += 1;
            // The reader is slow.
            tokio::time::sleep(IDLE_TIMEOUT * 2).await;
        }
        assert_eq!(count, 100);
        let first = stream::iter([Ok(Bytes::from_static(b"chunk"))]);
        let mut stuck = Box::pin(with_idle_timeout(first.chain(stream::pending())));
        assert!(stuck.next().await.unwrap().is_ok());
        assert_eq!(stuck.next().await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(stuck.next().await.is_none());
    }
}
