//! Files in memory.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{TryStreamExt as _, stream};
use messenger_core::{
    Result,
    error::Failure,
    id::MatrixUserId,
    media::{Download, Mxc, Upload},
    port::Media,
};

use super::MemoryHomeserver;

pub(super) type Table = HashMap<Mxc, Bytes>;

#[async_trait]
impl Media for MemoryHomeserver {
    async fn upload(&self, sender: &MatrixUserId, upload: Upload) -> Result<Mxc> {
        let bytes = upload.bytes.try_fold(BytesMut::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        });
        let bytes = bytes.await.expect("the bytes of an upload").freeze();
        self.call("uploading a file", |state| {
            state.act_as(sender);
            if !state.accounts.contains_key(sender) || bytes.len() as u64 != upload.size {
                return Err(Failure::Rejected);
            }
            let mxc = Mxc::new("hub.local", &format!("file{}", state.files.len() + 1)).expect("a valid name");
            state.files.insert(mxc.clone(), bytes);
            Ok(mxc)
        })
        .await
    }

    async fn download(&self, file: &Mxc) -> Result<Option<Download>> {
        self.call("downloading a file", |state| {
            Ok(state.files.get(file).map(|bytes| Download {
                size: Some(bytes.len() as u64),
                bytes: Box::pin(stream::iter([Ok(bytes.clone())])),
            }))
        })
        .await
    }
}
