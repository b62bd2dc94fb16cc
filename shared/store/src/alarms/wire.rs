//! Changes of alarms as the parameters of `apply_alarm_changes`.

use jiff::Timestamp;
use messenger_core::{
    alarm::{Alarm, ChangeKind, ClearedBy, Episode, InputSource, JournalCause, JournalEntry, RingReason},
    event::Kind,
    port::AlarmChange,
    time::Rfc3339,
};
use serde_json::{Map, Value, json};

use crate::pool::seconds;

/// The seconds after a message until an edit shows details. The pause doubles with each edit, up to a minute.
const PAUSE: f64 = 10.0;
/// The same while the alarm chatters.
const PAUSE_OF_CHATTERING: f64 = 60.0;

/// The parameters of a batch.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) changes: Vec<Value>,
    pub(super) episodes: Vec<Value>,
    pub(super) entries: Vec<Value>,
    pub(super) events: Vec<Value>,
}

impl Wire {
    /// Adds a change. Its number is that of the changes before it.
    pub(super) fn add(&mut self, stored: &AlarmChange) {
        let (n, change) = (self.changes.len(), &stored.change);
        let alarm = &change.alarm;
        self.changes.push(alarm_of(n, change.expected_revision, alarm, change.next_at));
        let earlier = change.earlier_episodes.iter().map(|episode| (episode, true, None));
        let pause = pause(stored);
        let is_shown = change.kind != ChangeKind::None;
        let newest = alarm.episode.as_ref().map(|episode| (episode, is_shown, pause));
        for (episode, is_shown, pause) in earlier.chain(newest) {
            let ring = change
                .ring
                .filter(|ring| ring.episode == episode.number && ring.reason != RingReason::Triggered);
            let mut fields = episode_of(alarm, episode);
            fields.insert("n".to_owned(), json!(n));
            fields.insert("is_shown".to_owned(), json!(is_shown));
            fields.insert("pause".to_owned(), json!(pause));
            fields.insert("ring".to_owned(), json!(ring.map(|ring| ring.reason.as_str())));
            self.episodes.push(Value::Object(fields));
        }
        for (place, entry) in change.journal.iter().enumerate() {
            self.entries.push(entry_of(n, place, alarm, entry));
        }
        let mut announced = stored.announced();
        for event in &stored.events {
            let notification = if event.kind == Kind::Notification { announced.next() } else { None };
            self.events.push(json!({
                "n": n,
                "place": self.events.len(),
                "tenant_id": event.audience.tenant(),
                "audience": event.audience.to_string(),
                "kind": event.kind.as_str(),
                "room": event.room,
                "payload": event.payload.as_str(),
                "notification_id": notification,
            }));
        }
    }
}

/// Returns the pause before the message of a change; `None` if it is due at once. A state is shown at once, but not
/// each state of an alarm that chatters, unless an operator caused it.
fn pause(stored: &AlarmChange) -> Option<f64> {
    let change = &stored.change;
    let is_by_operator = |entry: &JournalEntry| matches!(&entry.cause, JournalCause::Input { source, .. } if source.operator().is_some());
    let at = change.journal.last().map(|entry| entry.at);
    let chatters = at.is_some_and(|at| change.alarm.chattering.is_on(at));
    match change.kind {
        ChangeKind::State if chatters && !change.journal.iter().any(is_by_operator) => {
            Some(PAUSE_OF_CHATTERING)
        }
        ChangeKind::State => None,
        ChangeKind::Detail | ChangeKind::None if chatters => Some(PAUSE_OF_CHATTERING),
        ChangeKind::Detail | ChangeKind::None => Some(PAUSE),
    }
}

fn alarm_of(n: usize, expected: i64, alarm: &Alarm, next_at: Option<Timestamp>) -> Value {
    let activations: Vec<_> = alarm.chattering.activations.iter().copied().map(Rfc3339).collect();
    json!({
        "n": n,
        "id": alarm.id,
        "tenant_id": alarm.key.tenant,
        "source_app": alarm.key.source_app,
        "dedup_key": alarm.key.dedup_key,
        "expected": expected,
        "revision": alarm.revision,
        "state_revision": alarm.state_revision,
        "episode": alarm.episode_number(),
        "state": alarm.state().as_str(),
        "started_at": time(alarm.episode.as_ref().map(|episode| episode.started_at)),
        "occurred_at": time(alarm.newest_occurrence.map(|occurrence| occurrence.at)),
        "occurred_action": alarm.newest_occurrence.map(|occurrence| occurrence.action.as_str()),
        "activations": activations,
        "chattering_until": time(alarm.chattering.until),
        "repeated_ring_at": time(alarm.repeated_ring_at),
        "published_at": time(alarm.published_at),
        "is_publish_due": alarm.is_publish_due,
        "next_at": time(next_at),
    })
}

