//! Rows of alarms, episodes, inputs and journals as values of the domain.

use std::time::Duration;

use jiff::Timestamp;
use messenger_core::{
    Error, Result,
    alarm::{
        AckRule, Acknowledgement, Action, ActionKind, Alarm, AlarmKey, Chattering, ClearedBy, Clearing,
        Deadline, Episode, Expected, Input, InputSource, JournalCause, JournalEntry, Occurrence, Operator,
        Outcome, State, Trigger,
    },
    error::Failure,
    id::{AlarmId, AlarmInputId, EventId, HubUserId, NotificationId, TenantId},
    notification::{Draft, Priority},
};
use tokio_postgres::Row;

use crate::{error::fault, notifications::row::target, pool::duration};

/// The columns that [`alarm`] reads, in this order, of `alarms alarm` joined with its newest `alarm_episodes episode`.
macro_rules! columns {
    () => {
        concat!(
            "alarm.id, alarm.tenant_id, alarm.source_app, alarm.dedup_key, alarm.revision, alarm.state_revision,
            alarm.occurred_at, alarm.occurred_action, alarm.activations, alarm.chattering_until,
            alarm.repeated_ring_at, alarm.published_at, alarm.is_publish_due, ",
            $crate::alarms::row::episode_columns!()
        )
    };
}
pub(crate) use columns;

/// The columns that [`episode`] reads, in this order, of `alarm_episodes episode`.
macro_rules! episode_columns {
    () => {
        "episode.number, episode.state, episode.event_type, episode.title, episode.body, episode.target_type,
        episode.entity_type, episode.entity_id, episode.target_user, episode.priority, episode.ack_required,
        episode.ack_expires_after, episode.occurrences, episode.started_at, episode.active_since, episode.is_stale,
        episode.ack_via, episode.ack_notification, episode.ack_user, episode.ack_user_name, episode.ack_event,
        episode.acked_at, episode.ack_expires_at, episode.cleared_at, episode.cleared_by, episode.cleared_user,
        episode.cleared_user_name, episode.resolve_at, episode.ended_at, episode.is_closed_unseen,
        episode.notification_id, episode.last_occurred_at, episode.ack_comment"
    };
}
pub(crate) use episode_columns;

/// The column after those of [`columns!`].
pub(super) const COUNT: usize = EPISODE + EPISODE_COUNT;
/// The number of [`episode_columns!`].
pub(super) const EPISODE_COUNT: usize = 33;
/// The first column of the episode.
const EPISODE: usize = 13;

/// A page of a journal: the columns that [`journal_entry`] reads, in this order, and the place of each entry.
pub(super) const JOURNAL: &str =
    "select at, episode, state, deadline, input_id, via, notification_id, hub_user_id,
        user_name, event_id, action, comment, outcome, detail, revision, n
    from alarm_journal where alarm_id = $1 and (revision, n) < ($2, $3)
    order by alarm_id desc, revision desc, n desc limit $4";

pub(super) const READING: &str = "reading alarms";

/// Reads an alarm.
pub(super) fn alarm(row: &Row) -> Result<Alarm> {
    let key = AlarmKey { tenant: TenantId(row.get(1)), source_app: row.get(2), dedup_key: row.get(3) };
    let occurrence = match (row.get(6), row.get::<_, Option<&str>>(7)) {
        (Some(at), Some(action)) => Some(Occurrence { at, action: action_kind(action)? }),
        _ => None,
    };
    Ok(Alarm {
        id: AlarmId(row.get(0)),
        episode: episode(row, EPISODE, &key.source_app)?,
        key,
        revision: row.get(4),
        state_revision: row.get(5),
        newest_occurrence: occurrence,
        chattering: Chattering { activations: row.get(8), until: row.get(9) },
        repeated_ring_at: row.get(10),
        published_at: row.get(11),
        is_publish_due: row.get(12),
    })
}

/// Reads an episode of an alarm of this app, beginning with this column; `None` if it is null.
pub(super) fn episode(row: &Row, from: usize, source_app: &str) -> Result<Option<Episode>> {
    let Some(number) = row.get(from) else { return Ok(None) };
    let column = |n: usize| from + n;
    let draft = Draft {
        source_app: source_app.to_owned(),
        event_type: row.get(column(2)),
        title: row.get(column(3)),
        body: row.get(column(4)),
        target: target(row, column(5)).ok_or_else(|| broken("a target"))?,
        priority: priority(row.get(column(9)))?,
    };
    Ok(Some(Episode {
        number,
        state: state(row.get(column(1)))?,
        draft,
        ack: AckRule { is_required: row.get(column(10)), expires_after: seconds(row, column(11)) },
        occurrences: row.get(column(12)),
        started_at: row.get(column(13)),
        active_since: row.get(column(14)),
        is_stale: row.get(column(15)),
        acknowledgement: acknowledgement(row, column(16), column(32))?,
        clearing: clearing(row, column(23))?,
        resolve_at: row.get(column(27)),
        ended_at: row.get(column(28)),
        is_closed_unseen: row.get(column(29)),
        notification: row.get::<_, Option<i64>>(column(30)).map(NotificationId),
        last_occurred_at: row.get(column(31)),
    }))
}

