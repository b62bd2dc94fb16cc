//! The JSON of an alarm: in the live event `alarm`, and in the answers about alarms.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{
    alarm::{self, Acknowledgement, ClearedBy, Clearing, Episode, Operator},
    id::{AlarmId, HubUserId, NotificationId, RoomId},
    name,
    notification::{EntityId, Priority},
    time::{rfc3339, rfc3339_or_null},
};

/// An alarm that has changed.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlarmChanged {
    /// The alarm after the change.
    pub alarm: Alarm,
}

/// An alarm with an episode of it, which is the newest one.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own for clients")]
pub struct Alarm {
    /// Its id.
    id: AlarmId,
    /// The name of the satellite.
    source_app: String,
    /// The name of the fault within the satellite.
    dedup_key: String,
    /// The state (ISA-18.2).
    state: alarm::State,
    /// The number of the episode, beginning with 1.
    episode: i64,
    /// The number of changes so far. Of two objects of an alarm, the one with the greater revision is newer.
    revision: i64,
    /// The satellite's own type of event.
    event_type: String,
    /// One line, as readers see it.
    title: String,
    /// The text below the title, as readers see it.
    body: Option<String>,
    /// The highest priority of the episode.
    priority: Priority,
    /// `general`, `entity_room`, `service_room` or `dm`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::domain::notification::TARGET_TYPES)))]
    target_type: &'static str,
    entity_type: Option<String>,
    entity_id: Option<EntityId>,
    /// The only reader of a direct message.
    target_user: Option<HubUserId>,
    /// The room, if it exists already.
    room_id: Option<RoomId>,
    /// The notification of the first trigger.
    notification_id: Option<NotificationId>,
    /// The number of triggers.
    occurrences: i64,
    /// Whether it became active at least three times in a minute, and had no ten calm minutes since.
    chattering: bool,
    /// Whether it has been active for a day.
    stale: bool,
    /// The time of the first trigger.
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::domain::time::Rfc3339"))]
    started_at: Timestamp,
    /// The time of the latest activation.
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::domain::time::Rfc3339"))]
    active_since: Timestamp,
    /// The time of the latest trigger: `occurred_at` of the satellite, or that of its receipt.
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::domain::time::Rfc3339"))]
    last_occurred_at: Timestamp,
    /// Whether somebody has to acknowledge it.
    ack_required: bool,
    /// The acknowledgement; null if it is not acknowledged.
    acked_by: Option<AckedBy>,
    /// The end of the fault; null while the fault is present.
    cleared: Option<Cleared>,
    /// The time at which the fault counts as over without a further trigger; null for never.
    #[serde(serialize_with = "rfc3339_or_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::domain::time::Rfc3339>"))]
    resolve_at: Option<Timestamp>,
    /// The time at which the alarm became normal; null while it is open.
    #[serde(serialize_with = "rfc3339_or_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::domain::time::Rfc3339>"))]
    ended_at: Option<Timestamp>,
    /// Whether it ended because nobody acknowledged it for a day after the fault was over.
    closed_unseen: bool,
}

/// An acknowledgement of an alarm.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AckedBy {
    /// The user; null for a satellite.
    hub_user_id: Option<HubUserId>,
    /// The name of the user at that time, or of the satellite.
    display_name: String,
    /// The way on which it came.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["api", "matrix", "satellite"])))]
    via: &'static str,
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::domain::time::Rfc3339"))]
    at: Timestamp,
    comment: Option<String>,
    /// The time at which it expires; null if it does not.
    #[serde(serialize_with = "rfc3339_or_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::domain::time::Rfc3339>"))]
    expires_at: Option<Timestamp>,
}

/// The end of a fault.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Cleared {
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::domain::time::Rfc3339"))]
    at: Timestamp,
    /// The cause: the satellite, a user, no trigger in time, or a withdrawal by the satellite.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["satellite", "user", "timeout", "cancel"])))]
    by: &'static str,
    /// The user; null for other causes.
    hub_user_id: Option<HubUserId>,
    /// The name of the user at that time; null for other causes.
    display_name: Option<String>,
}

impl Alarm {
    /// Returns the object of an alarm with this episode, at this time. `room` is that of the episode.
    pub fn of(alarm: &alarm::Alarm, episode: &Episode, room: Option<&RoomId>, now: Timestamp) -> Self {
        let draft = &episode.draft;
        Self {
            id: alarm.id,
            source_app: alarm.key.source_app.clone(),
            dedup_key: alarm.key.dedup_key.clone(),
            state: episode.state,
            episode: episode.number,
            revision: alarm.revision,
            event_type: draft.event_type.clone(),
            title: draft.shown_title(),
            body: draft.shown_body(),
            priority: draft.priority,
            target_type: draft.target_type(),
            entity_type: draft.entity().map(|(entity_type, _)| entity_type.to_owned()),
            entity_id: draft.entity().map(|(_, entity_id)| entity_id.clone()),
            target_user: draft.recipient().cloned(),
            room_id: room.cloned(),
            notification_id: episode.notification,
            occurrences: episode.occurrences,
            chattering: alarm.chattering.is_on(now),
            stale: episode.is_stale,
            started_at: episode.started_at,
            active_since: episode.active_since,
            last_occurred_at: episode.last_occurred_at,
            ack_required: episode.ack.is_required,
            acked_by: episode.acknowledgement.as_ref().map(|given| AckedBy::of(given, &draft.source_app)),
            cleared: episode.clearing.as_ref().map(Cleared::from),
            resolve_at: episode.resolve_at,
            ended_at: episode.ended_at,
            closed_unseen: episode.is_closed_unseen,
        }
    }
}

impl AckedBy {
    /// Returns the object of an acknowledgement of an alarm of this application.
    pub fn of(given: &Acknowledgement, source_app: &str) -> Self {
        let operator = given.by.operator();
        Self {
            hub_user_id: operator.map(|operator| operator.id.clone()),
            display_name: operator.map_or_else(|| name::legible(source_app), shown),
            via: given.by.via(),
            at: given.at,
            comment: given.comment.clone(),
            expires_at: given.expires_at,
        }
    }
}

impl From<&Clearing> for Cleared {
    fn from(clearing: &Clearing) -> Self {
        let (by, operator) = match &clearing.by {
            ClearedBy::Satellite => ("satellite", None),
            ClearedBy::Operator(operator) => ("user", Some(operator)),
            ClearedBy::Timeout => ("timeout", None),
            ClearedBy::Cancellation => ("cancel", None),
        };
        Self {
            at: clearing.at,
            by,
            hub_user_id: operator.map(|operator| operator.id.clone()),
            display_name: operator.map(shown),
        }
    }
}

/// Returns the name of an operator as readers see it.
fn shown(operator: &Operator) -> String {
    name::legible(&operator.display_name)
}
