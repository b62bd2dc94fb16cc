//! The JSON of answers.

use jiff::Timestamp;
use messenger_core::{
    alarm::{JournalCause, JournalEntry, JournalPage, Outcome, State},
    app::alarms::FoundAlarms,
    event::payload::Alarm,
    id::{EventId, HubUserId, NotificationId},
    name,
    time::{Rfc3339, rfc3339},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::request::{cursor_text, journal_cursor_text};

/// `GET /alarms`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Alarms {
    alarms: Vec<Alarm>,
    /// The `cursor` of the next page; null at the end.
    next_cursor: Option<String>,
}

/// `GET /alarms/{id}/journal`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlarmJournal")]
pub(crate) struct Journal {
    entries: Vec<JournalLine>,
    /// The `cursor` of the next page; null at the end.
    next_cursor: Option<String>,
}

/// An entry of the journal: an input, or a deadline that has passed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlarmJournalEntry")]
struct JournalLine {
    #[serde(serialize_with = "rfc3339")]
    #[schemars(with = "Rfc3339")]
    at: Timestamp,
    /// The number of the episode afterwards; 0 before the first trigger.
    episode: i64,
    /// The state afterwards.
    state: State,
    /// The requested change, or the deadline.
    #[schemars(extend("enum" = [
        "trigger", "update", "acknowledge", "unacknowledge", "resolve", "cancel", "comment", "resolve_timeout",
        "ack_expired", "stale", "closed_unseen",
    ]))]
    cause: &'static str,
    /// The way on which the input came.
    #[schemars(extend("enum" = ["satellite", "api", "matrix", "deadline"]))]
    via: &'static str,
    /// The user; null for a satellite and for a deadline.
    hub_user_id: Option<HubUserId>,
    /// The name of the user at that time.
    display_name: Option<String>,
    /// The notification of a satellite.
    notification_id: Option<NotificationId>,
    /// The reaction or reply of another Matrix client.
    matrix_event_id: Option<EventId>,
    comment: Option<String>,
    #[schemars(extend("enum" = ["applied", "unchanged", "ignored", "refused"]))]
    outcome: &'static str,
    /// The reason for which it was ignored or refused, or for which a part of it was left out.
    reason: Option<&'static str>,
}

impl From<FoundAlarms> for Alarms {
    fn from(found: FoundAlarms) -> Self {
        Self { alarms: found.alarms, next_cursor: found.next.map(cursor_text) }
    }
}

impl From<JournalPage> for Journal {
    fn from(page: JournalPage) -> Self {
        let next_cursor = page.next_before.map(journal_cursor_text);
        Self { entries: page.entries.into_iter().map(JournalLine::from).collect(), next_cursor }
    }
}

impl From<JournalEntry> for JournalLine {
    fn from(entry: JournalEntry) -> Self {
        let JournalEntry { at, episode, state, cause } = entry;
        match cause {
            JournalCause::Deadline(deadline) => Self {
                at,
                episode,
                state,
                cause: deadline.as_str(),
                via: "deadline",
                hub_user_id: None,
                display_name: None,
                notification_id: None,
                matrix_event_id: None,
                comment: None,
                outcome: "applied",
                reason: None,
            },
            JournalCause::Input { source, action, comment, outcome, .. } => Self {
                at,
                episode,
                state,
                cause: action.as_str(),
                via: source.via(),
                hub_user_id: source.operator().map(|operator| operator.id.clone()),
                display_name: source.operator().map(|operator| name::legible(&operator.display_name)),
                notification_id: source.notification(),
                matrix_event_id: source.event().cloned(),
                comment,
                outcome: outcome_name(outcome),
                reason: reason(outcome),
            },
        }
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied { .. } => "applied",
        Outcome::Unchanged => "unchanged",
        Outcome::Ignored(_) => "ignored",
        Outcome::Refused(_) => "refused",
    }
}

fn reason(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Applied { warning } => warning.map(|_| "other_target"),
        Outcome::Unchanged => None,
        Outcome::Ignored(reason) => Some(reason.as_str()),
        Outcome::Refused(conflict) => Some(conflict.code()),
    }
}
