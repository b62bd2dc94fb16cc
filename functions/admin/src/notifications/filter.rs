//! The filter of notifications, in a query and in a body.

use messenger_core::{
    Result,
    admin::notifications::NotificationFilter,
    error::Problem,
    notification::{Priority, Status, TARGET_TYPES},
};
use messenger_runtime::fields::Fields;

const APP_MAX: usize = 100;
/// Longest `target`: a user id, or the type and id of an entity.
const TARGET_MAX: usize = 301;
const TEXT_MAX: usize = 200;

/// Parses the fields of a filter, which may stand beside others.
pub(crate) fn filter(fields: &mut Fields) -> NotificationFilter {
    let status = fields.one_of("status", &Status::ALL.map(Status::as_str), Problem::INVALID);
    let priority = fields.one_of("priority", &Priority::ALL.map(Priority::as_str), Problem::INVALID);
    let text = fields.optional_text("text", TEXT_MAX);
    NotificationFilter {
        source_app: fields.optional_name("app", APP_MAX),
        status: status.and_then(Status::parse),
        priority: priority.and_then(Priority::parse),
        target_type: fields.one_of("target_type", &TARGET_TYPES, Problem::INVALID),
        target: fields.optional_name("target", TARGET_MAX),
        from: fields.optional_time("from"),
        to: fields.optional_time("to"),
        text: text.filter(|text| !text.trim().is_empty()),
        is_test: fields.optional_flag("test"),
    }
}

/// Parses an object that is a filter. A misspelt field would select other notifications, so it is refused.
pub(crate) fn object(mut fields: Fields) -> Result<NotificationFilter> {
    let filter = filter(&mut fields);
    fields.refuse_unknown();
    fields.finish()?;
    Ok(filter)
}
