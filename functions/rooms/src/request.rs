//! The bodies and queries of requests, parsed into domain values.

use std::time::Duration;

use messenger_core::{
    Result,
    id::HUB_USER_ID_MAX,
    name,
    room::{RoomCreation, Search},
    typing::TYPING_FADES,
};
use messenger_runtime::fields::Fields;

const NAME_MAX: usize = 255;
const TOPIC_MAX: usize = 1000;
/// Longest id of a user, the Hub's or the homeserver's.
const USER_MAX: usize = HUB_USER_ID_MAX + 1;
/// The most users that a new room may have.
const INVITED_MAX: usize = 200;
const ENTITY_TYPE_MAX: usize = 100;
const OFFSET_MAX: i64 = 1_000_000;
/// The default of `timeout_ms`.
const TYPING: Duration = Duration::from_secs(30);
/// The smallest `timeout_ms`; the largest is [`TYPING_FADES`].
const TYPING_MIN: Duration = Duration::from_secs(1);

/// Parses `POST /rooms`.
pub(crate) fn creation(mut fields: Fields) -> Result<RoomCreation> {
    let name = name::legible(&fields.required_text("name", NAME_MAX));
    let topic = fields.optional_text("topic", TOPIC_MAX).map(|topic| name::legible(&topic));
    let topic = topic.filter(|topic| !topic.is_empty());
    let invite = fields.user_ids("invite_users", INVITED_MAX, USER_MAX);
    fields.refuse_misspelt();
    fields.finish()?;
    Ok(RoomCreation { name, topic, invite })
}

/// Parses `POST /rooms/{id}/invite`.
pub(crate) fn invited(mut fields: Fields) -> Result<String> {
    let invited = fields.required_name("hub_user_id", USER_MAX);
    fields.refuse_half("hub_user_id");
    fields.refuse_misspelt();
    fields.finish()?;
    Ok(invited)
}

/// Parses `POST /rooms/{id}/typing`. Returns `None` if the caller has stopped typing.
pub(crate) fn typing(mut fields: Fields) -> Result<Option<Duration>> {
    let is_typing = fields.required_flag("typing");
    let bounds = millis(TYPING_MIN)..=millis(TYPING_FADES);
    let timeout = fields.whole_within("timeout_ms", "milliseconds", millis(TYPING), bounds);
    fields.refuse_misspelt();
    fields.finish()?;
    Ok(is_typing.then(|| Duration::from_millis(timeout.unsigned_abs())))
}

/// Parses the query of `GET /rooms/directory`.
pub(crate) fn search(mut fields: Fields) -> Result<Search> {
    let search = Search {
        text: fields.optional_name("q", NAME_MAX).unwrap_or_default(),
        entity_type: fields.optional_name("entity_type", ENTITY_TYPE_MAX),
        limit: fields.number("limit", 50, 1, 200),
        offset: fields.number("offset", 0, 0, OFFSET_MAX),
    };
    fields.finish()?;
    Ok(search)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
