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
use serde_json::Value;

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
    let invite = invite_users(&mut fields);
    if let Some(unknown) = fields.misspelt("invite_users").map(str::to_owned) {
        fields.wrong(&unknown, "is unknown: did you mean `invite_users`?");
    }
    fields.finish()?;
    Ok(RoomCreation { name, topic, invite })
}

/// Parses `POST /rooms/{id}/invite`.
pub(crate) fn invited(mut fields: Fields) -> Result<String> {
    let invited = fields.required_name("hub_user_id", USER_MAX);
    fields.refuse_half("hub_user_id");
    fields.finish()?;
    Ok(invited)
}

/// Parses `POST /rooms/{id}/typing`. Returns `None` if the caller has stopped typing.
pub(crate) fn typing(mut fields: Fields) -> Result<Option<Duration>> {
    let typing = fields.value("typing");
    if !matches!(typing, Some(Value::Bool(_))) {
        fields.wrong("typing", "is required: true or false");
    }
    let (least, most) = (TYPING_MIN.as_millis(), TYPING_FADES.as_millis());
    let expected = format!("a whole number of milliseconds from {least} to {most}");
    let timeout =
        fields.whole("timeout_ms", &expected).map(|timeout| u64::try_from(timeout).unwrap_or_default());
    let timeout = timeout.map_or(TYPING, Duration::from_millis);
    if !(TYPING_MIN..=TYPING_FADES).contains(&timeout) {
        fields.wrong("timeout_ms", &format!("must be {expected}"));
    }
    fields.finish()?;
    Ok((typing == Some(Value::Bool(true))).then_some(timeout))
}

/// Parses the query of `GET /rooms/directory`.
pub(crate) fn search(query: Option<&str>) -> Result<Search> {
    let mut fields = Fields::from_query(query);
    let search = Search {
        text: fields.optional_name("q", NAME_MAX).unwrap_or_default(),
        entity_type: fields.optional_name("entity_type", ENTITY_TYPE_MAX),
        limit: fields.number("limit", 50, 1, 200),
        offset: fields.number("offset", 0, 0, OFFSET_MAX),
    };
    fields.finish()?;
    Ok(search)
}

fn invite_users(fields: &mut Fields) -> Vec<String> {
    let list = match fields.value("invite_users") {
        None => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(_) => {
            fields.wrong("invite_users", "must be a list of user ids");
            return Vec::new();
        }
    };
    if list.len() > INVITED_MAX {
        fields.wrong("invite_users", &format!("must name at most {INVITED_MAX} users"));
        return Vec::new();
    }
    let mut users = Vec::with_capacity(list.len());
    for (n, user) in list.into_iter().enumerate() {
        match user {
            // U+FFFD stands for half of a surrogate pair: the id would be that of another user, or of none.
            Value::String(user)
                if !name::is_blank(&user)
                    && user.chars().count() <= USER_MAX
                    && !user.contains(['\0', '\u{fffd}']) =>
            {
                users.push(name::normal(&user).into_owned());
            }
            _ => fields.wrong(&format!("invite_users/{n}"), "must be the id of a user"),
        }
    }
    users
}
