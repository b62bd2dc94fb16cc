//! Stores the status of sent notifications in the background, several with one statement.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    app::delivery::Delivery,
    domain::notification::{Notification, Status},
    port::Delivered,
};

/// The time in which further sent notifications join a batch. Shorter than the wait budget of any caller.
const BATCH_DELAY: Duration = Duration::from_millis(20);

impl Delivery {
    /// Has the status of a sent notification stored soon.
    ///
    /// If storing fails, a worker sends the notification again under the same transaction id, which has no
    /// effect on the homeserver.
    pub(crate) fn remember_sent(self: &Arc<Self>, delivered: Delivered) {
        if !self.sent.put(delivered) {
            return;
        }
        let delivery = Arc::clone(self);
        self.background.spawn(async move {
            sleep(BATCH_DELAY).await;
            delivery.store_sent().await;
        });
    }

    /// Stores the status of the current batch. A worker that finds one of them pending leaves its room queue
    /// for a while.
    pub(crate) async fn store_sent(&self) {
        let delivered = self.sent.take();
        if delivered.is_empty() {
            return;
        }
        if let Err(error) = self.outbox.sent(&delivered).await {
            let (count, error): (_, &dyn std::error::Error) = (delivered.len(), &error);
            tracing::warn!(
                count,
                error,
                "storing the status of sent notifications failed: a worker sends them again"
            );
        }
    }

    /// Returns a stored notification with the result of a delivery by this process that is not stored yet.
    pub(crate) fn with_unstored_result(&self, stored: Notification) -> Notification {
        match self.sent.get(stored.id) {
            Some(Delivered { room, event, .. }) if stored.status == Status::Pending => {
                stored.sent(room, event)
            }
            _ => stored,
        }
    }
}
