//! Uploads files to rooms, and downloads them for members.

use std::{iter, sync::Arc};

use crate::{
    app::{authorization::Authorization, messages::Messages},
    domain::{
        error::{Error, Refusal, Result},
        id::RoomId,
        matrix_ids::MatrixIds,
        media::{Download, File, Mxc, Posted, Upload, msg_type},
        message::{Mentions, Message, MessageContent},
        room::Action,
        user::Caller,
    },
    live::echoes::Echoes,
    port::{self, Ports},
};

/// The engine for files.
pub struct Media {
    files: Arc<dyn port::Media>,
    messages: Arc<dyn port::Messages>,
    sender: Arc<Messages>,
    authorization: Arc<Authorization>,
    ids: Arc<MatrixIds>,
    echoes: Arc<Echoes>,
}

impl Media {
    pub(crate) fn new(
        ports: &Ports,
        sender: &Arc<Messages>,
        authorization: &Arc<Authorization>,
        ids: &Arc<MatrixIds>,
        echoes: &Arc<Echoes>,
    ) -> Self {
        Self {
            files: ports.media.clone(),
            messages: ports.messages.clone(),
            sender: sender.clone(),
            authorization: authorization.clone(),
            ids: ids.clone(),
            echoes: echoes.clone(),
        }
    }

    /// Uploads a file and sends it into a room, with a caption if there is one.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room))]
    pub async fn upload(
        &self,
        caller: &Caller,
        room: &RoomId,
        upload: Upload,
        caption: Option<String>,
        transaction: Option<&str>,
    ) -> Result<Message> {
        self.authorization.check_may_write(caller, room).await?;
        let sender = self.ids.of(&caller.user);
        let (filename, mimetype, size) = (upload.filename.clone(), upload.mimetype.clone(), upload.size);
        // Check before the upload: a file without a message would stay on the homeserver for ever.
        self.authorization.check_may_send(caller, room).await?;
        let mxc = match self.files.upload(&sender, upload).await {
            Err(error) if error.refusal() == Some(Refusal::TooLarge) => {
                return Err(Error::invalid("/file", "is larger than the homeserver accepts"));
            }
            Err(error) => {
                return Err(self
                    .authorization
                    .explain(caller, room, &caller.user, Action::Send, error)
                    .await);
            }
            Ok(mxc) => mxc,
        };
        self.messages.own(&mxc, &sender).await?;
        let body = caption.unwrap_or_else(|| filename.clone());
        let content = MessageContent {
            txn_id: transaction.map(str::to_owned),
            ..MessageContent::text(body, msg_type(&mimetype))
        };
        let file = Some(File { mxc, filename, file_size: Some(size), mimetype: Some(mimetype) });
        let message = self
            .sender
            .send_content(caller, room, MessageContent { file, ..content }, Mentions::default())
            .await?;
        // The right to read the file follows from the ingested message.
        self.echoes.wait_in(iter::once(room)).await;
        Ok(message)
    }

    /// Returns a file that its owner sent into a room of the caller, with its metadata.
    ///
    /// Files of other homeservers are not found.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn download(&self, caller: &Caller, mxc: &Mxc) -> Result<(Posted, Download)> {
        if mxc.server() != self.ids.server_name() {
            return Err(Error::NotFound("file"));
        }
        let (tenant, user) = (caller.user.tenant(), caller.user.id());
        let posted = self.messages.posted(tenant, user, mxc).await?.ok_or(Error::NotFound("file"))?;
        let download = self.files.download(mxc).await?.ok_or(Error::NotFound("file"))?;
        Ok((posted, download))
    }
}
