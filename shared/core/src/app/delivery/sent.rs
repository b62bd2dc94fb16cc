//! What was sent for a caller and is not stored as sent yet. Several are stored at once: it costs the database as much as
//! one, and nobody waits for it.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    app::delivery::Delivery,
    domain::notification::{Notification, Status},
    port::Delivered,
};

/// How long others are waited for that are stored along. Shorter than any caller's patience.
const GATHERING: Duration = Duration::from_millis(20);

impl Delivery {
    /// Sees to it that it is stored soon. If that fails it is sent once more, under the same transaction id, and the
    /// homeserver does nothing.
    pub(crate) fn remember_sent(self: &Arc<Self>, delivered: Delivered) {
        if !self.sent.put(delivered) {
            return;
        }
        let delivery = Arc::clone(self);
        self.background.spawn(async move {
            sleep(GATHERING).await;
            delivery.store_sent().await;
        });
    }

    /// Stores what was sent, if something is not stored yet: a worker that finds it pending leaves its room queue for a while.
    pub(crate) async fn store_sent(&self) {
        let delivered = self.sent.take();
        if delivered.is_empty() {
            return;
        }
        if let Err(error) = self.outbox.sent(&delivered).await {
            let (count, error): (_, &dyn std::error::Error) = (delivered.len(), &error);
            tracing::warn!(count, error, "what was sent is not stored: a worker sends it again");
        }
    }

    /// A notification as it is: what this process has just sent may not be stored yet.
    pub(crate) fn as_it_is(&self, stored: Notification) -> Notification {
        match self.sent.get(stored.id) {
            Some(Delivered { room, event, .. }) if stored.status == Status::Pending => {
                stored.sent(room, event)
            }
            _ => stored,
        }
    }
}
