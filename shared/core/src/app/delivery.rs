//! Delivery of a stored notification to its room: while its caller waits, or later by the worker, in the order of its
//! room queue, and once whatever crashes in between.

mod in_time;
mod sent;

use std::{sync::Arc, time::Duration};

use rand::Rng;
use tokio_util::task::TaskTracker;

use crate::{
    app::{room_registry::RoomRegistry, transaction_ids::TransactionIds},
    domain::{
        error::{Error, Failure, Result},
        id::{EventId, MatrixUserId, RoomId},
        matrix_ids::MatrixIds,
        notification::{Notification, Status, Target, reason},
        rendering,
        room::{encrypted, is_account_taken},
        user::User,
    },
    live::sent_buffer::SentBuffer,
    port::{self, Delivered, Ports, QueueRelease, RoomQueue},
};

/// How long a worker may be silent before another may take its room queue. Longer than the homeserver may take for a message.
const LEASE: Duration = Duration::from_secs(30);

/// How many entries of a room queue are read at once.
const BATCH: i64 = 8;

/// The delay after the first failure; it doubles with each further one.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

/// The longest delay.
const BACKOFF_MAX: Duration = Duration::from_mins(5);

/// How long a room queue rests at the most while a sender is still at its first entry: usually it is done soon.
const SENDER_AT_IT: Duration = Duration::from_millis(100);

/// How many held notifications are announced at once.
const HELD_AT_ONCE: i64 = 1000;

/// How it goes on with a room queue.
enum DrainStep {
    /// There may be more.
    GoOn,
    /// It is to be left.
    Leave(QueueRelease),
    /// It rests already, after a failure.
    Resting,
}

