//! Alarms in memory.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    alarm::{
        ActionKind, Alarm, AlarmCursor, AlarmKey, AlarmQuery, EpisodeId, Expected, Input, InputSource,
        JournalCause, JournalCursor, JournalEntry, JournalPage, JournalQuery, LiveEvent, NewAlarmInput,
    },
    id::{AlarmId, AlarmInputId, EventId, HubUserId, NotificationId, TenantId},
    notification::Notification,
    port::{AlarmChange, Alarms, LoadedAlarm},
};

use super::{Memory, State};

/// The time for which an input is left to the call that stored it.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Table {
    rows: BTreeMap<AlarmId, Row>,
    ids: HashMap<AlarmKey, AlarmId>,
    inputs: BTreeMap<AlarmInputId, (AlarmKey, Input)>,
    leases: HashMap<AlarmKey, Timestamp>,
    last_id: i64,
    last_input: i64,
}

struct Row {
    alarm: Alarm,
    journal: BTreeMap<JournalCursor, JournalEntry>,
    next_at: Option<Timestamp>,
}

impl Table {
    fn load(&mut self, key: &AlarmKey, now: Timestamp) -> LoadedAlarm {
        let stored = self.ids.get(key).and_then(|id| self.rows.get(id)).map(|row| row.alarm.clone());
        let alarm = stored.unwrap_or_else(|| {
            self.last_id += 1;
            Alarm::new(AlarmId(self.last_id), key.clone())
        });
        LoadedAlarm { alarm, inputs: self.waiting(key).cloned().collect(), now }
    }

    fn waiting<'a>(&'a self, key: &'a AlarmKey) -> impl Iterator<Item = &'a Input> {
        self.inputs.values().filter(move |(of, _)| of == key).map(|(_, input)| input)
    }

    /// Returns the row of a tenant.
    fn row(&self, tenant: TenantId, id: AlarmId) -> Option<&Row> {
        self.rows.get(&id).filter(|row| row.alarm.key.tenant == tenant)
    }

    /// Returns the key of a stored alarm.
    pub(super) fn key_of(&self, alarm: AlarmId) -> Option<AlarmKey> {
        self.rows.get(&alarm).map(|row| row.alarm.key.clone())
    }

    /// Returns the episode that a user has acknowledged by this event.
    pub(super) fn acknowledged_by(&self, event: &EventId, user: &HubUserId) -> Option<EpisodeId> {
        let is_act = |source: &InputSource, kind: ActionKind| {
            kind == ActionKind::Acknowledge
                && source.event() == Some(event)
                && source.operator().is_some_and(|operator| operator.id == *user)
        };
        let waiting = self.inputs.values().find(|(_, input)| is_act(&input.source, input.action.kind()));
        if let Some((key, input)) = waiting {
            let (alarm, episode) = (*self.ids.get(key)?, input.expected.episode?);
            return Some(EpisodeId { alarm, episode });
        }
        self.rows.iter().find_map(|(alarm, row)| {
            let entry = row.journal.values().find(|entry| match &entry.cause {
                JournalCause::Input { source, action, .. } => is_act(source, *action),
                JournalCause::Deadline(_) => false,
            })?;
            Some(EpisodeId { alarm: *alarm, episode: entry.episode })
        })
    }

    /// Stores a change without its live events. Returns `false`, and stores nothing, if it is stale.
    fn apply(&mut self, stored: &AlarmChange) -> bool {
        let change = &stored.change;
        let alarm = &change.alarm;
        let id = *self.ids.get(&alarm.key).unwrap_or(&alarm.id);
        let revision = self.rows.get(&id).map_or(0, |row| row.alarm.revision);
        if id != alarm.id || revision != change.expected_revision {
            return false;
        }
        for entry in &change.journal {
            if let JournalCause::Input { id: Some(input), .. } = &entry.cause {
                self.inputs.remove(input);
            }
        }
        self.leases.remove(&alarm.key);
        self.ids.insert(alarm.key.clone(), id);
        let row = Row { alarm: alarm.clone(), journal: BTreeMap::new(), next_at: None };
        let row = self.rows.entry(id).or_insert(row);
        row.alarm = alarm.clone();
        let revision = alarm.revision;
        let places = (0..).map(|number| JournalCursor { revision, number });
        row.journal.extend(places.zip(change.journal.iter().cloned()));
        row.next_at = change.next_at;
        true
    }

    /// Returns the alarms that have to be stepped, with the time since which they are due.
    fn due(&self, now: Timestamp) -> Vec<(Timestamp, AlarmKey)> {
        let inputs = self.inputs.values().map(|(key, input)| {
            let grace = if input.source.notification().is_some() { GRACE } else { Duration::ZERO };
            (input.received_at + grace, key.clone())
        });
        let rows = self.rows.values().filter_map(|row| Some((row.next_at?, row.alarm.key.clone())));
        let is_leased = |key: &AlarmKey| self.leases.get(key).is_some_and(|until| *until > now);
        let mut since = HashMap::new();
        for (at, key) in inputs.chain(rows).filter(|(at, key)| *at <= now && !is_leased(key)) {
            since.entry(key).and_modify(|first: &mut Timestamp| *first = at.min(*first)).or_insert(at);
        }
        let mut due: Vec<_> = since.into_iter().map(|(key, at)| (at, key)).collect();
        due.sort();
        due
    }
}

