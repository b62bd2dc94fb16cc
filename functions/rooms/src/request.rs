//! What people ask for, parsed: every wrong field is named.

use std::time::Duration;

use messenger_core::{
    Result,
    id::HUB_USER_ID_MAX,
    room::{Founding, Search},
    typing::TYPING_FADES,
};
use messenger_runtime::fields::Fields;
use serde_json::Value;

const NAME_MAX: usize = 255;
const TOPIC_MAX: usize = 1000;
/// Longest id of a user, the Hub's or the homeserver's.
const USER_MAX: usize = HUB_USER_ID_MAX + 1;
/// Most people that a room begins with.
const INVITED_MAX: usize = 200;
const ENTITY_TYPE_MAX: usize = 100;
const OFFSET_MAX: i64 = 1_000_000;
/// How long somebody types unless they say it again; it may be said otherwise from this to [`TYPING_FADES`].
const TYPING: Duration = Duration::from_secs(30);
const TYPING_MIN: Duration = Duration::from_secs(1);

/// Parses `POST /rooms`.
pub(crate) fn founding(mut fields: Fields) -> Result<Founding> {
    let name = fields.required_text("name", NAME_MAX).trim().to_owned();
    let topic = fields.optional_text("topic", TOPIC_MAX).filter(|topic| !topic.trim().is_empty());
    let invite = invite_users(&mut fields);
    fields.finish()?;
    Ok(Founding { name, topic, invite })
}

/// Parses `POST /rooms/{id}/invite`.
pub(crate) fn invited(mut fields: Fields) -> Result<String> {
    let invited = fields.required_text("hub_user_id", USER_MAX);
    fields.finish()?;
    Ok(invited)
}

/// Parses `POST /rooms/{id}/typing`. `None`: they do not type any more.
pub(crate) fn typing(mut fields: Fields) -> Result<Option<Duration>> {
    let typing = fields.value("typing");
    if !matches!(typing, Some(Value::Bool(_))) {
        fields.wrong("typing", "is required: true or false");
    }
    let (least, most) = (TYPING_MIN.as_millis(), TYPING_FADES.as_millis());
    let lasting = match fields.value("timeout_ms").map(|given| given.as_u64()) {
        None => TYPING,
        Some(Some(given)) if (least..=most).contains(&given.into()) => Duration::from_millis(given),
        Some(_) => {
            let problem = format!("must be a whole number of milliseconds from {least} to {most}");
            fields.wrong("timeout_ms", &problem);
            TYPING
        }
    };
    fields.finish()?;
    Ok((typing == Some(Value::Bool(true))).then_some(lasting))
}

/// Parses the query of `GET /rooms/directory`.
pub(crate) fn search(query: Option<&str>) -> Result<Search> {
    let mut fields = Fields::from_query(query);
    let search = Search {
        text: fields.optional_text("q", NAME_MAX).unwrap_or_default().trim().to_owned(),
        entity_type: fields.optional_text("entity_type", ENTITY_TYPE_MAX),
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
            Value::String(user)
                if !user.trim().is_empty() && user.chars().count() <= USER_MAX && !user.contains('\0') =>
            {
                users.push(user);
            }
            _ => fields.wrong(&format!("invite_users/{n}"), "must be the id of a user"),
        }
    }
    users
}
