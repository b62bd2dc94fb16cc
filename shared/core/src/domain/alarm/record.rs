//! The alarm of a key.

use jiff::Timestamp;

use crate::domain::{
    alarm::{Chattering, Episode, Input, Occurrence, State},
    id::{AlarmId, TenantId},
};

/// The key of an alarm. Inputs with the same key are about the same fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The application that reports the fault.
    pub source_app: String,
    /// The name of the fault within the application (the field `dedup_key`).
    pub dedup_key: String,
}

/// An episode of an alarm, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EpisodeId {
    /// The alarm.
    pub alarm: AlarmId,
    /// The number of the episode.
    pub episode: i64,
}

/// The part of an event of a room in an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmPart {
    /// It is a message of this episode, sent by this service.
    Message(EpisodeId),
    /// It is an act of an operator on this alarm.
    Input(AlarmId, Box<Input>),
}

/// An alarm, with the newest of its episodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its id.
    pub id: AlarmId,
    /// Its key.
    pub key: AlarmKey,
    /// The number of changes so far. A change is stored only if the revision is still the one it began with.
    pub revision: i64,
    /// The revision in which episode, state or priority changed last.
    pub state_revision: i64,
    /// The newest episode; `None` before the first trigger.
    pub episode: Option<Episode>,
    /// The newest occurrence.
    pub newest_occurrence: Option<Occurrence>,
    /// The latest activations, across episodes.
    pub chattering: Chattering,
    /// The time of the latest ring for a fault that came again or whose priority rose.
    pub repeated_ring_at: Option<Timestamp>,
    /// The time of the latest live event `alarm`.
    pub published_at: Option<Timestamp>,
    /// Whether readers do not know of the latest change yet.
    pub is_publish_due: bool,
}

impl Alarm {
    /// Creates an alarm without any episode.
    pub fn new(id: AlarmId, key: AlarmKey) -> Self {
        Self {
            id,
            key,
            revision: 0,
            state_revision: 0,
            episode: None,
            newest_occurrence: None,
            chattering: Chattering::default(),
            repeated_ring_at: None,
            published_at: None,
            is_publish_due: false,
        }
    }

    /// Returns the state.
    pub fn state(&self) -> State {
        self.episode.as_ref().map_or(State::Normal, |episode| episode.state)
    }

    /// Returns the number of the newest episode; 0 before the first trigger.
    pub fn episode_number(&self) -> i64 {
        self.episode.as_ref().map_or(0, |episode| episode.number)
    }
}
