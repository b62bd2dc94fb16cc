//! The fields by which a notification is the input of an alarm.

use std::{ops::RangeInclusive, time::Duration};

use jiff::Timestamp;
use messenger_core::{
    alarm::{AckRule, Action, ActionKind, NewAlarmInput, SKEW_MAX, Trigger, Warning},
    error::Problem,
    notification::Draft,
};
use messenger_runtime::fields::{Fields, misspelling_of};
use serde_json::json;

/// Longest `dedup_key`, in characters.
const DEDUP_KEY_MAX: usize = 255;
/// The bounds of `resolve_after_seconds` and of `ack.expires_after_seconds`: a minute and 30 days.
const SECONDS: RangeInclusive<i64> = 60..=2_592_000;
/// The values of `event_action`, of which the first is the default.
const ACTIONS: [ActionKind; 5] = [
    ActionKind::Trigger,
    ActionKind::Update,
    ActionKind::Acknowledge,
    ActionKind::Resolve,
    ActionKind::Cancel,
];
/// The fields whose misspelling would change what happens to an alarm.
const DECISIVE: [&str; 5] =
    ["dedup_key", "event_action", "ack_required", "resolve_after_seconds", "occurred_at"];

/// The fields of an alarm.
pub(crate) struct AlarmFields {
    dedup_key: Option<String>,
    action: ActionKind,
    is_ack_required: bool,
    /// `ack`, with the names of its unknown fields.
    ack: Option<(Option<Duration>, Vec<String>)>,
    resolve_after: Option<Duration>,
    occurred_at: Option<Timestamp>,
}

impl AlarmFields {
    /// Reads the fields.
    pub(crate) fn read(fields: &mut Fields) -> Self {
        let dedup_key = fields.optional_name("dedup_key", DEDUP_KEY_MAX);
        fields.refuse_half("dedup_key");
        let action = fields.one_of("event_action", &ACTIONS.map(ActionKind::as_str), Problem::INVALID);
        let action = ACTIONS.into_iter().find(|known| Some(known.as_str()) == action);
        Self {
            dedup_key,
            action: action.unwrap_or(ActionKind::Trigger),
            is_ack_required: fields.optional_flag("ack_required").unwrap_or_default(),
            ack: fields.optional_object("ack", |mut ack| {
                let expires_after = seconds(&mut ack, "expires_after_seconds");
                ack.refuse_misspelt();
                Ok((expires_after, ack.finish()?))
            }),
            resolve_after: seconds(fields, "resolve_after_seconds"),
            occurred_at: fields.optional_time("occurred_at"),
        }
    }

    /// Returns whether the notification needs a title and a type.
    pub(crate) fn needs_text(&self) -> bool {
        matches!(self.action, ActionKind::Trigger | ActionKind::Update)
    }

    /// Returns the type of a notification that has none.
    pub(crate) fn default_event_type(&self) -> String {
        self.action.as_str().to_owned()
    }

    /// Returns the title of a notification that has none: the name of the fault.
    pub(crate) fn default_title(&self) -> String {
        self.dedup_key.clone().unwrap_or_else(|| self.action.as_str().to_owned())
    }

    /// Checks the fields against each other, when all known fields have been read. Returns warnings about fields
    /// that have no effect.
    pub(crate) fn check(&self, fields: &mut Fields) -> Vec<String> {
        describe_needs(fields);
        for name in DECISIVE {
            if let Some(unknown) = fields.misspelt(name).map(str::to_owned) {
                fields.wrong(&unknown, &misspelling_of(name));
            }
        }
        let action = self.action.as_str();
        if self.dedup_key.is_none() && self.action != ActionKind::Trigger {
            let message = format!(
                "is required with the event action `{action}`: the name of the fault, as in its first notification"
            );
            fields.wrong_as("dedup_key", "dedup_key_required", &message);
        }
        let unknown = self.ack.iter().flat_map(|(_, unknown)| unknown);
        let unknown = unknown.map(|name| format!("the field `ack.{name}` is unknown and was ignored"));
        unknown.chain(self.without_effect(&format!("with the event action `{action}`"))).collect()
    }