/// Delivers notifications.
pub struct Delivery {
    outbox: Arc<dyn port::Outbox>,
    notifications: Arc<dyn port::Notifications>,
    users: Arc<dyn port::Users>,
    memberships: Arc<dyn port::Memberships>,
    messages: Arc<dyn port::Messages>,
    homeserver: Arc<dyn port::Homeserver>,
    clock: Arc<dyn port::Clock>,
    registry: Arc<RoomRegistry>,
    transactions: Arc<TransactionIds>,
    ids: Arc<MatrixIds>,
    background: TaskTracker,
    sent: SentBuffer,
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
            memberships: ports.memberships.clone(),
            messages: ports.messages.clone(),
            homeserver: ports.homeserver.clone(),
            clock: ports.clock.clone(),
            registry: registry.clone(),
            transactions: transactions.clone(),
            ids: ids.clone(),
            background: background.clone(),
            sent: SentBuffer::new(),
        }
    }

    /// Claims the next room queue that is due, to be [drained](Self::drain).
    pub async fn claim_queue(&self) -> Result<Option<RoomQueue>> {
        self.outbox.claim(LEASE).await
    }

    /// Claims and drains the next room queue that is due. `false` if there is none.
    pub async fn deliver_due(&self) -> Result<bool> {
        let Some(queue) = self.claim_queue().await? else { return Ok(false) };
        self.drain(&queue).await?;
        Ok(true)
    }

    /// Delivers what is pending in a claimed room queue, in order, and leaves it. A failure leaves the room queue to the end of
    /// its lease.
    pub async fn drain(&self, queue: &RoomQueue) -> Result<()> {
        loop {
            let pending = self.outbox.pending(queue, LEASE, BATCH).await?;
            match self.deliver_in_order(queue, pending).await? {
                DrainStep::GoOn => {}
                DrainStep::Leave(rest) => return self.outbox.release(queue, rest).await,
                DrainStep::Resting => return Ok(()),
            }
        }
    }

    async fn deliver_in_order(&self, queue: &RoomQueue, pending: Vec<Notification>) -> Result<DrainStep> {
        if pending.is_empty() {
            return Ok(DrainStep::Leave(QueueRelease::Drained));
        }
        for notification in pending {
            if let Some(left) = notification.in_flight {
                // Its sender is still at it, and nothing after it may overtake it.
                return Ok(DrainStep::Leave(QueueRelease::RetryAfter(left.min(SENDER_AT_IT))));
            }
            if let Target::Dm(user) = &notification.draft.target
                && self.users.find(notification.tenant, user).await?.is_none()
            {
                return Ok(DrainStep::Leave(QueueRelease::UntilSignIn));
            }
            if !notification.announced {
                self.announce(queue).await?;
            }
            if self.deliver(notification).await?.status == Status::Pending {
                return Ok(DrainStep::Resting);
            }
        }
        Ok(DrainStep::GoOn)
    }

    /// Tells live what was held, all of it before any of it needs the homeserver.
    async fn announce(&self, queue: &RoomQueue) -> Result<()> {
        for held in self.outbox.pending(queue, LEASE, HELD_AT_ONCE).await?.iter().filter(|one| !one.announced)
        {
            let payload = held.draft.payload(held.room.as_ref())?;
            self.outbox.announce(held, &payload).await?;
        }
        Ok(())
    }

    /// Tries once, and stores what came of it.
    async fn deliver(&self, notification: Notification) -> Result<Notification> {
        match self.attempt(&notification).await {
            Ok((room, event)) => {
                let delivered = Delivered { id: notification.id, room: room.clone(), event: event.clone() };
                self.outbox.sent(&[delivered]).await?;
                Ok(notification.sent(room, event))
            }
            Err(error) => self.not_sent(notification, error).await,
        }
    }

    async fn not_sent(&self, notification: Notification, error: Error) -> Result<Notification> {
        match error {
            // Our own database fails: nothing can be stored about it, and the lease or the budget runs out by itself.
            error if error.failure().is_some() && !is_homeserver(&error) => Err(error),
            // The recipient has left the tenant since: it waits for their return.
            error @ Error::NotFound(_) => self.postpone(notification, &error).await,
            error if error.is_transient() || is_account_taken(&error) => {
                self.postpone(notification, &error).await
            }
            error => {
                tracing::error!(id = %notification.id, error = &error as &dyn std::error::Error, "notification rejected by the homeserver");
                let reason = match error.code() {
                    reason::ROOM_ENCRYPTED => reason::ROOM_ENCRYPTED,
                    _ => reason::REFUSED_BY_HOMESERVER,
                };
                self.outbox.failed(notification.id, reason).await?;
                let reason = Some(reason.to_owned());
                Ok(Notification { status: Status::Failed, reason, next_attempt_at: None, ..notification })
            }
        }
    }

    async fn postpone(&self, notification: Notification, error: &Error) -> Result<Notification> {
        let delay = match error.failure() {
            Some(Failure::Limited(delay)) => delay.min(BACKOFF_MAX),
            _ => backoff(notification.attempts),
        };
        let why = match error.failure() {
            None if matches!(error, Error::NotFound(_)) => reason::RECIPIENT_NOT_PROVISIONED,
            None if is_account_taken(error) => reason::MATRIX_ACCOUNT_TAKEN,
            Some(Failure::Unreachable | Failure::TimedOut | Failure::Limited(_)) => {
                reason::HOMESERVER_UNAVAILABLE
            }
            None if matches!(error, Error::Internal { .. }) => reason::INTERNAL_ERROR,
            _ => reason::HOMESERVER_ERROR,
        };
        tracing::warn!(id = %notification.id, ?delay, error = error as &(dyn std::error::Error + 'static), "delivery of a notification postponed");
        self.outbox.postpone(&notification, delay, why).await?;
        Ok(Notification {
            reason: Some(why.to_owned()),
            attempts: notification.attempts + 1,
            next_attempt_at: self.clock.now().checked_add(delay).ok(),
            ..notification
        })
    }

    async fn attempt(&self, notification: &Notification) -> Result<(RoomId, EventId)> {
        let room = self.registry.find_or_create(&notification.key()).await?;
        if self.registry.is_encrypted(&room) {
            return Err(encrypted());
        }
        let recipient = match &notification.draft.target {
            Target::Dm(user) => match self.users.find(notification.tenant, user).await? {
                Some(user) => Some(self.reachable(&room, &user).await?),
                None => None,
            },
            _ => None,
        };
        let content = rendering::content(notification.id, &notification.draft, recipient.as_ref());
        let transaction = self.transactions.of_notification(notification.id).await?;
        let event = self.homeserver.send(&room, &transaction, &content).await?;
        Ok((room, event))
    }

    /// The recipient of a direct message, who is in the room: whoever left it in another client is brought back when there
    /// is something for them, or it would reach nobody.
    async fn reachable(&self, room: &RoomId, user: &User) -> Result<MatrixUserId> {
        let (tenant, matrix_id) = (user.tenant(), self.ids.of(user));
        if !self.messages.is_member(tenant, room, user.id()).await? {
            self.homeserver.join(room, &matrix_id).await?;
            self.memberships.add(tenant, room, user.id()).await?;
        }
        Ok(matrix_id)
    }
}

fn is_homeserver(error: &Error) -> bool {
    matches!(error, Error::Fault(fault) if fault.system == crate::error::System::Homeserver)
}

/// Exponential, with jitter so that room queues that failed together do not return together.
fn backoff(attempts: i32) -> Duration {
    let doubled = BACKOFF_FIRST.saturating_mul(1 << attempts.clamp(0, 20));
    doubled.min(BACKOFF_MAX).mul_f64(rand::rng().random_range(0.75..=1.0))
}
