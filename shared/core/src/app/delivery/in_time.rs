//! Delivers a notification within its caller's wait budget. A delivery that takes longer continues in the
//! background.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};
use tracing::Instrument as _;

use crate::{
    app::delivery::Delivery,
    domain::{
        error::Result,
        notification::{Notification, QueueState, Status, reason},
    },
    port::Delivered,
};

/// The backoff of a room queue while a delivery that outlasted its caller's wait budget may still succeed.
const SLOW_DELIVERY_BACKOFF: Duration = Duration::from_secs(30);

/// The detail of a delivery that outlasted its caller's wait budget.
const SLOW_DELIVERY: &str = "the homeserver did not answer while the caller waited: it may still do so";

/// The interval at which a call checks whether its queued notification is delivered.
const STATUS_POLL: Duration = Duration::from_millis(40);

/// A delivery that continues in a task of its own.
type RunningDelivery = JoinHandle<Result<Notification>>;

/// A delivery in the task of its caller, since another task would cost the caller a wake-up.
///
/// If it is dropped before its end, it continues in a task of its own. The room queue does not back off in
/// the meantime: a worker may send the notification as well, under the same transaction id, of which the
/// homeserver makes one event.
struct InlineDelivery {
    delivery: Arc<Delivery>,
    future: Option<Pin<Box<dyn Future<Output = Result<Notification>> + Send>>>,
}

impl InlineDelivery {
    fn begin(delivery: &Arc<Delivery>, notification: Notification) -> Self {
        let own = delivery.clone();
        let span = Delivery::log_span(&notification);
        let future = Box::pin(async move { own.deliver_for_caller(notification).await }.instrument(span));
        Self { delivery: delivery.clone(), future: Some(future) }
    }
}

impl Future for InlineDelivery {
    type Output = Result<Notification>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // No caller polls it after its end.
        let Some(future) = &mut self.future else { return Poll::Pending };
        let outcome = ready!(future.as_mut().poll(context));
        self.future = None;
        Poll::Ready(outcome)
    }
}

impl Drop for InlineDelivery {
    fn drop(&mut self) {
        // Without a runtime the process is ending: a worker delivers the notification.
        if let (Some(future), Ok(_)) = (self.future.take(), Handle::try_current()) {
            self.delivery.background.spawn(future);
        }
    }
}

impl Delivery {
    /// Delivers a notification that was just stored, within the caller's wait budget. Returns its state then.
    pub(crate) async fn deliver_in_time(
        self: &Arc<Self>,
        notification: Notification,
        queue_state: QueueState,
        wait: Duration,
    ) -> Notification {
        let deadline = Instant::now() + wait;
        let is_held = notification.reason.as_deref() == Some(reason::RECIPIENT_NOT_PROVISIONED);
        match queue_state {
            _ if is_held || wait.is_zero() => notification,
            QueueState::BackingOff => notification,
            QueueState::Free => self.deliver_until(deadline, notification).await,
            QueueState::Queued => match timeout_at(deadline, self.watch(notification.clone())).await {
                Ok(Ok(delivered)) => delivered,
                // It is stored; only its state is not known.
                Ok(Err(_)) | Err(_) => notification,
            },
        }
    }

    /// Waits until the message of the episode that begins with a notification is delivered, within the caller's
    /// wait budget. A worker delivers it.
    pub(crate) async fn wait_for_root(
        &self,
        notification: Notification,
        queue_state: QueueState,
        wait: Duration,
    ) -> Notification {
        let is_held = notification.reason.as_deref() == Some(reason::RECIPIENT_NOT_PROVISIONED);
        if is_held || wait.is_zero() || queue_state == QueueState::BackingOff {
            return notification;
        }
        match timeout(wait, self.watch(notification.clone())).await {
            Ok(Ok(delivered)) => delivered,
            // It is stored; only its state is not known.
            Ok(Err(_)) | Err(_) => notification,
        }
    }

    /// Delivers a notification until the deadline of the caller.
    ///
    /// The delivery continues after the deadline, and if the caller is gone. A homeserver whose connection is
    /// closed in the middle may have stored the message, but not yet the transaction id that prevents a
    /// duplicate.
    async fn deliver_until(self: &Arc<Self>, deadline: Instant, notification: Notification) -> Notification {
        let mut delivery = InlineDelivery::begin(self, notification.clone());
        match timeout_at(deadline, &mut delivery).await {
            Ok(Ok(delivered)) => delivered,
            Ok(Err(error)) => {
                tracing::warn!(
                    id = %notification.id,
                    error = &error as &dyn std::error::Error,
                    "delivery failed within the wait budget: a worker repeats it"
                );
                notification
            }
            Err(_elapsed) => self.leave_running(self.background.spawn(delivery), notification).await,
        }
    }

    /// Returns the pending notification to its caller while the delivery continues in the background.
    ///
    /// The room queue backs off while that delivery may still succeed. If it succeeds, the queue becomes due
    /// at once.
    async fn leave_running(&self, delivery: RunningDelivery, notification: Notification) -> Notification {
        let reason = reason::HOMESERVER_UNAVAILABLE;
        if let Err(error) =
            self.outbox.postpone(&notification, SLOW_DELIVERY_BACKOFF, reason, SLOW_DELIVERY).await
        {
            tracing::warn!(
                id = %notification.id,
                error = &error as &dyn std::error::Error,
                "storing that a delivery is slow failed"
            );
        }
        let outbox = self.outbox.clone();
        let queue = notification.key().to_string();
        self.background.spawn(async move {
            if let Ok(Ok(delivered)) = delivery.await
                && delivered.status == Status::Sent
                && let Err(error) = outbox.retry_queue(&queue).await
            {
                tracing::debug!(
                    queue,
                    error = &error as &dyn std::error::Error,
                    "retrying a room queue failed: it continues after its backoff"
                );
            }
        });
        let attempts = notification.attempts + 1;
        Notification { reason: Some(reason.to_owned()), attempts, in_flight: None, ..notification }
    }

    /// Makes one attempt for a waiting caller, and returns as soon as the homeserver has the message. The
    /// status is stored afterwards.
    async fn deliver_for_caller(self: &Arc<Self>, notification: Notification) -> Result<Notification> {
        let (room, event) = match self.traced_attempt(&notification).await {
            Ok(sent) => sent,
            Err(error) => return self.record_failure(notification, error).await,
        };
        self.remember_sent(Delivered { id: notification.id, room: room.clone(), event: event.clone() });
        Ok(notification.sent(room, event))
    }

    /// Waits until a worker or another call has tried to deliver a notification, and returns it.
    async fn watch(&self, notification: Notification) -> Result<Notification> {
        loop {
            tokio::time::sleep(STATUS_POLL).await;
            match self.notifications.find(notification.tenant, notification.id).await? {
                Some(stored) if stored.status != Status::Pending || stored.attempts > 0 => return Ok(stored),
                Some(_) => {}
                None => return Ok(notification),
            }
        }
    }
}
