//! The port of files on the homeserver (Matrix Client-Server API, "Content repository").

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::MatrixUserId,
    media::{Download, Mxc, Upload},
};

/// The files in messages.
#[async_trait]
pub trait Media: Send + Sync {
    /// Stores a file as a user. Its bytes are streamed, not buffered.
    async fn upload(&self, sender: &MatrixUserId, upload: Upload) -> Result<Mxc>;

    /// Returns a file, whose bytes are read as they arrive; `None` if there is no such file.
    async fn download(&self, file: &Mxc) -> Result<Option<Download>>;
}
