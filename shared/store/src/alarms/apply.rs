//! Stores changes of alarms.

use messenger_core::{Result, alarm::AlarmKey, port::AlarmChange};
use serde_json::Value;
use tokio_postgres::types::ToSql;

use super::wire::Wire;
use crate::pool::Database;

const APPLY: &str = "select apply_alarm_changes($1, $2, $3, $4)";

/// Stores changes in one commit. Returns the keys of the stale ones.
pub(super) async fn apply(database: &Database, changes: &[AlarmChange]) -> Result<Vec<AlarmKey>> {
    let mut wire = Wire::default();
    for change in changes {
        wire.add(change);
    }
    let Wire { changes: alarms, episodes, entries, events } = wire;
    let [alarms, episodes, entries, events] = [alarms, episodes, entries, events].map(Value::Array);
    let parameters: [&(dyn ToSql + Sync); 4] = [&alarms, &episodes, &entries, &events];
    let row = database.query_one("storing changes of alarms", APPLY, &parameters).await?;
    let stale = row.get::<_, Vec<i32>>(0).into_iter().filter_map(|n| usize::try_from(n).ok());
    Ok(stale.filter_map(|n| changes.get(n)).map(|stored| stored.change.alarm.key.clone()).collect())
}
