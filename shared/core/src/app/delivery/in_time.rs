//! What is delivered while its caller waits, and goes on when they have no more time.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use crate::{
    app::delivery::{Delivery, LEASE},
    domain::{
        error::Result,
        notification::{Notification, QueueState, Status, reason},
    },
    port::{Delivered, QueueRelease, RoomQueue},
};

/// No room queue has this version: who leaves it so makes it due.
const NO_VERSION: i64 = -1;

/// How often a caller whose notification waits for earlier ones looks whether it is delivered.
const LOOK_AGAIN: Duration = Duration::from_millis(40);

/// A delivery that goes on in a task of its own.
type RunningDelivery = JoinHandle<Result<Notification>>;

/// A delivery in its caller's time and task: another task would cost the caller a wake-up. It goes on in one when it is
/// dropped before its end.
struct UnderWay {
    delivery: Arc<Delivery>,
    rest: Option<Pin<Box<dyn Future<Output = Result<Notification>> + Send>>>,
}

impl UnderWay {
    fn begin(delivery: &Arc<Delivery>, notification: Notification) -> Self {
        let own = delivery.clone();
        let rest = Box::pin(async move { own.deliver_for_caller(notification).await });
        Self { delivery: delivery.clone(), rest: Some(rest) }
    }
}

impl Future for UnderWay {
    type Output = Result<Notification>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(rest) = &mut self.rest else { return Poll::Pending };
        let outcome = ready!(rest.as_mut().poll(context));
        self.rest = None;
        Poll::Ready(outcome)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // Without a runtime the process is ending: a worker goes on.
        if let (Some(rest), Ok(_)) = (self.rest.take(), Handle::try_current()) {
            self.delivery.background.spawn(rest);
        }
    }
}

impl Delivery {
    /// Delivers a notification that was just stored, as far as that is possible while its caller waits.
    pub(crate) async fn deliver_in_time(
        self: &Arc<Self>,
        notification: Notification,
        place: QueueState,
        wait: Duration,
    ) -> Notification {
        let deadline = Instant::now() + wait;
        let held = notification.reason.is_some();
        match place {
            _ if held || wait.is_zero() => notification,
            QueueState::BackingOff => notification,
            QueueState::Free => self.deliver_until(deadline, notification).await,
            QueueState::Queued => match timeout_at(deadline, self.watch(notification.clone())).await {
                Ok(Ok(delivered)) => delivered,
                // It is stored; what failed is only telling how far it got.
                Ok(Err(_)) | Err(_) => notification,
            },
        }
    }

    /// Delivers it as long as the caller waits. The delivery goes on when the caller has no more time or is gone: a
    /// homeserver that is hung up on may have stored the message, and not yet the transaction id that keeps it from being
    /// stored twice.
    async fn deliver_until(self: &Arc<Self>, deadline: Instant, notification: Notification) -> Notification {
        let mut delivery = UnderWay::begin(self, notification.clone());
        match timeout_at(deadline, &mut delivery).await {
            Ok(Ok(delivered)) => delivered,
            Ok(Err(error)) => {
                tracing::warn!(id = %notification.id, error = &error as &dyn std::error::Error, "delivery goes on in the background");
                notification
            }
            Err(_elapsed) => self.leave_running(self.background.spawn(delivery), notification).await,
        }
    }

    /// The caller's time is over. The room queue rests while the delivery that is under way may still succeed; when it does,
    /// the room queue goes on at once.
    async fn leave_running(&self, delivery: RunningDelivery, notification: Notification) -> Notification {
        let reason = reason::HOMESERVER_UNAVAILABLE;
        if let Err(error) = self.outbox.postpone(&notification, LEASE, reason).await {
            tracing::warn!(id = %notification.id, error = &error as &dyn std::error::Error, "a slow delivery is not noted");
        }
        let outbox = self.outbox.clone();
        let queue = RoomQueue { name: notification.key().to_string(), version: NO_VERSION };
        self.background.spawn(async move {
            if let Ok(Ok(delivered)) = delivery.await
                && delivered.status == Status::Sent
                && let Err(error) = outbox.release(&queue, QueueRelease::Drained).await
            {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "room queue {} goes on after its backoff",
                    queue.name
                );
            }
        });
        let attempts = notification.attempts + 1;
        Notification { reason: Some(reason.to_owned()), attempts, in_flight: None, ..notification }
    }

    /// Tries once, for a caller who waits: they are answered as soon as the homeserver has it. That it is sent is stored
    /// afterwards.
    async fn deliver_for_caller(self: &Arc<Self>, notification: Notification) -> Result<Notification> {
        let (room, event) = match self.attempt(&notification).await {
            Ok(sent) => sent,
            Err(error) => return self.not_sent(notification, error).await,
        };
        self.remember_sent(Delivered { id: notification.id, room: room.clone(), event: event.clone() });
        Ok(notification.sent(room, event))
    }

    /// Waits until somebody else has delivered it.
    async fn watch(&self, notification: Notification) -> Result<Notification> {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            match self.notifications.find(notification.tenant, notification.id).await? {
                Some(now) if now.status != Status::Pending || now.attempts > 0 => return Ok(now),
                Some(_) => {}
                None => return Ok(notification),
            }
        }
    }
}
