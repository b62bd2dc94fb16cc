//! Alarms in memory.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    alarm::{Alarm, AlarmKey, Input, JournalCause, JournalEntry},
    event::Audience,
    id::{AlarmId, AlarmInputId, TenantId},
    port::{AlarmChange, AlarmQuery, Alarms, LoadedAlarm},
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
    journal: Vec<JournalEntry>,
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
        let row = Row { alarm: alarm.clone(), journal: Vec::new(), next_at: None };
        let row = self.rows.entry(id).or_insert(row);
        row.alarm = alarm.clone();
        row.journal.extend(change.journal.iter().cloned());
        row.next_at = change.next_at;
        true
    }

    /// Returns the alarms that have to be stepped, with the time since which they are due.
    fn due(&self, now: Timestamp) -> Vec<(Timestamp, AlarmKey)> {
        let inputs = self.inputs.values().map(|(key, input)| (input.received_at + GRACE, key.clone()));
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
                    for event in &change.events {
                        state.log.append(state.now, event);
                    }
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

    async fn list(&self, tenant: TenantId, query: &AlarmQuery) -> Result<Vec<Alarm>> {
        self.act("reading alarms", |state| {
            let rows = state.alarms.rows.values().rev().map(|row| &row.alarm);
            rows.filter(|alarm| alarm.key.tenant == tenant && is_wanted(alarm, query))
                .take(usize::try_from(query.limit).unwrap_or_default())
                .cloned()
                .collect()
        })
        .await
    }

    async fn journal(&self, tenant: TenantId, id: AlarmId) -> Result<Option<Vec<JournalEntry>>> {
        self.act("reading the journal of an alarm", |state| {
            state.alarms.row(tenant, id).map(|row| row.journal.clone())
        })
        .await
    }
}

fn is_wanted(alarm: &Alarm, query: &AlarmQuery) -> bool {
    let Some(episode) = &alarm.episode else { return false };
    let is_readable = match episode.draft.audience(alarm.key.tenant) {
        Audience::User(_, user) => user == query.reader,
        Audience::Tenant(_) | Audience::Room(..) => true,
    };
    is_readable
        && query.is_open.is_none_or(|is_open| is_open == episode.is_open())
        && query.source_app.as_ref().is_none_or(|app| *app == alarm.key.source_app)
        && query.after.is_none_or(|after| alarm.id < after)
}
