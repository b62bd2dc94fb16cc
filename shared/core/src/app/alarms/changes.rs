//! Stores the changes of alarms: one change of an alarm at a time in a process, with all inputs that wait for it,
//! and the changes of different alarms in one commit.
//!
//! The commits run in a task of their own, so a caller that disconnects cancels none.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::{
    app::{alarms::events, room_registry::RoomRegistry},
    domain::{
        alarm::{Alarm, AlarmAct, AlarmKey, Change, Input, Operator, Outcome, step},
        error::{Error, Failure, Result},
        id::NotificationId,
    },
    live::cache::Cache,
    port::{self, AlarmChange, LoadedAlarm, Ports},
};

/// The most requests that are answered with one commit.
const BATCH_MAX: usize = 256;

/// The most queued requests; further callers wait until there is room.
const QUEUE_MAX: usize = 4096;

/// The time for which the outcome of an input is kept for the call that stored it.
const OUTCOME_FOR: Duration = Duration::from_secs(10);

const STORING: &str = "storing changes of alarms";

/// The sending end of the changes of this process.
pub(super) struct AlarmChanges {
    requests: mpsc::Sender<Request>,
    outcomes: Cache<NotificationId, Outcome>,
}

/// An act of an operator.
pub(super) struct OperatorAct {
    pub(super) operator: Operator,
    pub(super) act: AlarmAct,
}

/// An alarm after its waiting inputs were applied.
#[derive(Debug, Clone)]
pub(super) struct Changed {
    pub(super) alarm: Alarm,
    /// The outcome of the act; `None` without one.
    pub(super) outcome: Option<Outcome>,
}

struct Request {
    key: AlarmKey,
    act: Option<OperatorAct>,
    result: oneshot::Sender<Result<Changed>>,
}

/// The requests of a batch, by their alarm.
type Batch = BTreeMap<AlarmKey, Vec<Request>>;

/// The task that stores changes.
struct Writer {
    records: Arc<dyn port::Alarms>,
    registry: Arc<RoomRegistry>,
    outcomes: Cache<NotificationId, Outcome>,
}

/// A step of an alarm, and the results of its requests.
struct Step {
    change: Change,
    /// Whether there is something to store.
    is_change: bool,
    /// The inputs of the change, in the order of its outcomes.
    sources: Vec<Option<NotificationId>>,
    /// The place of each request's act among the inputs; `None` if it has none, or may not act.
    acts: Vec<Option<usize>>,
    /// The time of the store.
    now: Timestamp,
}

impl AlarmChanges {
    /// Starts the task.
    pub(super) fn start(ports: &Ports, registry: &Arc<RoomRegistry>) -> Self {
        let outcomes = Cache::with_ttl(OUTCOME_FOR);
        let (requests, receiver) = mpsc::channel(QUEUE_MAX);
        let (records, registry) = (ports.alarms.clone(), registry.clone());
        tokio::spawn(Writer { records, registry, outcomes: outcomes.clone() }.run(receiver));
        Self { requests, outcomes }
    }

    /// Applies the waiting inputs of an alarm, its passed deadlines and an act, and stores the change.
    pub(super) async fn apply(&self, key: AlarmKey, act: Option<OperatorAct>) -> Result<Changed> {
        let ended = || Error::internal(STORING, "the task has ended");
        let (result, received) = oneshot::channel();
        self.requests.send(Request { key, act, result }).await.map_err(|_| ended())?;
        received.await.map_err(|_| ended())?
    }

    /// Returns the outcome of an input that was applied a moment ago.
    pub(super) fn recent_outcome(&self, notification: NotificationId) -> Option<Outcome> {
        self.outcomes.get(&notification)
    }
}

impl Writer {
    /// Stores batches until the engine is dropped.
    async fn run(self, mut receiver: mpsc::Receiver<Request>) {
        let mut waiting = Vec::new();
        while receiver.recv_many(&mut waiting, BATCH_MAX).await > 0 {
            let mut batch = Batch::new();
            for request in waiting.drain(..) {
                batch.entry(request.key.clone()).or_default().push(request);
            }
            self.process(batch).await;
        }
    }

