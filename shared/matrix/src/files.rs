//! Files: they pass through, and are never held whole.

use std::io;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use messenger_core::{
    Result,
    id::MatrixUserId,
    media::{Download, Mxc, Upload},
    port::Files,
};
use reqwest::{Body, Method, StatusCode};
use serde::Deserialize;

use crate::{
    Appservice,
    call::Call,
    error::{Doing, misconfigured},
};

/// The part of the client-server API by which files are uploaded.
const UPLOAD: &str = "/_matrix/media/v3";
/// The part by which they are downloaded, since that needs a token.
const DOWNLOAD: &str = "/_matrix/client/v1/media";
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
        self.http.check_account(sender).await.doing(UPLOADING)?;
        let call = Call::new(&self.http, Method::POST, UPLOAD).at("upload").by(sender);
        let call = call.query("filename", &upload.filename);
        let body = Body::wrap_stream(upload.bytes);
        let uploaded: Uploaded = call.pass(&upload.mimetype, upload.size, body).await.doing(UPLOADING)?;
        Mxc::parse(&uploaded.content_uri)
            .ok_or_else(|| misconfigured(UPLOADING, format!("{} is no mxc URI", uploaded.content_uri)))
    }

    async fn download(&self, file: &Mxc) -> Result<Option<Download>> {
        let call = Call::new(&self.http, Method::GET, DOWNLOAD).at("download");
        let call = call.at(file.server()).at(file.id()).by(&self.bot);
        match call.open().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(None),
            response => {
                let response = response.doing(DOWNLOADING)?;
                let size = response.content_length();
                let bytes = response.bytes_stream().map_err(|error| io::Error::other(error.without_url()));
                Ok(Some(Download { size, bytes: Box::pin(bytes) }))
            }
        }
    }
}
