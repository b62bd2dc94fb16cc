//! Stores changes of alarms. Those that arrive during a commit share the next one ([`GroupCommit`]).

use std::collections::HashSet;

use messenger_core::{Result, alarm::AlarmKey, id::AlarmId, port::AlarmChange};
use serde_json::Value;

use super::wire::Wire;
use crate::{
    group_commit::{Commit, GroupCommit},
    pool::Database,
};

const APPLY: &str = "select apply_alarm_changes($1, $2, $3, $4)";

/// The group commit of changes of alarms.
pub(crate) type Applier = GroupCommit<Apply>;

/// The statement `apply_alarm_changes`. An entry has the changes of one call.
pub(crate) struct Apply(pub(crate) Database);

/// The stale changes of a batch, by their numbers, and the number of the first change of each entry.
pub(crate) struct Stored {
    stale: HashSet<usize>,
    first: Vec<usize>,
}

impl Commit for Apply {
    type Item = Vec<AlarmChange>;
    type Stored = Stored;
    type Outcome = Vec<AlarmKey>;
    type Key = AlarmId;

    const CONTEXT: &'static str = "storing changes of alarms";

    fn keys(entry: &Vec<AlarmChange>) -> Vec<AlarmId> {
        entry.iter().map(|change| change.change.alarm.id).collect()
    }

    async fn store(&self, entries: &[&Vec<AlarmChange>]) -> Result<Stored> {
        let (mut wire, mut first) = (Wire::default(), Vec::new());
        for changes in entries {
            first.push(wire.changes.len());
            for change in *changes {
                wire.add(change);
            }
        }
        let Wire { changes, episodes, entries, events } = wire;
        let [changes, episodes, entries, events] = [changes, episodes, entries, events].map(Value::Array);
        let row = self.0.query_one(Self::CONTEXT, APPLY, &[&changes, &episodes, &entries, &events]).await?;
        let stale = row.get::<_, Vec<i32>>(0).into_iter().filter_map(|n| usize::try_from(n).ok()).collect();
        Ok(Stored { stale, first })
    }

    async fn outcome(&self, stored: &Stored, n: usize, entry: Vec<AlarmChange>) -> Result<Vec<AlarmKey>> {
        let numbered = entry.into_iter().zip(stored.first[n]..);
        let stale = numbered.filter(|(_, number)| stored.stale.contains(number));
        Ok(stale.map(|(change, _)| change.change.alarm.key).collect())
    }
}
