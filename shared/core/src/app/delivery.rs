//! Delivers stored notifications to their rooms: while the caller waits, or later by the worker.
//!
//! The worker delivers in the order of the room queue. Each notification is delivered once, also after a
//! crash.

mod failures;
mod in_time;
mod sent;
mod spans;

use std::{sync::Arc, time::Duration};

use rand::Rng;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::{
    app::{
        delivery::failures::DeliveryFailures, room_registry::RoomRegistry, transaction_ids::TransactionIds,
    },
    domain::{
        error::{Error, Failure, Result},
        event::payload::{self, EventPayload},
        id::{EventId, RoomId},
        matrix_ids::MatrixIds,
        notification::{Notification, Status, Target, reason},
        rendering,
        room::{encrypted, is_account_taken, room_closed},
    },
    live::sent_buffer::SentBuffer,
    port::{self, Delivered, Ports, QueueRelease, RoomQueue},
};

/// The lease of a worker on a room queue. Each reading of the queue renews it.
const LEASE: Duration = Duration::from_secs(30);

/// The time after which the queue is read again before the next notification, so that the lease lasts longer
/// than the homeserver may take for a message.
const RENEW_AFTER: Duration = Duration::from_secs(10);

/// The most notifications that are read from a room queue at once.
const BATCH: i64 = 8;

/// The delay after the first failure; it doubles with each further one.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

/// The longest delay.
const BACKOFF_MAX: Duration = Duration::from_mins(5);

/// The longest delay of a room queue while its first notification is in flight. Such a call usually ends
/// soon.
const IN_FLIGHT_DELAY_MAX: Duration = Duration::from_millis(100);

/// The most held notifications that are announced at once.
const HELD_BATCH: i64 = 1000;

/// The most rooms that one attempt tries, because an administrator closes them one after the other.
const ROOMS_MAX: usize = 3;

/// The next step with a room queue.
enum DrainStep {
    /// Read the next notifications: there may be more.
    Continue,
    /// Release the queue.
    Release(QueueRelease),
    /// Stop: the queue is already backing off after a failure.
    BackingOff,
}

/// The engine that delivers notifications.
pub struct Delivery {
    outbox: Arc<dyn port::Outbox>,
    notifications: Arc<dyn port::Notifications>,
    users: Arc<dyn port::Users>,
    timeline: Arc<dyn port::Timeline>,
    clock: Arc<dyn port::Clock>,
    tracing: Arc<dyn port::Tracing>,
    registry: Arc<RoomRegistry>,
    transactions: Arc<TransactionIds>,
    ids: Arc<MatrixIds>,
    background: TaskTracker,
    sent: SentBuffer,
    failures: DeliveryFailures,
}

impl Delivery {
    pub(crate) fn new(
        ports: &Ports,
        registry: &Arc<RoomRegistry>,
        transactions: &Arc<TransactionIds>,
        ids: &Arc<MatrixIds>,
        background: &TaskTracker,
    ) -> Self {
        Self {
            outbox: ports.outbox.clone(),
            notifications: ports.notifications.clone(),
            users: ports.users.clone(),
            timeline: ports.timeline.clone(),
            clock: ports.clock.clone(),
            tracing: ports.tracing.clone(),
            registry: registry.clone(),
            transactions: transactions.clone(),
            ids: ids.clone(),
            background: background.clone(),
            sent: SentBuffer::new(),
            failures: DeliveryFailures::default(),
        }
    }

    /// Returns each reason (see [`reason`]) with the number of attempts of this process that failed for it so
    /// far.
    pub fn failures(&self) -> Vec<(&'static str, u64)> {
        self.failures.counts()
    }