    /// Answers the requests of a batch. Alarms that another process has changed meanwhile are stepped again.
    async fn process(&self, mut batch: Batch) {
        while !batch.is_empty() {
            match self.attempt(&batch).await {
                Ok(steps) => {
                    for (key, step) in steps {
                        let requests = batch.remove(&key).unwrap_or_default();
                        self.answer(requests, &step);
                    }
                }
                // An alarm that the database rejects must not fail the others.
                Err(error) if error.failure() == Some(Failure::Rejected) && batch.len() > 1 => {
                    for one in std::mem::take(&mut batch) {
                        Box::pin(self.process(Batch::from([one]))).await;
                    }
                }
                Err(error) => {
                    let error = error.share(STORING);
                    for request in std::mem::take(&mut batch).into_values().flatten() {
                        // A caller that is gone needs no answer.
                        let _ = request.result.send(Err(error()));
                    }
                }
            }
        }
    }

    /// Steps the alarms of a batch, and stores the changes. Returns the steps of all alarms but the stale ones.
    async fn attempt(&self, batch: &Batch) -> Result<Vec<(AlarmKey, Step)>> {
        let keys: Vec<_> = batch.keys().cloned().collect();
        let loaded = self.records.load(&keys).await?;
        if loaded.len() != keys.len() {
            return Err(Error::internal(STORING, "an alarm was not loaded"));
        }
        let mut steps = Vec::with_capacity(keys.len());
        let mut changes = Vec::new();
        for ((key, loaded), requests) in keys.into_iter().zip(loaded).zip(batch.values()) {
            let step = Step::of(loaded, requests);
            if step.is_change {
                let events = events::of(&self.registry, &step.change, step.now).await?;
                changes.push(AlarmChange { change: step.change.clone(), events });
            }
            steps.push((key, step));
        }
        if changes.is_empty() {
            return Ok(steps);
        }
        let stale = self.records.apply(&changes).await?;
        steps.retain(|(key, step)| !step.is_change || !stale.contains(key));
        Ok(steps)
    }

    fn answer(&self, requests: Vec<Request>, step: &Step) {
        for (source, outcome) in step.sources.iter().zip(&step.change.outcomes) {
            if let Some(notification) = source {
                self.outcomes.put(*notification, *outcome);
            }
        }
        for (request, act) in requests.into_iter().zip(&step.acts) {
            let outcome = act.and_then(|place| step.change.outcomes.get(place)).copied();
            let result = if request.act.is_some() && outcome.is_none() {
                Err(Error::NotFound("alarm"))
            } else {
                Ok(Changed { alarm: step.change.alarm.clone(), outcome })
            };
            // A caller that is gone needs no answer.
            let _ = request.result.send(result);
        }
    }
}

impl Step {
    /// Applies the waiting inputs of an alarm, then the acts of its requests.
    fn of(loaded: LoadedAlarm, requests: &[Request]) -> Self {
        let LoadedAlarm { alarm, mut inputs, now } = loaded;
        // The waiting inputs may begin an episode for other readers.
        let has_acts = requests.iter().any(|request| request.act.is_some());
        let current = has_acts.then(|| step(&alarm, &inputs, now).alarm);
        let mut acts = Vec::with_capacity(requests.len());
        for request in requests {
            let act = request
                .act
                .as_ref()
                .filter(|act| current.as_ref().is_some_and(|alarm| alarm.is_for(&act.operator.id)));
            acts.push(act.map(|_| inputs.len()));
            inputs.extend(act.map(|OperatorAct { operator, act }| act.input(operator.clone(), now)));
        }
        let change = step(&alarm, &inputs, now);
        Self {
            is_change: change.alarm != alarm || !change.journal.is_empty(),
            sources: inputs.iter().map(|input: &Input| input.source.notification()).collect(),
            change,
            acts,
            now,
        }
    }
}
