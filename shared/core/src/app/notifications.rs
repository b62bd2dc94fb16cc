//! Notifications of satellites: accepted, found and listed.

use std::{sync::Arc, time::Duration};

use crate::{
    app::{delivery::Delivery, room_registry::RoomRegistry},
    domain::{
        error::{Error, Problem, Result},
        id::NotificationId,
        notification::{
            AcceptOutcome, Draft, LogQuery, NewNotification, Notification, Satellite, SendOptions, SendResult,
        },
    },
    port::{self, Ports},
};

/// Accepts notifications.
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

    /// Accepts a notification: once this returns, nothing can lose it, whatever the homeserver does. Within the wait
    /// budget it is also delivered; what is left is the worker's.
    ///
    /// Connected users hear of it before the homeserver does.
    pub async fn notify(
        &self,
        satellite: Satellite,
        draft: Draft,
        options: SendOptions,
    ) -> Result<SendResult> {
        let room = self.registry.find_named(&draft.room_key(satellite.tenant)).await?;
        let payload = draft.payload(room.as_ref())?;
        let wait = options.wait;
        let idempotency = options.idempotency.clone();
        if wait.is_zero() {
            self.delivery.store_sent().await;
        }
        match self.records.accept(NewNotification { satellite, draft, room, payload, options }).await? {
            AcceptOutcome::New { notification, place } => {
                let notification = self.delivery.deliver_in_time(*notification, place, wait).await;
                Ok(SendResult { notification, replayed: false })
            }
            AcceptOutcome::Replayed { fingerprint, .. }
                if !idempotency.is_some_and(|again| again.repeats(&fingerprint)) =>
            {
                Err(Error::Invalid(vec![idempotency_mismatch()]))
            }
            AcceptOutcome::Replayed { notification, .. } => {
                let notification = self.delivery.as_it_is(*notification);
                match notification.in_flight {
                    Some(left) => Err(in_flight(left)),
                    None => Ok(SendResult { notification, replayed: true }),
                }
            }
        }
    }

    /// One notification of the satellite's tenant.
    pub async fn find(&self, satellite: &Satellite, id: NotificationId) -> Result<Notification> {
        let stored = self.records.find(satellite.tenant, id).await?;
        stored.map(|stored| self.delivery.as_it_is(stored)).ok_or(Error::NotFound("notification"))
    }

    /// The notifications of the satellite's tenant, newest first.
    pub async fn log(&self, satellite: &Satellite, query: &LogQuery) -> Result<Vec<Notification>> {
        let stored = self.records.log(satellite.tenant, query).await?;
        Ok(stored.into_iter().map(|stored| self.delivery.as_it_is(stored)).collect())
    }
}

fn in_flight(left: Duration) -> Error {
    Error::Conflict {
        code: "idempotency_in_flight",
        detail: "the first call with this Idempotency-Key has not been answered yet: try again".into(),
        retry_after: Some(left),
    }
}

fn idempotency_mismatch() -> Problem {
    Problem::new(
        "/idempotency_key",
        "this Idempotency-Key was used with another request: use a new key for a new notification",
    )
    .coded("idempotency_mismatch")
}