    fn without_effect(&self, with_action: &str) -> Vec<String> {
        let is_trigger = self.action == ActionKind::Trigger;
        let is_input = self.dedup_key.is_some() || self.is_ack_required;
        let no_alarm = "without `dedup_key` or `ack_required`";
        let of_trigger = |is_given: bool| match (is_given, is_input, is_trigger) {
            (true, false, _) => Some(no_alarm),
            (true, true, false) => Some(with_action),
            _ => None,
        };
        let ack = self.ack.is_some();
        let effects = [
            ("ack_required", of_trigger(self.is_ack_required)),
            ("ack", of_trigger(ack).or((ack && !self.is_ack_required).then_some("without `ack_required`"))),
            ("resolve_after_seconds", of_trigger(self.resolve_after.is_some())),
            ("occurred_at", (self.occurred_at.is_some() && !is_input).then_some(no_alarm)),
        ];
        let effects = effects.into_iter().filter_map(|(name, why)| Some((name, why?)));
        effects.map(|(name, why)| format!("the field `{name}` has no effect {why}")).collect()
    }

    /// Returns the input of an alarm; `None` if the notification stands for itself.
    pub(crate) fn input(self, draft: &Draft) -> Option<NewAlarmInput> {
        if self.dedup_key.is_none() && !self.is_ack_required {
            return None;
        }
        let expires_after = self.ack.and_then(|(expires_after, _)| expires_after);
        let ack = AckRule { is_required: self.is_ack_required, expires_after };
        let action = match self.action {
            ActionKind::Update => Action::Update(draft.clone()),
            ActionKind::Acknowledge => Action::Acknowledge,
            ActionKind::Resolve => Action::Resolve,
            ActionKind::Cancel => Action::Cancel,
            ActionKind::Trigger | ActionKind::Unacknowledge | ActionKind::Comment => {
                Action::Trigger(Trigger { draft: draft.clone(), ack, resolve_after: self.resolve_after })
            }
        };
        Some(NewAlarmInput { dedup_key: self.dedup_key, action, occurred_at: self.occurred_at })
    }
}

/// Returns a warning if the clock of the satellite differs from that of the service.
pub(crate) fn skew(occurred_at: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let ahead = occurred_at?.duration_since(now);
    let minutes = ahead.as_mins().abs();
    if ahead > SKEW_MAX {
        Some(format!(
            "`occurred_at` is {minutes} minutes in the future, so it orders nothing: check the clock of the satellite"
        ))
    } else if ahead < -SKEW_MAX {
        Some(format!(
            "`occurred_at` is {minutes} minutes in the past: check the clock of the satellite, unless it reports late"
        ))
    } else {
        None
    }
}

/// Returns the text of a warning.
pub(crate) fn warning(warning: Warning) -> String {
    match warning {
        Warning::OtherTarget => {
            "the alarm has another target since its first trigger: this one counts, and its text and target \
             are left out"
                .to_owned()
        }
    }
}

fn seconds(fields: &mut Fields, name: &'static str) -> Option<Duration> {
    let seconds = fields.optional_whole_within(name, "seconds", SECONDS)?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// Describes that a trigger and an update have a title and a type, and that all but a trigger name an alarm.
fn describe_needs(fields: &Fields) {
    let is = |actions: &[&str]| json!({ "properties": { "event_action": { "enum": actions } }, "required": ["event_action"] });
    let given = json!({ "not": { "type": "null" } });
    fields.describe_rule(|| {
        json!({
            "if": is(&["acknowledge", "resolve", "cancel"]),
            "else": { "properties": { "event_type": given, "title": given }, "required": ["event_type", "title"] },
        })
    });
    fields.describe_rule(|| {
        json!({
            "if": is(&["update", "acknowledge", "resolve", "cancel"]),
            "then": { "properties": { "dedup_key": given }, "required": ["dedup_key"] },
        })
    });
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_clock_that_is_off_by_more_than_five_minutes_is_named() {
        let now = Timestamp::UNIX_EPOCH;
        let at = |seconds| skew(Some(now + SignedDuration::from_secs(seconds)), now);
        assert_eq!((skew(None, now), at(300), at(-300)), (None, None, None));
        assert!(at(301).is_some_and(|warning| warning.contains("5 minutes in the future")));
        assert!(at(-7200).is_some_and(|warning| warning.contains("120 minutes in the past")));
    }
}
