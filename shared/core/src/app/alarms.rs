//! Applies the inputs of alarms and the acts of operators, and finds alarms for their readers.

mod changes;
mod events;

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use futures::future::try_join_all;

use crate::{
    app::{
        alarms::changes::{AlarmChanges, OperatorAct},
        room_registry::RoomRegistry,
    },
    domain::{
        alarm::{
            Alarm, AlarmAct, AlarmCursor, AlarmKey, AlarmQuery, Expected, JournalPage, JournalQuery,
            Operator, Outcome,
        },
        error::{Error, Result},
        event::payload,
        id::{AlarmId, NotificationId},
        user::{Caller, User, superseded},
    },
    port::{self, Ports},
};

/// The time within which a worker steps the alarms that it has claimed.
const LEASE: Duration = Duration::from_secs(30);

/// The most alarms that a worker claims at once.
const CLAIM: i64 = 100;

/// The engine for alarms.
pub struct Alarms {
    records: Arc<dyn port::Alarms>,
    users: Arc<dyn port::Users>,
    clock: Arc<dyn port::Clock>,
    registry: Arc<RoomRegistry>,
    changes: AlarmChanges,
}

/// The result of an act of an operator.
#[derive(Debug, Clone)]
pub struct ActResult {
    /// The alarm after the act.
    pub alarm: payload::Alarm,
    /// Whether the act has changed it. `false` if it was already as requested, or is normal.
    pub is_changed: bool,
}

/// A page of the alarms of a tenant.
#[derive(Debug, Clone)]
pub struct FoundAlarms {
    /// The alarms, the one with the latest beginning first.
    pub alarms: Vec<payload::Alarm>,
    /// The place after which the next page begins; `None` at the end.
    pub next: Option<AlarmCursor>,
}

