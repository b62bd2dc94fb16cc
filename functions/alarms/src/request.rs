//! The queries of requests, parsed into domain values.

use jiff::Timestamp;
use messenger_core::{
    Result,
    alarm::{AlarmCursor, AlarmQuery, JournalCursor, JournalQuery, StateFilter},
    error::Problem,
    id::AlarmId,
    notification::{EntityId, Priority},
};
use messenger_runtime::fields::Fields;

const NAME_MAX: usize = 100;
const ENTITY_ID_MAX: usize = 200;
/// Longest cursor, in characters.
const CURSOR_MAX: usize = 64;
/// The default and the largest number of alarms of a page.
const LIMIT: (i64, i64) = (50, 200);
/// The default and the largest number of entries of a page of a journal.
const JOURNAL_LIMIT: (i64, i64) = (100, 500);

/// Parses the query of `GET /alarms`.
pub(crate) fn page(mut fields: Fields) -> Result<AlarmQuery> {
    let state = fields.one_of("state", &StateFilter::ALL.map(StateFilter::as_str), Problem::INVALID);
    let priority = fields.one_of("priority", &Priority::ALL.map(Priority::as_str), Problem::INVALID);
    let entity_type = fields.optional_name("entity_type", NAME_MAX);
    let entity_id = fields.optional_name("entity_id", ENTITY_ID_MAX);
    let query = AlarmQuery {
        state: state.and_then(StateFilter::parse),
        source_app: fields.optional_name("source_app", NAME_MAX),
        priority: priority.and_then(Priority::parse),
        text: fields.optional_words("q"),
        after: cursor(&mut fields).map(|(micros, id)| AlarmCursor { started_at: micros, id: AlarmId(id) }),
        limit: fields.number("limit", LIMIT.0, 1, LIMIT.1),
        entity: entity(&mut fields, entity_type, entity_id),
    };
    fields.finish()?;
    Ok(query)
}

/// Parses the query of `GET /alarms/{id}/journal`.
pub(crate) fn journal(mut fields: Fields) -> Result<JournalQuery> {
    let query = JournalQuery {
        before: pair(&mut fields).map(|(revision, number)| JournalCursor { revision, number }),
        limit: fields.number("limit", JOURNAL_LIMIT.0, 1, JOURNAL_LIMIT.1),
    };
    fields.finish()?;
    Ok(query)
}

/// Returns the `next_cursor` of a page that ends with this alarm.
pub(crate) fn cursor_text(cursor: AlarmCursor) -> String {
    format!("{}.{}", cursor.started_at.as_microsecond(), cursor.id)
}

/// Returns the `next_cursor` of a page of a journal that ends with this entry.
pub(crate) fn journal_cursor_text(cursor: JournalCursor) -> String {
    format!("{}.{}", cursor.revision, cursor.number)
}

fn entity(
    fields: &mut Fields,
    entity_type: Option<String>,
    entity_id: Option<String>,
) -> Option<(String, EntityId)> {
    match (entity_type, entity_id) {
        (Some(entity_type), Some(entity_id)) => Some((entity_type, EntityId::parse(&entity_id))),
        (Some(_), None) => {
            fields.wrong("entity_id", "is required with `entity_type`");
            None
        }
        (None, Some(_)) => {
            fields.wrong("entity_type", "is required with `entity_id`: the kind of thing, as in `machine`");
            None
        }
        (None, None) => None,
    }
}

fn cursor(fields: &mut Fields) -> Option<(Timestamp, i64)> {
    let (micros, id) = pair(fields)?;
    let time = Timestamp::from_microsecond(micros).ok();
    if time.is_none() {
        wrong(fields);
    }
    Some((time?, id))
}

/// Returns the numbers of a cursor.
fn pair(fields: &mut Fields) -> Option<(i64, i64)> {
    let text = fields.optional_text("cursor", CURSOR_MAX).filter(|text| !text.is_empty())?;
    let pair = text.split_once('.').and_then(|(one, other)| Some((one.parse().ok()?, other.parse().ok()?)));
    if pair.is_none() {
        wrong(fields);
    }
    pair
}

fn wrong(fields: &mut Fields) {
    fields.wrong("cursor", "must be the `next_cursor` of the page before");
}
