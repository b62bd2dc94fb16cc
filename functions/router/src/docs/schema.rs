//! JSON Schemas in HTML: the fields of an object with their types and bounds.

use serde_json::Value;

use super::text::{escaped, list, members, text};

/// The bounds of values, lengths and lists: the keywords of the least and the most, and the unit.
const BOUNDS: [(&str, &str, &str); 3] = [
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " elements"),
];

/// Returns a named schema of the components.
pub(super) fn definition(name: &str, schema: &Value) -> String {
    let id = escaped(name);
    let description = escaped(text(&schema["description"]));
    format!(
        "<details id=\"schema-{id}\"><summary><b>{id}</b></summary>\n<p>{description}</p>\n{}</details>\n",
        fields(schema)
    )
}

/// Returns the fields of an object as a table; of any other schema its type.
pub(super) fn fields(schema: &Value) -> String {
    let required = list(&schema["required"]);
    let rows = members(&schema["properties"]).map(|(name, property)| {
        let is_required = required.iter().any(|one| one == name);
        row(name, if is_required { "required" } else { "optional" }, property)
    });
    let rows: String = rows.collect();
    if rows.is_empty() || !schema["$ref"].is_null() {
        return format!("<p>{}</p>\n", kind(schema));
    }
    format!("<table><tr><th>field</th><th></th><th>type</th></tr>\n{rows}</table>\n")
}

/// Returns a row of a table of fields or parameters.
pub(super) fn row(name: &str, note: &str, schema: &Value) -> String {
    let description = escaped(text(&schema["description"]));
    format!(
        "<tr><td><code>{}</code></td><td>{}</td><td>{} <span>{description}</span></td></tr>\n",
        escaped(name),
        escaped(note),
        kind(schema)
    )
}

/// Returns the type of a schema, its bounds, or its values.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escaped(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for key in ["oneOf", "anyOf"] {
        let alternatives: Vec<_> = list(&schema[key]).iter().map(kind).collect();
        if !alternatives.is_empty() {
            return alternatives.join(" or ");
        }
    }
    if let Some(constant) = schema.get("const") {
        return value(constant);
    }
    let choices: Vec<_> = list(&schema["enum"]).iter().map(value).collect();
    if !choices.is_empty() {
        return choices.join(", ");
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().map(|one| escaped(text(one))).collect(),
        one => vec![escaped(text(one))],
    };
    let mut shown = types.join(" or ");
    if schema.get("items").is_some() {
        shown = format!("list of {}", kind(&schema["items"]));
    }
    let bounds = bounds(schema);
    if bounds.is_empty() { shown } else { format!("{shown} ({})", escaped(&bounds.join(", "))) }
}

/// Returns the bounds of a schema and its default, in words.
fn bounds(schema: &Value) -> Vec<String> {
    let bounds =
        BOUNDS.iter().filter_map(|(least, most, unit)| match (schema.get(*least), schema.get(*most)) {
            (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
            (Some(least), None) => Some(format!("at least {least}{unit}")),
            (None, Some(most)) => Some(format!("at most {most}{unit}")),
            (None, None) => None,
        });
    bounds.chain(schema.get("default").map(|default| format!("default {default}"))).collect()
}

fn value(value: &Value) -> String {
    format!("<code>{}</code>", escaped(&value.to_string()))
}
