//! The target of a notification. A request whose fields do not determine the recipients is refused: a
//! notification for one user must never reach the whole tenant.

use messenger_core::{
    id::{HUB_USER_ID_MAX, HubUserId},
    notification::{EntityId, TARGET_TYPES, Target},
};
use serde_json::json;

use super::{
    Fields,
    misspelt::{did_you_mean, misspelling_of},
};

/// Longest `entity_type`, in characters.
const NAME_MAX: usize = 100;
const ENTITY_ID_MAX: usize = 200;
/// The fields that identify the target, in the order in which they are read.
const ADDRESSES: [&str; 3] = ["entity_type", "entity_id", "target_user"];

/// Parses the target. Also returns warnings about fields that have no effect on it.
pub fn target(fields: &mut Fields) -> (Target, Vec<String>) {
    let target_type = fields.one_of("target_type", &TARGET_TYPES, "invalid_target");
    let entity_type = fields.optional_name("entity_type", NAME_MAX);
    let entity_id = fields.entity_id("entity_id", ENTITY_ID_MAX);
    let target_user = fields.optional_name("target_user", HUB_USER_ID_MAX);
    fields.refuse_half("target_user");
    describe_needs(fields);
    let present = [entity_type.is_some(), entity_id.is_some(), target_user.is_some()];
    let present_except = |used: &[&str]| -> Vec<&str> {
        let present =
            ADDRESSES.into_iter().zip(present).filter(|(name, present)| *present && !used.contains(name));
        present.map(|(name, _)| name).collect()
    };
    let Some(target_type) = target_type else {
        if let Some(first) = present_except(&[]).last() {
            missing_type(fields, first);
        }
        return (Target::General, Vec::new());
    };
    let (target, used) = match target_type {
        "entity_room" => (entity(fields, entity_type, entity_id), &ADDRESSES[..2]),
        "dm" => (dm(fields, target_user.as_deref()), &ADDRESSES[2..]),
        "service_room" => (Target::Service, &[][..]),
        _ => (Target::General, &[][..]),
    };
    let recipients =
        if target_type == "dm" { "only `target_user` hears it" } else { "everybody of the tenant hears it" };
    let unused = present_except(used).into_iter();
    let warning =
        |name| format!("the field `{name}` has no effect with the target type `{target_type}`: {recipients}");
    (target, unused.map(warning).collect())
}

/// Finds unknown fields that look like a misspelt field that decides on the recipients or the urgency.
/// Refuses them, and returns a warning instead if the correct field would have no effect.
pub fn misspelt(fields: &mut Fields, target: &Target) -> Vec<String> {
    let mut warnings = Vec::new();
    let is_open = !fields.has("target_type");
    for name in ["target_type", "target_user", "entity_type", "entity_id", "tenant_id", "priority"] {
        let Some(unknown) = fields.misspelt(name).map(str::to_owned) else { continue };
        let decides = match name {
            "target_user" => is_open || matches!(target, Target::Dm(_)),
            "entity_type" | "entity_id" => is_open || matches!(target, Target::Entity { .. }),
            _ => true,
        };
        if decides {
            fields.wrong(&unknown, &misspelling_of(name));
        } else {
            warnings.push(format!("the field `{unknown}`: {}", did_you_mean(name)));
        }
    }
    warnings
}

fn missing_type(fields: &mut Fields, field: &str) {
    if fields.misspelt("target_type").is_some() {
        // `misspelt` names that field.
        return;
    }
    let (target_type, recipients) = match field {
        "target_user" => ("dm", "for this user alone"),
        _ => ("entity_room", "for the room of this entity"),
    };
    let message = format!(
        "is required with `{field}`: `{target_type}` {recipients}; to reach everybody of the tenant, leave `{field}` out"
    );
    fields.wrong_as("target_type", "invalid_target", &message);
}

fn entity(fields: &mut Fields, entity_type: Option<String>, entity_id: Option<EntityId>) -> Target {
    if entity_type.is_none() {
        fields.wrong("entity_type", "is required for `entity_room`: the kind of thing, as in `machine`");
    }
    if entity_id.is_none() {
        fields.wrong("entity_id", "is required for `entity_room`: a whole number, or text");
    }
    Target::Entity {
        entity_type: entity_type.unwrap_or_default(),
        entity_id: entity_id.unwrap_or(EntityId::Number(0)),
    }
}

fn dm(fields: &mut Fields, target_user: Option<&str>) -> Target {
    match target_user.map_or(Err("is required for `dm`: a Hub user id"), HubUserId::parse) {
        Ok(user) => Target::Dm(user),
        Err(problem) => {
            fields.wrong("target_user", problem);
            Target::Dm(HubUserId::new(""))
        }
    }
}

/// Describes the address that each target type needs, and that an address needs a target type.
fn describe_needs(fields: &Fields) {
    let is = |name: &str| json!({ "properties": { "target_type": { "const": name } }, "required": ["target_type"] });
    let needs = |names: &[&str]| {
        let there = names.iter().map(|name| ((*name).to_owned(), json!({ "not": { "type": "null" } })));
        json!({ "properties": there.collect::<serde_json::Map<_, _>>(), "required": names })
    };
    fields.describe_rule(|| json!({ "if": is("entity_room"), "then": needs(&ADDRESSES[..2]) }));
    fields.describe_rule(|| json!({ "if": is("dm"), "then": needs(&ADDRESSES[2..]) }));
    for name in ADDRESSES {
        let given = json!({ "properties": { name: { "not": { "type": "null" } } }, "required": [name] });
        fields.describe_rule(|| json!({ "if": given, "then": needs(&["target_type"]) }));
    }
}