fn acknowledgement(row: &Row, from: usize, comment: usize) -> Result<Option<Acknowledgement>> {
    let Some(via) = row.get::<_, Option<&str>>(from) else { return Ok(None) };
    let by = source(row, via, from + 1, [from + 2, from + 3, from + 4])?;
    let (at, expires_at) = (row.get(from + 5), row.get(from + 6));
    Ok(Some(Acknowledgement { by, at, comment: row.get(comment), expires_at }))
}

fn clearing(row: &Row, from: usize) -> Result<Option<Clearing>> {
    let Some(at) = row.get::<_, Option<Timestamp>>(from) else { return Ok(None) };
    let by = match row.get::<_, &str>(from + 1) {
        "satellite" => ClearedBy::Satellite,
        "timeout" => ClearedBy::Timeout,
        "operator" => ClearedBy::Operator(operator(row, from + 2)?),
        "cancellation" => ClearedBy::Cancellation,
        _ => return Err(broken("a cause of the end of a fault")),
    };
    Ok(Some(Clearing { at, by }))
}

/// Reads the sender of an input, from the columns of the notification, and of the user, their name and the event.
fn source(row: &Row, via: &str, notification: usize, of_user: [usize; 3]) -> Result<InputSource> {
    Ok(match via {
        "satellite" => InputSource::Satellite(NotificationId(row.get(notification))),
        "api" => InputSource::Api(operator(row, of_user[0])?),
        "matrix" => InputSource::Matrix {
            operator: operator(row, of_user[0])?,
            event: EventId::new(row.get::<_, String>(of_user[2])),
        },
        _ => return Err(broken("a sender")),
    })
}

fn operator(row: &Row, from: usize) -> Result<Operator> {
    let id = row.get::<_, Option<String>>(from).ok_or_else(|| broken("an operator"))?;
    let display_name = row.get::<_, Option<String>>(from + 1).unwrap_or_default();
    Ok(Operator { id: HubUserId::new(id), display_name })
}

/// Reads a waiting input: its row, then the content of its notification.
pub(super) fn input(row: &Row) -> Result<Input> {
    let kind = action_kind(row.get(2))?;
    let source = match row.get::<_, Option<i64>>(3) {
        Some(notification) => InputSource::Satellite(NotificationId(notification)),
        None => source(row, "matrix", 3, [4, 5, 6])?,
    };
    let draft = || -> Result<Draft> {
        Ok(Draft {
            source_app: row.get::<_, Option<String>>(13).ok_or_else(|| broken("a notification"))?,
            event_type: row.get(14),
            title: row.get(15),
            body: row.get(16),
            target: target(row, 17).ok_or_else(|| broken("a target"))?,
            priority: priority(row.get(21))?,
        })
    };
    let action = match kind {
        ActionKind::Trigger => Action::Trigger(Trigger {
            draft: draft()?,
            ack: AckRule {
                is_required: row.get::<_, Option<bool>>(10).unwrap_or_default(),
                expires_after: seconds(row, 11),
            },
            resolve_after: seconds(row, 12),
        }),
        ActionKind::Update => Action::Update(draft()?),
        ActionKind::Acknowledge => Action::Acknowledge,
        ActionKind::Unacknowledge => Action::Unacknowledge,
        ActionKind::Resolve => Action::Resolve,
        ActionKind::Cancel => Action::Cancel,
        ActionKind::Comment => Action::Comment,
    };
    Ok(Input {
        id: Some(AlarmInputId(row.get(0))),
        received_at: row.get(1),
        source,
        action,
        occurred_at: row.get(7),
        expected: Expected { episode: row.get(8), revision: None },
        comment: row.get(9),
    })
}

/// Reads an entry of a journal.
pub(super) fn journal_entry(row: &Row) -> Result<JournalEntry> {
    let cause = match (row.get::<_, Option<&str>>(3), row.get::<_, Option<&str>>(5)) {
        (Some(deadline), _) => {
            JournalCause::Deadline(Deadline::parse(deadline).ok_or_else(|| broken("a deadline"))?)
        }
        (None, Some(via)) => JournalCause::Input {
            id: row.get::<_, Option<i64>>(4).map(AlarmInputId),
            source: source(row, via, 6, [7, 8, 9])?,
            action: action_kind(row.get(10))?,
            comment: row.get(11),
            outcome: Outcome::parse(row.get(12), row.get(13)).ok_or_else(|| broken("an outcome"))?,
        },
        (None, None) => return Err(broken("a cause")),
    };
    Ok(JournalEntry { at: row.get(0), episode: row.get(1), state: state(row.get(2))?, cause })
}

fn state(stored: &str) -> Result<State> {
    State::parse(stored).ok_or_else(|| broken("a state"))
}

fn priority(stored: &str) -> Result<Priority> {
    Priority::parse(stored).ok_or_else(|| broken("a priority"))
}

fn action_kind(stored: &str) -> Result<ActionKind> {
    ActionKind::parse(stored).ok_or_else(|| broken("an action"))
}

fn seconds(row: &Row, column: usize) -> Option<Duration> {
    row.get::<_, Option<f64>>(column).map(duration)
}

fn broken(what: &str) -> Error {
    fault(Failure::Broken, READING, format!("an alarm has {what} that is unknown or incomplete"))
}