impl State {
    /// Appends the live events of a change. The notifications that they announce are announced.
    fn publish_alarm(&mut self, change: &AlarmChange) {
        for (n, event) in change.events.iter().enumerate() {
            let announced = match change.change.events.get(n) {
                Some(LiveEvent::Notification { notification, .. }) => {
                    self.notifications.rows.get_mut(notification)
                }
                _ => None,
            };
            match announced {
                Some(stored) => {
                    stored.row.announced = true;
                    self.log.append_about_notification(self.now, &stored.row, event);
                }
                None => {
                    self.log.append(self.now, event);
                }
            }
        }
    }

    /// Stores the input of a notification.
    pub(super) fn receive_from_satellite(&mut self, notification: &Notification, alarm: NewAlarmInput) {
        let key = AlarmKey {
            tenant: notification.tenant,
            source_app: notification.draft.source_app.clone(),
            dedup_key: alarm.key_of(notification.id),
        };
        let input = Input {
            id: None,
            received_at: self.now,
            source: InputSource::Satellite(notification.id),
            action: alarm.action,
            occurred_at: alarm.occurred_at,
            expected: Expected::default(),
            comment: None,
        };
        self.receive_alarm_input(&key, input);
    }

    /// Stores an input, as a notification or an ingested event does.
    pub(super) fn receive_alarm_input(&mut self, key: &AlarmKey, input: Input) {
        self.alarms.last_input += 1;
        let id = AlarmInputId(self.alarms.last_input);
        let input = Input { id: Some(id), received_at: self.now, ..input };
        self.alarms.inputs.insert(id, (key.clone(), input));
        self.has_work = true;
    }
}

#[async_trait]
impl Alarms for Memory {
    async fn load(&self, keys: &[AlarmKey]) -> Result<Vec<LoadedAlarm>> {
        self.act("reading alarms", |state| {
            let now = state.now;
            keys.iter().map(|key| state.alarms.load(key, now)).collect()
        })
        .await
    }

    async fn apply(&self, changes: &[AlarmChange]) -> Result<Vec<AlarmKey>> {
        self.act("storing changes of alarms", |state| {
            let mut stale = Vec::new();
            for change in changes {
                if state.alarms.apply(change) {
                    state.publish_alarm(change);
                    state.queue_change(&change.change);
                } else {
                    stale.push(change.change.alarm.key.clone());
                }
            }
            stale
        })
        .await
    }

    async fn claim_due(&self, lease: Duration, limit: i64) -> Result<Vec<AlarmKey>> {
        self.act("claiming alarms", |state| {
            let now = state.now;
            let due = state.alarms.due(now).into_iter().take(usize::try_from(limit).unwrap_or_default());
            let claimed: Vec<_> = due.map(|(_, key)| key).collect();
            state.alarms.leases.extend(claimed.iter().map(|key| (key.clone(), now + lease)));
            claimed
        })
        .await
    }

    async fn find(&self, tenant: TenantId, id: AlarmId) -> Result<Option<Alarm>> {
        self.act("reading an alarm", |state| state.alarms.row(tenant, id).map(|row| row.alarm.clone())).await
    }

    async fn of_notification(
        &self,
        tenant: TenantId,
        notification: NotificationId,
    ) -> Result<Option<(Alarm, i64)>> {
        self.act("reading the alarm of a notification", |state| {
            state.alarms.rows.values().filter(|row| row.alarm.key.tenant == tenant).find_map(|row| {
                let mut causes = row.journal.values().filter(|entry| is_of(&entry.cause, notification));
                causes.next().map(|entry| (row.alarm.clone(), entry.episode))
            })
        })
        .await
    }

    async fn list(&self, tenant: TenantId, reader: &HubUserId, query: &AlarmQuery) -> Result<Vec<Alarm>> {
        self.act("reading alarms", |state| {
            let rows = state.alarms.rows.values().map(|row| &row.alarm);
            let rows = rows.filter(|alarm| alarm.key.tenant == tenant && query.matches(alarm, reader));
            let mut found: Vec<_> = rows.cloned().collect();
            found.sort_by_key(|alarm| Reverse(AlarmCursor::of(alarm)));
            found.truncate(usize::try_from(query.limit).unwrap_or_default());
            found
        })
        .await
    }

    async fn journal(
        &self,
        tenant: TenantId,
        id: AlarmId,
        query: &JournalQuery,
    ) -> Result<Option<JournalPage>> {
        let limit = usize::try_from(query.limit).unwrap_or_default();
        self.act("reading the journal of an alarm", |state| {
            let row = state.alarms.row(tenant, id)?;
            let older = row.journal.iter().rev();
            let mut older = older.filter(|(place, _)| query.before.is_none_or(|before| **place < before));
            let page: Vec<_> = older.by_ref().take(limit).collect();
            let last = page.last().map(|(place, _)| **place);
            Some(JournalPage {
                next_before: last.filter(|_| older.next().is_some()),
                entries: page.into_iter().map(|(_, entry)| entry.clone()).collect(),
            })
        })
        .await
    }
}

fn is_of(cause: &JournalCause, notification: NotificationId) -> bool {
    matches!(cause, JournalCause::Input { source, .. } if source.notification() == Some(notification))
}
