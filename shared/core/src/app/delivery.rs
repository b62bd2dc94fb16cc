//! Delivers stored notifications and the messages of alarms to their rooms: while the caller waits, or later by the
//! worker.
//!
//! The worker delivers in the order of the room queue. Each notification is delivered once, also after a
//! crash.

mod alarms;
mod failed_attempt;
mod failures;
mod in_time;
mod queue_entry;
mod sent;
mod spans;

use std::{sync::Arc, time::Duration};

use rand::Rng;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::{
    app::{
        delivery::{
            failed_attempt::{BACKOFF_MAX, Consequence},
            failures::DeliveryFailures,
            queue_entry::{AlarmDelivery, QueueEntry},
        },
        room_registry::RoomRegistry,
        transaction_ids::TransactionIds,
    },
    domain::{
        error::{Error, Result},
        event::payload::{self, EventPayload},
        id::{EventId, MatrixUserId, RoomId, TenantId},
        matrix_ids::MatrixIds,
        notification::{Draft, Notification, Status},
        rendering,
        room::{encrypted, room_closed},
        settings::MessengerSettings,
    },
    live::sent_buffer::SentBuffer,
    port::{self, Delivered, Ports, QueueRelease, RoomQueue},
};

/// The lease of a worker on a room queue. Each reading of the queue renews it.
const LEASE: Duration = Duration::from_secs(30);

/// The time after which the queue is read again before the next notification, so that the lease lasts longer
/// than the homeserver may take for a message.
const RENEW_AFTER: Duration = Duration::from_secs(10);

/// The most entries that are read from a room queue at once.
const BATCH: usize = 8;

