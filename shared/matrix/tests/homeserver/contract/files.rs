//! Upload and download of files.

use anyhow::{Context, Result};
use futures::{TryStreamExt as _, stream};
use messenger_core::{
    media::{Mxc, Upload},
    port::{Accounts, Media},
};

use crate::fixture::{Fixture, user};

pub(crate) async fn a_downloaded_file_equals_the_uploaded_one(fixture: Fixture) -> Result<()> {
    fixture.appservice.ensure_user(&user("anna"), "Anna").await?;
    let chunks: Vec<_> = (0..64u8).map(|n| Ok(vec![n; 4096].into())).collect();
    let upload = Upload {
        filename: "Übersicht Ä & Ö.pdf".to_owned(),
        mimetype: "application/pdf".to_owned(),
        size: 64 * 4096,
        bytes: Box::pin(stream::iter(chunks)),
    };
    let mxc = fixture.appservice.upload(&user("anna"), upload).await?;
    let download = fixture.appservice.download(&mxc).await?.context("the file")?;
    assert_eq!(download.size, Some(64 * 4096));
    let bytes: Vec<u8> = download
        .bytes
        .try_fold(Vec::new(), async |mut all, chunk| {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await?;
    assert!(bytes.iter().enumerate().all(|(n, byte)| n / 4096 == usize::from(*byte)));
    let unknown = Mxc::new("hub.local", "AAAAAAAAAAAAAAAAAAAAAAAA").context("a valid URI")?;
    assert!(fixture.appservice.download(&unknown).await?.is_none());
    Ok(())
}
