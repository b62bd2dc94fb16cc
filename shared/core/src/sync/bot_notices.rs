//! Notices that the bot posts in rooms.

use std::sync::Arc;

use crate::{
    app::transaction_ids::TransactionIds,
    domain::{
        error::{Failure, Result},
        id::RoomId,
        notices,
    },
    port::{self, Ports},
};

/// The engine that posts notices as the bot.
pub struct BotNotices {
    timeline: Arc<dyn port::Timeline>,
    transactions: Arc<TransactionIds>,
}

impl BotNotices {
    pub(crate) fn new(ports: &Ports, transactions: &Arc<TransactionIds>) -> Self {
        Self { timeline: ports.timeline.clone(), transactions: transactions.clone() }
    }

    /// Posts a notice as the bot, once for each `kind`. A homeserver that rejects it causes no error.
    pub(crate) async fn post(&self, room: &RoomId, kind: &str, text: &str) -> Result<()> {
        let transaction = self.transactions.of_notice(room, kind).await?;
        match self.timeline.send(room, &transaction, &notices::content(text)).await {
            Err(error) if error.failure() == Some(Failure::Rejected) => {
                let error: &dyn std::error::Error = &error;
                tracing::info!(%room, error, "homeserver rejected a notice of the bot");
                Ok(())
            }
            result => result.map(drop),
        }
    }
}
