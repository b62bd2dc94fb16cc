//! Acts on alarms: their JSON, and their description.

use messenger_core::{
    Result,
    alarm::{ActKind, AlarmAct, Expected},
    app::alarms::ActResult,
    event::payload,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::{
    fields::{Fields, SMALL_BODY_MAX},
    openapi::{Caller, Operation, ResponseObject, code},
};

/// Longest comment, in characters.
const COMMENT_MAX: usize = 2000;

/// An alarm after an act.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlarmAfterAct")]
pub struct AlarmAfterAct {
    /// The alarm.
    alarm: payload::Alarm,
    /// Whether the act has changed it; false if it was already so, or if the alarm is normal.
    changed: bool,
}

impl From<ActResult> for AlarmAfterAct {
    fn from(result: ActResult) -> Self {
        Self { alarm: result.alarm, changed: result.is_changed }
    }
}

/// Describes a call of a user for the alarm with the id in its path.
pub fn of_alarm(operation: Operation) -> Operation {
    operation
        .caller(Caller::User)
        .path_parameter(json!({ "type": "integer", "format": "int64" }))
        .refuses(&[code::NOT_FOUND])
}

/// Describes an act of a user on the alarm with the id in its path.
pub fn act_on_alarm(operation: Operation) -> Operation {
    of_alarm(operation)
        .body_limit(SMALL_BODY_MAX)
        .answer(ResponseObject::json::<AlarmAfterAct>(200, "The alarm after the act."))
        .refuses(&[code::READ_ONLY_ROLE, code::EPISODE_OVER, code::STATE_CHANGED])
}

/// Parses an act that may have a comment.
pub fn act(kind: ActKind, mut fields: Fields) -> Result<AlarmAct> {
    let comment = fields.optional_text("comment", COMMENT_MAX);
    finish(kind, comment, fields)
}

/// Parses a comment.
pub fn comment(mut fields: Fields) -> Result<AlarmAct> {
    let comment = fields.required_text("comment", COMMENT_MAX);
    finish(ActKind::Comment, Some(comment), fields)
}

fn finish(kind: ActKind, comment: Option<String>, mut fields: Fields) -> Result<AlarmAct> {
    let expected = Expected { episode: fields.whole("episode"), revision: fields.whole("revision") };
    fields.refuse_misspelt();
    fields.finish()?;
    let comment = comment.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(AlarmAct { kind, expected, comment })
}
