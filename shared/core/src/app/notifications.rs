//! Accepts, finds and lists notifications of satellites.

mod inputs;

use std::{sync::Arc, time::Duration};

use futures::future::join_all;

use crate::{
    app::{alarms::Alarms, delivery::Delivery, room_registry::RoomRegistry},
    domain::{
        alarm::NewAlarmInput,
        error::{Error, Problem, Result},
        event::payload::{self, EventPayload},
        id::{NotificationId, RoomId},
        notification::{
            AcceptOutcome, DeliveryHistory, Draft, Idempotency, LogQuery, NewNotification, Notification,
            Satellite, SendOptions, SendResult,
        },
    },
    port::{self, Ports},
};

/// The parts of a request that its result depends on.
struct Request {
    /// The room of the notification, as far as this process knows it.
    known_room: Option<RoomId>,
    input: Option<NewAlarmInput>,
    idempotency: Option<Idempotency>,
    wait: Duration,
}

/// The engine for notifications of satellites.
pub struct Notifications {
    records: Arc<dyn port::Notifications>,
    registry: Arc<RoomRegistry>,
    delivery: Arc<Delivery>,
    alarms: Arc<Alarms>,
}

impl Notifications {
    pub(crate) fn new(
        ports: &Ports,
        registry: &Arc<RoomRegistry>,
        delivery: &Arc<Delivery>,
        alarms: &Arc<Alarms>,
    ) -> Self {
        let records = ports.notifications.clone();
        Self { records, registry: registry.clone(), delivery: delivery.clone(), alarms: alarms.clone() }
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
        self.send(satellite, draft, None, options).await
    }

    /// Stores a notification that is the input of an alarm, and applies it. If it begins an episode, its message
    /// is delivered within the caller's wait budget if possible.
    ///
    /// Once this returns, the input cannot be lost. If it could not be applied, the worker applies it.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %satellite.tenant))]
    pub async fn report(
        &self,
        satellite: Satellite,
        draft: Draft,
        input: NewAlarmInput,
        options: SendOptions,
    ) -> Result<SendResult> {
        self.send(satellite, draft, Some(input), options).await
    }

    /// Stores notifications in this order, mostly in one commit, and applies those that are inputs of alarms. A
    /// worker delivers them. Each has a result of its own.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %satellite.tenant))]
    pub async fn send_all(
        &self,
        satellite: &Satellite,
        requests: Vec<(Draft, Option<NewAlarmInput>, SendOptions)>,
    ) -> Vec<Result<SendResult>> {
        self.delivery.store_sent().await;
        let mut entries = Vec::with_capacity(requests.len());
        let mut accepted = Vec::with_capacity(requests.len());
        for (draft, alarm, options) in requests {
            match self.entry(satellite.clone(), draft, alarm, options).await {
                Ok((entry, request)) => {
                    entries.push(entry);
                    accepted.push(Ok(request));
                }
                Err(error) => accepted.push(Err(error)),
            }
        }
        let mut outcomes = self.records.accept_all(entries).await.into_iter();
        let missing = || Error::internal("storing notifications", "an outcome is missing");
        let outcomes: Vec<_> = accepted
            .into_iter()
            .map(|request| {
                let request = request?;
                Ok((outcomes.next().unwrap_or_else(|| Err(missing()))?, request))
            })
            .collect();
        let results = outcomes.into_iter().map(async |accepted: Result<(AcceptOutcome, Request)>| {
            let (outcome, request) = accepted?;
            self.result(outcome, request).await
        });
        join_all(results).await
    }

    async fn send(
        &self,
        satellite: Satellite,
        draft: Draft,
        alarm: Option<NewAlarmInput>,
        options: SendOptions,
    ) -> Result<SendResult> {
        if options.wait.is_zero() && alarm.is_none() {
            // This notification wakes the worker at once. Without their status, the worker would find the
            // sent ones of this process pending, and wait for their callers.
            self.delivery.store_sent().await;
        }
        let (entry, request) = self.entry(satellite, draft, alarm, options).await?;
        self.result(self.records.accept(entry).await?, request).await
    }

    /// Returns the entry to store, and the parts of the request that its result depends on.
    async fn entry(
        &self,
        satellite: Satellite,
        draft: Draft,
        alarm: Option<NewAlarmInput>,
        options: SendOptions,
    ) -> Result<(NewNotification, Request)> {
        let room = self.registry.find_for_event(&draft.room_key(satellite.tenant)).await?;
        let request = Request {
            known_room: room.clone(),
            input: alarm.clone(),
            idempotency: options.idempotency.clone(),
            wait: options.wait,
        };
        let payload = payload::Notification::of(&draft, room.as_ref());
        let payload = EventPayload::Notification(payload).serialise()?;
        Ok((NewNotification { satellite, draft, room, payload, options, alarm }, request))
    }

    /// Delivers an accepted notification within the caller's wait budget. Returns the result of its request.
    async fn result(&self, outcome: AcceptOutcome, request: Request) -> Result<SendResult> {
        match outcome {
            AcceptOutcome::New { notification, queue_state } => {
                // The store knows of each closed room, this process not yet.
                if let (Some(closed), None) = (&request.known_room, &notification.room) {
                    self.registry.note_closed(closed);
                }
                if let Some(input) = &request.input {
                    return Ok(self.apply(*notification, input, queue_state, request.wait).await);
                }
                let notification =
                    self.delivery.deliver_in_time(*notification, queue_state, request.wait).await;
                Ok(SendResult { notification, replayed: false, alarm: None })
            }
            AcceptOutcome::Replayed { fingerprint, .. }
                if !request.idempotency.is_some_and(|key| key.repeats(&fingerprint)) =>
            {
                Err(Error::Invalid(vec![idempotency_mismatch()]))
            }
            AcceptOutcome::Replayed { notification, .. } => {
                let notification = self.delivery.with_unstored_result(*notification);
                if let Some(remaining) = notification.in_flight {
                    return Err(in_flight(remaining));
                }
                let alarm = match &request.input {
                    Some(input) => self.alarm(&notification, input).await.map(|applied| applied.alarm),
                    None => None,
                };
                Ok(SendResult { notification, replayed: true, alarm })
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