    /// Claims the next room queue that is due, for [`drain`](Self::drain). Returns `None` if none is due.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn claim_queue(&self) -> Result<Option<RoomQueue>> {
        self.outbox.claim(LEASE).await
    }

    /// Claims and drains the next room queue that is due, one after the other as in tests. Returns `false` if
    /// none is due.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn deliver_due(&self) -> Result<bool> {
        let Some(queue) = self.claim_queue().await? else { return Ok(false) };
        self.drain(&queue).await?;
        Ok(true)
    }

    /// Delivers the pending notifications of a claimed room queue in order, and releases the queue.
    ///
    /// If this fails, the queue stays leased until its lease ends.
    pub async fn drain(&self, queue: &RoomQueue) -> Result<()> {
        loop {
            let pending = self.outbox.pending(queue, LEASE, BATCH).await?;
            match self.deliver_in_order(queue, pending).await? {
                DrainStep::Continue => {}
                DrainStep::Release(release) => return self.outbox.release(queue, release).await,
                DrainStep::BackingOff => return Ok(()),
            }
        }
    }

    /// Delivers the pending notifications until one of them stops the queue.
    async fn deliver_in_order(&self, queue: &RoomQueue, pending: Vec<Notification>) -> Result<DrainStep> {
        if pending.is_empty() {
            return Ok(DrainStep::Release(QueueRelease::Drained));
        }
        let read_at = Instant::now();
        for notification in pending {
            if read_at.elapsed() >= RENEW_AFTER {
                return Ok(DrainStep::Continue);
            }
            if let Some(remaining) = notification.in_flight {
                // The call that accepted it is still sending it, and later ones must not overtake it.
                return Ok(DrainStep::Release(QueueRelease::RetryAfter(remaining.min(IN_FLIGHT_DELAY_MAX))));
            }
            if let Target::Dm(user) = &notification.draft.target
                && self.users.find(notification.tenant, user).await?.is_none()
            {
                return Ok(DrainStep::Release(QueueRelease::UntilSignIn));
            }
            if !notification.announced {
                self.announce(queue).await?;
                // Only an announced notification keeps its recipient, so the queue is read again.
                return Ok(DrainStep::Continue);
            }
            let span = Self::log_span(&notification);
            if self.deliver(notification).instrument(span).await?.status == Status::Pending {
                return Ok(DrainStep::BackingOff);
            }
        }
        Ok(DrainStep::Continue)
    }

    /// Publishes the live events of the held notifications of a queue, at most [`HELD_BATCH`] at once, before
    /// the first one is sent to the homeserver. Repeating it changes nothing.
    async fn announce(&self, queue: &RoomQueue) -> Result<()> {
        for held in self.outbox.pending(queue, LEASE, HELD_BATCH).await?.iter().filter(|one| !one.announced) {
            let payload = payload::Notification::of(&held.draft, held.room.as_ref());
            let payload = EventPayload::Notification(payload).serialise()?;
            self.outbox.announce(held, &payload).await?;
        }
        Ok(())
    }

    /// Makes one attempt, and stores its result.
    async fn deliver(&self, notification: Notification) -> Result<Notification> {
        loop {
            match self.traced_attempt(&notification).await {
                Ok((room, event)) => {
                    let delivered =
                        Delivered { id: notification.id, room: room.clone(), event: event.clone() };
                    if self.outbox.sent(&[delivered]).await?.is_empty() {
                        return Ok(notification.sent(room, event));
                    }
                    // No reader sees the message: the next attempt goes to the next room of the key.
                    self.registry.note_closed(&room);
                }
                Err(error) => return self.record_failure(notification, error).await,
            }
        }
    }

    /// Stores that an attempt failed: the notification is tried again later, or rejected for good.
    async fn record_failure(&self, notification: Notification, error: Error) -> Result<Notification> {
        match error {
            // The database failed, so nothing can be stored. The lease or the wait budget ends by itself.
            error if error.failure().is_some() && !homeserver_failed(&error) => Err(error),
            // The recipient has left the tenant (`attempt`, `Accounts::ensure`): the worker holds the
            // notification until their return.
            error @ Error::NotFound(_) => self.postpone(notification, &error).await,
            error if error.is_transient() || is_account_taken(&error) => {
                self.postpone(notification, &error).await
            }
            error => {
                tracing::error!(
                    id = %notification.id,
                    error = &error as &dyn std::error::Error,
                    "notification rejected by the homeserver"
                );
                let reason = match error.code() {
                    reason::ROOM_ENCRYPTED => reason::ROOM_ENCRYPTED,
                    _ => reason::REFUSED_BY_HOMESERVER,
                };
                self.failures.count(reason);
                self.outbox.failed(notification.id, reason, &error.to_string()).await?;
                let reason = Some(reason.to_owned());
                Ok(Notification { status: Status::Failed, reason, next_attempt_at: None, ..notification })
            }
        }
    }

    /// Makes a notification due again after a delay, and stores the reason.
    async fn postpone(&self, notification: Notification, error: &Error) -> Result<Notification> {
        let delay = match error.failure() {
            Some(Failure::Limited(delay)) => delay.min(BACKOFF_MAX),
            _ => backoff(notification.attempts),
        };
        let reason = match error.failure() {
            None if matches!(error, Error::NotFound(_)) => reason::RECIPIENT_NOT_PROVISIONED,
            None if is_account_taken(error) => reason::MATRIX_ACCOUNT_TAKEN,
            Some(Failure::Unreachable | Failure::TimedOut | Failure::Limited(_)) => {
                reason::HOMESERVER_UNAVAILABLE
            }
            None if matches!(error, Error::Internal { .. }) => reason::INTERNAL_ERROR,
            _ => reason::HOMESERVER_ERROR,
        };
        self.failures.count(reason);
        tracing::warn!(
            id = %notification.id,
            ?delay,
            error = error as &(dyn std::error::Error + 'static),
            "delivery of a notification postponed"
        );
        self.outbox.postpone(&notification, delay, reason, &error.to_string()).await?;
        Ok(Notification {
            reason: Some(reason.to_owned()),
            attempts: notification.attempts + 1,
            next_attempt_at: self.clock.now().checked_add(delay).ok(),
            ..notification
        })
    }

    /// Sends a notification to its room, and returns the room and the Matrix event id.
    ///
    /// If an administrator closes the room meanwhile, the notification goes to the next room of its key.
    async fn attempt(&self, notification: &Notification) -> Result<(RoomId, EventId)> {
        let key = notification.key();
        for _ in 0..ROOMS_MAX {
            let room = self.registry.find_or_create(&key).await?;
            match self.send_into(&room, notification).await {
                Ok(event) if !self.registry.is_known_closed(&room) => return Ok((room, event)),
                Err(error) if !self.registry.failed_as_closed(&room, &error).await? => return Err(error),
                Ok(_) | Err(_) => {
                    tracing::info!(id = %notification.id, %room, "room of a notification was closed");
                }
            }
        }
        Err(room_closed())
    }

    /// Sends a notification into a room, and returns the Matrix event id.
    async fn send_into(&self, room: &RoomId, notification: &Notification) -> Result<EventId> {
        if self.registry.is_encrypted(room) {
            return Err(encrypted());
        }
        let recipient = match &notification.draft.target {
            Target::Dm(user) => {
                let user =
                    self.users.find(notification.tenant, user).await?.ok_or(Error::NotFound("user"))?;
                self.registry.ensure_member(room, &user).await?;
                Some(self.ids.of(&user))
            }
            _ => None,
        };
        let content = rendering::content(notification.id, &notification.draft, recipient.as_ref());
        let transaction = self.transactions.of_notification(notification.id, room).await?;
        self.timeline.send(room, &transaction, &content).await
    }
}

/// Returns whether the homeserver failed.
fn homeserver_failed(error: &Error) -> bool {
    matches!(error, Error::Fault(fault) if fault.system == crate::error::System::Homeserver)
}

/// Returns an exponential delay with jitter, so that room queues that failed together are not retried
/// together.
fn backoff(attempts: i32) -> Duration {
    let doubled = BACKOFF_FIRST.saturating_mul(1 << attempts.clamp(0, 20));
    doubled.min(BACKOFF_MAX).mul_f64(rand::rng().random_range(0.75..=1.0))
}
