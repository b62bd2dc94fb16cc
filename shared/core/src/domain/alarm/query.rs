//! Queries for the alarms of a tenant.

use jiff::Timestamp;

use crate::domain::{
    alarm::{Alarm, Episode, JournalEntry, State},
    entity::EntityId,
    event::Audience,
    id::{AlarmId, HubUserId},
    notification::Priority,
    search::{self, SearchTerms},
};

/// A query for a page of the alarms of a tenant. An alarm without any episode is never among them. All other
/// conditions are about the newest episode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlarmQuery {
    /// Only these states; `None` for all.
    pub state: Option<StateFilter>,
    /// Only this app.
    pub source_app: Option<String>,
    /// Only this priority.
    pub priority: Option<Priority>,
    /// Only the entity of this type with this id.
    pub entity: Option<(String, EntityId)>,
    /// Only alarms whose title or body contains these words.
    pub text: Option<SearchTerms>,
    /// The alarm after which the page begins; `None` for the first page.
    pub after: Option<AlarmCursor>,
    /// The largest number of results.
    pub limit: i64,
}

/// The states of the alarms of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFilter {
    /// All but normal.
    Open,
    /// Those that an operator has to acknowledge: active and returned to normal.
    Unacknowledged,
    /// Normal.
    Closed,
}

/// The place of an alarm in a list. The order is that of the beginnings of the newest episodes, the latest
/// first; of those at the same time, the alarm with the larger id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlarmCursor {
    /// The beginning of the newest episode.
    pub started_at: Timestamp,
    /// The alarm.
    pub id: AlarmId,
}

/// A query for a page of the journal of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalQuery {
    /// The entry before which the page ends; `None` for the newest page.
    pub before: Option<JournalCursor>,
    /// The largest number of entries.
    pub limit: i64,
}

/// The place of an entry in the journal of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournalCursor {
    /// The revision of the change.
    pub revision: i64,
    /// The number of the entry within the change.
    pub number: i64,
}

/// A page of the journal of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPage {
    /// The entries, newest first.
    pub entries: Vec<JournalEntry>,
    /// The [`before`](JournalQuery::before) of the next page; `None` at the end.
    pub next_before: Option<JournalCursor>,
}

impl AlarmQuery {
    /// Returns whether an alarm of the tenant matches, and the reader may read it.
    pub fn matches(&self, alarm: &Alarm, reader: &HubUserId) -> bool {
        let Some(episode) = &alarm.episode else { return false };
        let draft = &episode.draft;
        let is_after = |after| AlarmCursor::of(alarm).is_some_and(|place| place < after);
        let is_of = |(entity_type, entity_id): &(String, EntityId)| {
            draft.entity().is_some_and(|(of_type, of_id)| {
                of_type == entity_type && of_id.canonical() == entity_id.canonical()
            })
        };
        alarm.is_for(reader)
            && self.state.is_none_or(|state| state.includes(episode.state))
            && self.source_app.as_ref().is_none_or(|app| *app == alarm.key.source_app)
            && self.priority.is_none_or(|priority| priority == draft.priority)
            && self.entity.as_ref().is_none_or(is_of)
            && self.text.as_ref().is_none_or(|terms| terms.are_in(&searched(episode)))
            && self.after.is_none_or(is_after)
    }
}

impl AlarmCursor {
    /// Returns the place of an alarm; `None` before its first episode.
    pub fn of(alarm: &Alarm) -> Option<Self> {
        alarm.episode.as_ref().map(|episode| Self { started_at: episode.started_at, id: alarm.id })
    }
}

impl StateFilter {
    /// All filters.
    pub const ALL: [Self; 3] = [Self::Open, Self::Unacknowledged, Self::Closed];

    /// Returns the value in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unacknowledged => "unack",
            Self::Closed => "closed",
        }
    }

    /// Parses the value of a request; `None` if it is unknown.
    pub fn parse(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.as_str() == value)
    }

    /// Returns whether the filter includes a state.
    pub fn includes(self, state: State) -> bool {
        match self {
            Self::Open => state != State::Normal,
            Self::Unacknowledged => matches!(state, State::ActiveUnack | State::RtnUnack),
            Self::Closed => state == State::Normal,
        }
    }
}

impl Alarm {
    /// Returns whether a user of its tenant may read it: that of a direct message is for its target only.
    pub fn is_for(&self, user: &HubUserId) -> bool {
        let audience = self.episode.as_ref().map(|episode| episode.draft.audience(self.key.tenant));
        match audience {
            Some(Audience::User(_, target)) => target == *user,
            Some(Audience::Tenant(_)) => true,
            Some(Audience::Room(..)) | None => false,
        }
    }
}

/// Returns the folded text in which words are looked for.
fn searched(episode: &Episode) -> String {
    let body = episode.draft.body.as_deref().unwrap_or_default();
    search::fold(&format!("{}\n{body}", episode.draft.title))
}
