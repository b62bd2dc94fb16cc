//! Whispers in memory.

use async_trait::async_trait;
use futures::stream::BoxStream;
use messenger_core::{Result, port::Whispers, whisper::Whisper};

use super::Memory;

#[async_trait]
impl Whispers for Memory {
    async fn whisper(&self, whispers: &[Whisper]) -> Result<()> {
        let listeners = &self.shared.whispers;
        self.act("whispering", |_| whispers.iter().cloned().for_each(|whisper| listeners.tell(whisper))).await
    }

    fn listen(&self) -> BoxStream<'static, Whisper> {
        self.shared.whispers.listen()
    }
}
