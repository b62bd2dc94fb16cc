//! Accepts, finds and lists notifications of satellites.

use std::{sync::Arc, time::Duration};

use crate::{
    app::{delivery::Delivery, room_registry::RoomRegistry},
    domain::{
        error::{Error, Problem, Result},
        event::payload::{self, EventPayload},
        id::NotificationId,
        notification::{
            AcceptOutcome, DeliveryHistory, Draft, LogQuery, NewNotification, Notification, Satellite,
            SendOptions, SendResult,
        },
    },
    port::{self, Ports},
};

/// The engine for notifications of satellites.
pub struct Notifications {
    records: Arc<dyn port::Notifications>,
    registry: Arc<RoomRegistry>,
    delivery: Arc<Delivery>,
}

impl Notifications {
    pub(crate) fn new(ports: &Ports, registry: &Arc<RoomRegistry>, delivery: &Arc<Delivery>) -> Self {
        let records = ports.notifications.clone();
        Self { records, registry: registry.clone(), delivery: delivery.clone() }
    }

    /// Stores a notification, and delivers it within the caller's wait budget if possible.
    ///
    /// Once this returns, the notification cannot be lost. If it could not be delivered in time, the worker
    /// delivers it. Connected users receive its live event before the homeserver receives the message.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %satellite.tenant))]
    pub async fn notify(
        &self,
        satellite: Satellite,
        draft: Draft,
        options: SendOptions,
    ) -> Result<SendResult> {
        let room = self.registry.find_for_event(&draft.room_key(satellite.tenant)).await?;
        let known_room = room.clone();
        let payload = payload::Notification::of(&draft, room.as_ref());
        let payload = EventPayload::Notification(payload).serialise()?;
        let wait = options.wait;
        let idempotency = options.idempotency.clone();
        if wait.is_zero() {
            // This notification wakes the worker at once. Without their status, the worker would find the
            // sent ones of this process pending, and wait for their callers.
            self.delivery.store_sent().await;
        }
        match self
            .records
            .accept(NewNotification { satellite, draft, room, payload, options, alarm: None })
            .await?
        {
            AcceptOutcome::New { notification, queue_state } => {
                // The store knows of each closed room, this process not yet.
                if let (Some(closed), None) = (&known_room, &notification.room) {
                    self.registry.note_closed(closed);
                }
                let notification = self.delivery.deliver_in_time(*notification, queue_state, wait).await;
                Ok(SendResult { notification, replayed: false })
            }
            AcceptOutcome::Replayed { fingerprint, .. }
                if !idempotency.is_some_and(|key| key.repeats(&fingerprint)) =>
            {
                Err(Error::Invalid(vec![idempotency_mismatch()]))
            }
            AcceptOutcome::Replayed { notification, .. } => {
                let notification = self.delivery.with_unstored_result(*notification);
                match notification.in_flight {
                    Some(remaining) => Err(in_flight(remaining)),
                    None => Ok(SendResult { notification, replayed: true }),
                }
            }
        }
    }

    /// Returns a notification of the satellite's tenant.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %satellite.tenant, notification = %id))]
    pub async fn find(&self, satellite: &Satellite, id: NotificationId) -> Result<Notification> {
        let stored = self.records.find(satellite.tenant, id).await?;
        stored.map(|stored| self.delivery.with_unstored_result(stored)).ok_or(Error::NotFound("notification"))
    }

    /// Returns a notification of the satellite's tenant with the attempts to deliver it.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %satellite.tenant, notification = %id))]
    pub async fn history(&self, satellite: &Satellite, id: NotificationId) -> Result<DeliveryHistory> {
        let stored = self.records.history(satellite.tenant, id).await?;
        let stored = stored.ok_or(Error::NotFound("notification"))?;
        let notification = self.delivery.with_unstored_result(stored.notification);
        Ok(DeliveryHistory { notification, ..stored })
    }

    /// Returns notifications of the satellite's tenant, newest first.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %satellite.tenant))]
    pub async fn log(&self, satellite: &Satellite, query: &LogQuery) -> Result<Vec<Notification>> {
        let stored = self.records.log(satellite.tenant, query).await?;
        Ok(stored.into_iter().map(|stored| self.delivery.with_unstored_result(stored)).collect())
    }
}

fn in_flight(remaining: Duration) -> Error {
    Error::Conflict {
        code: "idempotency_in_flight",
        detail: "the first call with this Idempotency-Key has not been answered yet: try again".into(),
        retry_after: Some(remaining),
    }
}

fn idempotency_mismatch() -> Problem {
    Problem::new(
        "/idempotency_key",
        "this Idempotency-Key was used with another request: use a new key for a new notification",
    )
    .coded("idempotency_mismatch")
}
