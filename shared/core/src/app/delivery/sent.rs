//! Stores the status of sent notifications in the background, several with one statement.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    app::delivery::Delivery,
    domain::{
        id::NotificationId,
        notification::{Notification, Status},
    },
    port::Delivered,
};

/// The time in which further sent notifications join a batch. Shorter than the wait budget of any caller.
const BATCH_DELAY: Duration = Duration::from_millis(20);

impl Delivery {
    /// Adds a sent notification to the batch whose status is stored soon.
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
    pub async fn store_sent(&self) {
        let delivered = self.sent.take();
        if delivered.is_empty() {
            return;
        }
        match self.outbox.sent(&delivered).await {
            Ok(lost) if lost.is_empty() => {}
            Ok(lost) => self.forget_sent(&delivered, &lost),
            Err(error) => {
                let (count, error): (_, &dyn std::error::Error) = (delivered.len(), &error);
                tracing::warn!(
                    count,
                    error,
                    "storing the status of sent notifications failed: a worker sends them again"
                );
            }
        }
    }

    /// Forgets messages whose room was closed meanwhile: they are pending, and a worker sends them into the next
    /// room of their key.
    fn forget_sent(&self, delivered: &[Delivered], lost: &[NotificationId]) {
        for Delivered { id, room, .. } in delivered.iter().filter(|one| lost.contains(&one.id)) {
            tracing::info!(%id, %room, "room of a sent notification was closed: a worker sends it again");
            self.registry.note_closed(room);
            self.sent.forget(*id);
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
