//! The requests of users for their inbox, parsed into domain values.

use messenger_core::{
    Result,
    error::Problem,
    id::NotificationId,
    inbox::{InboxQuery, ReadEntries},
    notification::{EntityId, Priority},
};
use messenger_runtime::fields::Fields;

const NAME_MAX: usize = 100;
const ENTITY_ID_MAX: usize = 200;
/// The default and the largest number of entries of a page.
const LIMIT: (i64, i64) = (50, 200);
/// The most notifications that a call may name.
const IDS_MAX: usize = 200;

/// Parses the query of `GET /notifications/inbox`.
pub(crate) fn page_query(mut fields: Fields) -> Result<InboxQuery> {
    let priority = fields.one_of("priority", &Priority::ALL.map(Priority::as_str), Problem::INVALID);
    let entity_type = fields.optional_name("entity_type", NAME_MAX);
    let entity_id = fields.optional_name("entity_id", ENTITY_ID_MAX);
    let query = InboxQuery {
        before: fields.optional_number("before", 1, i64::MAX).map(NotificationId),
        limit: fields.number("limit", LIMIT.0, 1, LIMIT.1),
        priority: priority.and_then(Priority::parse),
        source_app: fields.optional_name("source_app", NAME_MAX),
        since: fields.optional_time("since"),
        text: fields.optional_words("q"),
        unread: fields.optional_flag("unread").unwrap_or_default(),
        entity: match (entity_type, entity_id) {
            (Some(entity_type), Some(entity_id)) => Some((entity_type, EntityId::parse(&entity_id))),
            (Some(_), None) => {
                fields.wrong("entity_id", "is required with `entity_type`");
                None
            }
            (None, Some(_)) => {
                fields
                    .wrong("entity_type", "is required with `entity_id`: the kind of thing, as in `machine`");
                None
            }
            (None, None) => None,
        },
    };
    fields.finish()?;
    Ok(query)
}

/// Parses `POST /notifications/inbox/read`.
pub(crate) fn read_body(mut fields: Fields) -> Result<ReadEntries> {
    let up_to = fields.whole("up_to").map(NotificationId);
    let ids = fields.whole_numbers("ids", "notifications", IDS_MAX);
    if up_to.is_none() && ids.is_empty() && !fields.is_wrong("ids") {
        fields.wrong(
            "up_to",
            "is required unless `ids` names notifications: the id of the last one that was read",
        );
    }
    fields.refuse_misspelt();
    fields.finish()?;
    Ok(ReadEntries { up_to, ids: ids.into_iter().map(NotificationId).collect() })
}
