//! Files: what was uploaded comes back, byte for byte.

use anyhow::{Context, Result};
use futures::{TryStreamExt as _, stream};
use messenger_core::{
    media::{Mxc, Upload},
    port::{Files, Homeserver},
};

use crate::stand::{Stand, user};

pub(crate) async fn a_file_comes_back_as_it_was(stand: Stand) -> Result<()> {
    stand.appservice.ensure_user(&user("anna"), "Anna").await?;
    let pieces: Vec<_> = (0..64u8).map(|n| Ok(vec![n; 4096].into())).collect();
    let upload = Upload {
        filename: "Übersicht Ä & Ö.pdf".to_owned(),
        mimetype: "application/pdf".to_owned(),
        size: 64 * 4096,
        bytes: Box::pin(stream::iter(pieces)),
    };
    let mxc = stand.appservice.upload(&user("anna"), upload).await?;
    let download = stand.appservice.download(&mxc).await?.context("the file")?;
    assert_eq!(download.size, Some(64 * 4096));
    let bytes: Vec<u8> = download
        .bytes
        .try_fold(Vec::new(), async |mut all, piece| {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await?;
    assert!(bytes.iter().enumerate().all(|(n, byte)| n / 4096 == usize::from(*byte)));
    let nothing = Mxc::new("hub.local", "AAAAAAAAAAAAAAAAAAAAAAAA").context("a name")?;
    assert!(stand.appservice.download(&nothing).await?.is_none());
    Ok(())
}