/// The delay after the first failure; it doubles with each further one.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

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
    alarm_outbox: Arc<dyn port::AlarmOutbox>,
    notifications: Arc<dyn port::Notifications>,
    users: Arc<dyn port::Users>,
    timeline: Arc<dyn port::Timeline>,
    relations: Arc<dyn port::Relations>,
    clock: Arc<dyn port::Clock>,
    tracing: Arc<dyn port::Tracing>,
    registry: Arc<RoomRegistry>,
    transactions: Arc<TransactionIds>,
    ids: Arc<MatrixIds>,
    settings: Arc<MessengerSettings>,
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
        settings: &Arc<MessengerSettings>,
        background: &TaskTracker,
    ) -> Self {
        Self {
            outbox: ports.outbox.clone(),
            alarm_outbox: ports.alarm_outbox.clone(),
            notifications: ports.notifications.clone(),
            users: ports.users.clone(),
            timeline: ports.timeline.clone(),
            relations: ports.relations.clone(),
            clock: ports.clock.clone(),
            tracing: ports.tracing.clone(),
            registry: registry.clone(),
            transactions: transactions.clone(),
            ids: ids.clone(),
            settings: settings.clone(),
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

    /// Delivers the entries of a claimed room queue in order, and releases the queue.
    ///
    /// If this fails, the queue stays leased until its lease ends.
    pub async fn drain(&self, queue: &RoomQueue) -> Result<()> {
        loop {
            match self.deliver_in_order(queue, self.first_entries(queue).await?).await? {
                DrainStep::Continue => {}
                DrainStep::Release(release) => return self.outbox.release(queue, release).await,
                DrainStep::BackingOff => return Ok(()),
            }
        }
    }

    /// Returns the first entries of a room queue, and renews its lease.
    async fn first_entries(&self, queue: &RoomQueue) -> Result<Vec<QueueEntry>> {
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let notifications = self.outbox.pending(queue, LEASE, limit).await?;
        let alarms =
            if queue.has_alarms { self.alarm_outbox.due_messages(queue, limit).await? } else { Vec::new() };
        Ok(QueueEntry::in_order(notifications, alarms, BATCH))
    }

    /// Delivers the entries until one of them stops the queue.
    async fn deliver_in_order(&self, queue: &RoomQueue, entries: Vec<QueueEntry>) -> Result<DrainStep> {
        if entries.is_empty() {
            return Ok(DrainStep::Release(QueueRelease::Drained));
        }
        let read_at = Instant::now();
        for entry in entries {
            if read_at.elapsed() >= RENEW_AFTER {
                return Ok(DrainStep::Continue);
            }
            let stop = match entry {
                QueueEntry::Notification(notification) => self.deliver_next(queue, *notification).await?,
                QueueEntry::Alarm(message) => match self.deliver_alarm(queue, &message).await? {
                    AlarmDelivery::Done => None,
                    AlarmDelivery::Outdated => Some(DrainStep::Continue),
                    AlarmDelivery::UntilSignIn => Some(DrainStep::Release(QueueRelease::UntilSignIn)),
                    AlarmDelivery::BackingOff => Some(DrainStep::BackingOff),
                },
            };
            if let Some(stop) = stop {
                return Ok(stop);
            }
        }
        Ok(DrainStep::Continue)
    }

    /// Delivers the next notification. Returns the next step if it stops the queue.
    async fn deliver_next(&self, queue: &RoomQueue, notification: Notification) -> Result<Option<DrainStep>> {
        if let Some(remaining) = notification.in_flight {
            // The call that accepted it is still sending it, and later ones must not overtake it.
            let retry = QueueRelease::RetryAfter(remaining.min(IN_FLIGHT_DELAY_MAX));
            return Ok(Some(DrainStep::Release(retry)));
        }
        if let Some(user) = notification.draft.recipient()
            && self.users.find(notification.tenant, user).await?.is_none()
        {
            return Ok(Some(DrainStep::Release(QueueRelease::UntilSignIn)));
        }
        if !notification.announced {
            self.announce(queue).await?;
            // Only an announced notification keeps its recipient, so the queue is read again.
            return Ok(Some(DrainStep::Continue));
        }
        let span = Self::log_span(&notification);
        let status = self.deliver(notification).instrument(span).await?.status;
        Ok((status == Status::Pending).then_some(DrainStep::BackingOff))
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
        match Consequence::of(&error) {
            Consequence::Unstored => Err(error),
            Consequence::Postponed { reason, delay } => {
                let delay = delay.unwrap_or_else(|| backoff(notification.attempts));
                self.postpone(notification, delay, reason, &error).await
            }
            Consequence::Rejected { reason } => {
                tracing::error!(
                    id = %notification.id,
                    error = &error as &dyn std::error::Error,
                    "notification rejected by the homeserver"
                );
                self.failures.count(reason);
                self.outbox.failed(notification.id, reason, &error.to_string()).await?;
                let reason = Some(reason.to_owned());
                Ok(Notification { status: Status::Failed, reason, next_attempt_at: None, ..notification })
            }
        }
    }

    /// Makes a notification due again after a delay, and stores the reason.
    async fn postpone(
        &self,
        notification: Notification,
        delay: Duration,
        reason: &'static str,
        error: &Error,
    ) -> Result<Notification> {
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
        let recipient = self.recipient(notification.tenant, &notification.draft, room).await?;
        let content = rendering::content(notification.id, &notification.draft, recipient.as_ref());
        let transaction = self.transactions.of_notification(notification.id, room).await?;
        self.timeline.send(room, &transaction, &content).await
    }

    /// Returns the only reader of a direct message, as a member of its room; `None` for other targets.
    async fn recipient(
        &self,
        tenant: TenantId,
        draft: &Draft,
        room: &RoomId,
    ) -> Result<Option<MatrixUserId>> {
        let Some(user) = draft.recipient() else { return Ok(None) };
        let user = self.users.find(tenant, user).await?.ok_or(Error::NotFound("user"))?;
        self.registry.ensure_member(room, &user).await?;
        Ok(Some(self.ids.of(&user)))
    }
}

/// Returns an exponential delay with jitter, so that room queues that failed together are not retried
/// together.
fn backoff(attempts: i32) -> Duration {
    let doubled = BACKOFF_FIRST.saturating_mul(1 << attempts.clamp(0, 20));
    doubled.min(BACKOFF_MAX).mul_f64(rand::rng().random_range(0.75..=1.0))
}
