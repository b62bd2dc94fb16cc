//! Alarms: one object for each fault, however often a satellite reports it (ISA-18.2, IEC 62682).
//!
//! [`step`] is the only rule that changes an [`Alarm`]. It is pure: the caller passes the waiting [`Input`]s
//! and the time of the database, and stores the returned [`Change`] as a whole.

mod act;
mod change;
mod change_builder;
mod chattering;
mod deadline;
mod episode;
mod input;
pub mod matrix_act;
mod occurrence;
mod query;
mod record;
mod state;
mod step;

pub use act::{ActKind, AlarmAct};
pub use change::{
    Change, ChangeKind, Conflict, IgnoredReason, JournalCause, JournalEntry, LiveEvent, Outcome, Ring,
    RingReason, Warning,
};
pub use chattering::Chattering;
pub use deadline::Deadline;
pub use episode::{Acknowledgement, ClearedBy, Clearing, Episode, REOPEN_WITHIN};
pub use input::{
    AckRule, Action, ActionKind, Expected, Input, InputSource, NewAlarmInput, Operator, SKEW_MAX, Trigger,
    own_dedup_key,
};
pub use occurrence::Occurrence;
pub use query::{AlarmCursor, AlarmQuery, JournalCursor, JournalPage, JournalQuery, StateFilter};
pub use record::{Alarm, AlarmKey, AlarmPart, EpisodeId};
pub use state::State;
pub use step::step;