impl Alarms {
    /// Starts the task that stores changes.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub(crate) fn new(ports: &Ports, registry: &Arc<RoomRegistry>) -> Self {
        Self {
            records: ports.alarms.clone(),
            users: ports.users.clone(),
            clock: ports.clock.clone(),
            registry: registry.clone(),
            changes: AlarmChanges::start(ports, registry),
        }
    }

    /// Applies the waiting inputs of an alarm, and stores the change. Returns the alarm.
    ///
    /// Inputs of an alarm that wait at the same time are applied with one change. Changes of different alarms
    /// are stored in one commit.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %key.tenant))]
    pub(crate) async fn apply_inputs(&self, key: AlarmKey) -> Result<Alarm> {
        Ok(self.changes.apply(key, None).await?.alarm)
    }

    /// Returns the outcome of an input that this process has applied a moment ago; `None` if another process
    /// has applied it.
    pub(crate) fn recent_outcome(&self, notification: NotificationId) -> Option<Outcome> {
        self.changes.recent_outcome(notification)
    }

    /// Claims alarms that are due, because an input waits or a deadline has passed, and applies what is due.
    /// Returns their number.
    ///
    /// An input is left to the call that stored it for a second. If applying fails, the claim expires.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn apply_due(&self) -> Result<usize> {
        let keys = self.records.claim_due(LEASE, CLAIM).await?;
        let applied = try_join_all(keys.into_iter().map(|key| self.changes.apply(key, None))).await?;
        Ok(applied.len())
    }

    /// Returns a page of the alarms of the caller's tenant, without those of direct messages to others.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn page(&self, caller: &Caller, query: &AlarmQuery) -> Result<FoundAlarms> {
        let user = self.stored(caller).await?;
        let one_more = AlarmQuery { limit: query.limit + 1, ..query.clone() };
        let mut found = self.records.list(user.tenant(), user.id(), &one_more).await?;
        let limit = usize::try_from(query.limit).unwrap_or_default();
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).and_then(AlarmCursor::of);
        let (mut alarms, mut rooms) = (Vec::with_capacity(found.len()), HashMap::new());
        for alarm in &found {
            let Some(episode) = &alarm.episode else { continue };
            let room = match rooms.entry(episode.draft.room_key(user.tenant())) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    let room = self.registry.find(unknown.key()).await?;
                    unknown.insert(room)
                }
            };
            alarms.push(payload::Alarm::of(alarm, episode, room.as_ref(), self.clock.now()));
        }
        Ok(FoundAlarms { alarms, next })
    }

    /// Returns an alarm that the caller may read.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), alarm = %id))]
    pub async fn find(&self, caller: &Caller, id: AlarmId) -> Result<payload::Alarm> {
        let user = self.stored(caller).await?;
        self.shown(&self.readable(&user, id).await?).await
    }

    /// Returns a page of the journal of an alarm that the caller may read, newest entry first.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), alarm = %id))]
    pub async fn journal(&self, caller: &Caller, id: AlarmId, query: &JournalQuery) -> Result<JournalPage> {
        let user = self.stored(caller).await?;
        self.readable(&user, id).await?;
        self.records.journal(user.tenant(), id, query).await?.ok_or(Error::NotFound("alarm"))
    }

    /// Acts on an alarm for the caller. Repeating it changes nothing.
    ///
    /// # Errors
    /// `read_only_role` for viewers, `not_found` for the alarm of a direct message to another user, and
    /// `episode_over` or `state_changed` if the caller saw an older alarm.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), alarm = %id))]
    pub async fn act(&self, caller: &Caller, id: AlarmId, act: AlarmAct) -> Result<ActResult> {
        let user = self.writer(caller).await?;
        let alarm = self.readable(&user, id).await?;
        self.act_on(user, alarm, act).await
    }

    /// Acts on the alarm of a notification for the caller. The act is for the episode of the notification,
    /// unless it names another one.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %notification))]
    pub async fn act_by_notification(
        &self,
        caller: &Caller,
        notification: NotificationId,
        act: AlarmAct,
    ) -> Result<ActResult> {
        let user = self.writer(caller).await?;
        let found = self.records.of_notification(user.tenant(), notification).await?;
        let found = found.filter(|(alarm, _)| alarm.is_for(user.id()));
        let (alarm, episode) = found.ok_or(Error::NotFound("alarm of this notification"))?;
        let expected = Expected { episode: act.expected.episode.or(Some(episode)), ..act.expected };
        self.act_on(user, alarm, AlarmAct { expected, ..act }).await
    }

    async fn act_on(&self, user: User, alarm: Alarm, act: AlarmAct) -> Result<ActResult> {
        let operator = Operator { id: user.id().clone(), display_name: user.display_name };
        let changed = self.changes.apply(alarm.key, Some(OperatorAct { operator, act })).await?;
        let is_changed = match changed.outcome {
            Some(Outcome::Refused(conflict)) => return Err(conflict.into()),
            Some(Outcome::Applied { .. }) => true,
            Some(Outcome::Unchanged | Outcome::Ignored(_)) | None => false,
        };
        Ok(ActResult { alarm: self.shown(&changed.alarm).await?, is_changed })
    }

    /// Returns an alarm of the user's tenant that the user may read.
    async fn readable(&self, user: &User, id: AlarmId) -> Result<Alarm> {
        let alarm = self.records.find(user.tenant(), id).await?;
        alarm.filter(|alarm| alarm.is_for(user.id())).ok_or(Error::NotFound("alarm"))
    }

    /// Returns the caller as stored: the cached user may be outdated.
    async fn stored(&self, caller: &Caller) -> Result<User> {
        self.users.find(caller.user.tenant(), caller.user.id()).await?.ok_or_else(superseded)
    }

    /// Returns the caller as stored. Refuses viewers.
    async fn writer(&self, caller: &Caller) -> Result<User> {
        let user = self.stored(caller).await?;
        user.identity.role.check_may_write()?;
        Ok(user)
    }

    /// Returns the object of an alarm.
    async fn shown(&self, alarm: &Alarm) -> Result<payload::Alarm> {
        let episode = alarm.episode.as_ref().ok_or(Error::NotFound("alarm"))?;
        let room = self.registry.find(&episode.draft.room_key(alarm.key.tenant)).await?;
        Ok(payload::Alarm::of(alarm, episode, room.as_ref(), self.clock.now()))
    }
}