fn episode_of(alarm: &Alarm, episode: &Episode) -> Map<String, Value> {
    let draft = &episode.draft;
    let mut fields = Map::new();
    for part in [
        json!({
            "alarm_id": alarm.id,
            "number": episode.number,
            "state": episode.state.as_str(),
            "event_type": draft.event_type,
            "title": draft.title,
            "body": draft.body,
            "target_type": draft.target_type(),
            "entity_type": draft.entity().map(|(entity_type, _)| entity_type),
            "entity_id": draft.entity().map(|(_, entity_id)| entity_id),
            "target_user": draft.recipient(),
            "priority": draft.priority.as_str(),
            "ack_required": episode.ack.is_required,
            "ack_expires_after": episode.ack.expires_after.map(seconds),
            "notification_id": episode.notification,
            "occurrences": episode.occurrences,
            "last_occurred_at": time(Some(episode.last_occurred_at)),
            "started_at": time(Some(episode.started_at)),
            "active_since": time(Some(episode.active_since)),
            "is_stale": episode.is_stale,
            "resolve_at": time(episode.resolve_at),
            "ended_at": time(episode.ended_at),
            "is_closed_unseen": episode.is_closed_unseen,
            "revision": alarm.revision,
            "queue": draft.room_key(alarm.key.tenant).to_string(),
        }),
        acknowledgement_of(episode),
        clearing_of(episode),
    ] {
        if let Value::Object(part) = part {
            fields.extend(part);
        }
    }
    fields
}

fn acknowledgement_of(episode: &Episode) -> Value {
    let Some(acknowledgement) = &episode.acknowledgement else { return json!({}) };
    let by = &acknowledgement.by;
    json!({
        "ack_via": by.via(),
        "ack_notification": by.notification(),
        "ack_user": by.operator().map(|operator| &operator.id),
        "ack_user_name": by.operator().map(|operator| &operator.display_name),
        "ack_event": by.event(),
        "ack_comment": acknowledgement.comment,
        "acked_at": time(Some(acknowledgement.at)),
        "ack_expires_at": time(acknowledgement.expires_at),
    })
}

fn clearing_of(episode: &Episode) -> Value {
    let Some(clearing) = &episode.clearing else { return json!({}) };
    let (by, operator) = match &clearing.by {
        ClearedBy::Satellite => ("satellite", None),
        ClearedBy::Timeout => ("timeout", None),
        ClearedBy::Operator(operator) => ("operator", Some(operator)),
        ClearedBy::Cancellation => ("cancellation", None),
    };
    json!({
        "cleared_at": time(Some(clearing.at)),
        "cleared_by": by,
        "cleared_user": operator.map(|operator| &operator.id),
        "cleared_user_name": operator.map(|operator| &operator.display_name),
    })
}

fn entry_of(n: usize, place: usize, alarm: &Alarm, entry: &JournalEntry) -> Value {
    let mut fields = json!({
        "n": n,
        "alarm_id": alarm.id,
        "revision": alarm.revision,
        "place": place,
        "at": time(Some(entry.at)),
        "episode": entry.episode,
        "state": entry.state.as_str(),
    });
    let cause = match &entry.cause {
        JournalCause::Deadline(deadline) => json!({ "deadline": deadline.as_str() }),
        JournalCause::Input { id, source, action, comment, outcome } => {
            let (outcome, detail) = outcome.stored();
            let operator = source.operator();
            json!({
                "input_id": id,
                "via": source.via(),
                "notification_id": source.notification(),
                "hub_user_id": operator.map(|operator| &operator.id),
                "user_name": operator.map(|operator| &operator.display_name),
                "event_id": InputSource::event(source),
                "action": action.as_str(),
                "comment": comment,
                "outcome": outcome,
                "detail": detail,
            })
        }
    };
    if let (Value::Object(fields), Value::Object(cause)) = (&mut fields, cause) {
        fields.extend(cause);
    }
    fields
}

fn time(at: Option<Timestamp>) -> Option<Rfc3339> {
    at.map(Rfc3339)
}
