//! The form of an alarm as Matrix messages: the root message of an episode, its edits, and rings.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::domain::{
    alarm::{ClearedBy, Clearing, Episode, InputSource, Operator, RingReason, State},
    id::{AlarmId, EventId, MatrixUserId},
    message::replacement,
    name,
    notification::Priority,
    rendering::{MARK, MARKER, fitted, marker, mentions, msg_type, text, title},
};

/// The field of the content with the id of the alarm and the number of its episode.
pub const ALARM_MARKER: &str = "com.aesystek.alarm";

/// An episode of an alarm as its readers see it. Equal values have equal content.
#[derive(Debug, Clone, Copy)]
pub struct AlarmMessage<'a> {
    /// The alarm.
    pub alarm: AlarmId,
    /// The episode.
    pub episode: &'a Episode,
    /// The time zone of the tenant.
    pub time_zone: &'a TimeZone,
    /// The only reader of a direct message.
    pub recipient: Option<&'a MatrixUserId>,
}

impl AlarmMessage<'_> {
    /// Returns the content of the root message.
    pub fn root(&self) -> Value {
        fitted(self.body(), |body, has_html| self.content(&self.heading(), body, has_html))
    }

    /// Returns the content of the edit that brings the root message to this state.
    ///
    /// At its top level it mentions nobody and has no [`MARKER`], because a homeserver would ring for both.
    pub fn edit(&self, root: &EventId) -> Value {
        let heading = self.heading();
        fitted(self.body(), |body, has_html| {
            replacement(&self.content(&heading, body, has_html), &heading, root)
        })
    }

    /// Returns the content of a ring, which replies to the root message. Returns `None` for
    /// [`RingReason::Triggered`], because the root message is this ring.
    pub fn ring(&self, reason: RingReason, root: &EventId) -> Option<Value> {
        let reason = match reason {
            RingReason::Triggered => return None,
            RingReason::Reopened => "wieder aktiv".to_owned(),
            RingReason::PriorityRaised => format!("Priorität jetzt {}", self.priority()),
        };
        let heading =
            format!("{}{reason} · {} · {}", self.mark(), title(&self.episode.draft), self.counter());
        let mut content = self.content(&heading, None, true);
        content["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": root } });
        Some(content)
    }

    fn content(&self, heading: &str, body: Option<&str>, has_html: bool) -> Value {
        let draft = &self.episode.draft;
        let mut content = text(msg_type(draft.priority), heading, body, has_html);
        content[MARKER] = marker(draft);
        content[ALARM_MARKER] = json!({ "id": self.alarm, "episode": self.episode.number });
        content["m.mentions"] = mentions(draft.priority, self.recipient);
        content
    }

    fn body(&self) -> Option<&str> {
        self.episode.draft.body.as_deref()
    }

    /// Returns the first line: the state in words, the title and the counter.
    fn heading(&self) -> String {
        let title = title(&self.episode.draft);
        let mut heading = format!("{}{} · {title} · {}", self.mark(), self.state(), self.counter());
        if self.episode.state == State::Normal
            && let Some(acknowledged) = self.acknowledged()
        {
            heading = format!("{heading} · {acknowledged}");
        } else if self.episode.state.is_active() && self.episode.is_stale {
            heading.push_str(" · seit über 24 h aktiv");
        }
        heading
    }

    /// Returns the mark of an alarm that an operator has to acknowledge, or that is urgent.
    fn mark(&self) -> &'static str {
        let is_loud = self.episode.ack.is_required || self.episode.draft.priority == Priority::Urgent;
        if is_loud && self.episode.needs_attention() { MARK } else { "" }
    }

    fn state(&self) -> String {
        let cleared = self.episode.clearing.as_ref().map(|clearing| self.cleared(clearing));
        match self.episode.state {
            State::ActiveUnack => "unquittiert".to_owned(),
            State::ActiveAck => self.acknowledged().unwrap_or_else(|| "aktiv".to_owned()),
            State::RtnUnack => format!("{}, unquittiert", cleared.unwrap_or_default()),
            State::Normal if self.episode.is_closed_unseen => {
                format!("{}, ungesehen geschlossen", cleared.unwrap_or_default())
            }
            State::Normal => cleared.unwrap_or_default(),
        }
    }

    /// Returns the end of the fault in words, with the time since the first trigger.
    fn cleared(&self, clearing: &Clearing) -> String {
        let time = self.time(clearing.at);
        let duration = duration(self.episode.started_at, clearing.at);
        match &clearing.by {
            ClearedBy::Satellite => format!("behoben {time} ({duration})"),
            ClearedBy::Timeout => format!("behoben durch Zeitablauf {time} ({duration})"),
            ClearedBy::Operator(operator) => format!("behoben von {} {time} ({duration})", shown(operator)),
            ClearedBy::Cancellation => format!("zurückgezogen {time}"),
        }
    }

    /// Returns the acknowledgement in words; `None` without one, and if the operator who ended the fault gave
    /// it by the same act.
    fn acknowledged(&self) -> Option<String> {
        let acknowledgement = self.episode.acknowledgement.as_ref()?;
        let by = match &acknowledgement.by {
            InputSource::Satellite(_) => name::legible(&self.episode.draft.source_app),
            InputSource::Api(operator) | InputSource::Matrix { operator, .. } => shown(operator),
        };
        let is_same_act = self.episode.clearing.as_ref().is_some_and(|clearing| {
            clearing.at == acknowledgement.at && matches!(clearing.by, ClearedBy::Operator(_))
        });
        (!is_same_act).then(|| format!("quittiert von {by} {}", self.time(acknowledgement.at)))
    }

    fn counter(&self) -> String {
        let since = self.time(self.episode.started_at);
        match self.episode.occurrences {
            1 => format!("seit {since}"),
            occurrences => format!("{occurrences}× seit {since}"),
        }
    }

    /// Returns the time of day. The day is added if it is not that of the first trigger.
    fn time(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.time_zone.clone());
        let start = self.episode.started_at.to_zoned(self.time_zone.clone());
        let format = if local.date() == start.date() { "%H:%M" } else { "%d.%m. %H:%M" };
        local.strftime(format).to_string()
    }

    fn priority(&self) -> &'static str {
        match self.episode.draft.priority {
            Priority::Low => "niedrig",
            Priority::Normal => "normal",
            Priority::High => "hoch",
            Priority::Urgent => "dringend",
        }
    }
}

/// Returns the display name without invisible characters.
fn shown(operator: &Operator) -> String {
    name::legible(&operator.display_name)
}

/// Returns the time between two times in hours and minutes.
fn duration(from: Timestamp, to: Timestamp) -> String {
    let minutes = to.duration_since(from).as_mins();
    match (minutes / 60, minutes % 60) {
        (..=0, ..=0) => "unter 1 min".to_owned(),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
