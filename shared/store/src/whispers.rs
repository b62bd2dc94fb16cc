//! Whispers between processes, by `NOTIFY` on a channel of their own. No table holds them, and a commit that changes
//! none is not waited for by the disk.

use async_trait::async_trait;
use futures::stream::BoxStream;
use messenger_core::{Result, port::Whispers, whisper::Whisper};

use crate::PgStore;

const WHISPER: &str = "select pg_notify('whispers', whisper) from unnest($1::text[]) as whisper";

#[async_trait]
impl Whispers for PgStore {
    async fn whisper(&self, whispers: &[Whisper]) -> Result<()> {
        let texts: Vec<_> = whispers.iter().map(Whisper::to_string).collect();
        self.database.execute("whispering", WHISPER, &[&texts]).await.map(drop)
    }

    fn listen(&self) -> BoxStream<'static, Whisper> {
        self.signals.whispers()
    }
}
