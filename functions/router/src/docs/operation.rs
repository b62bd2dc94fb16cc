//! Operations in HTML: caller, parameters, body and answers.

use serde_json::Value;

use super::{
    schema::{fields, row},
    text::{escaped, list, members, text},
};

/// Returns an operation as a part of the page.
pub(super) fn operation(document: &Value, method: &str, path: &str, operation: &Value) -> String {
    let id = escaped(text(&operation["operationId"]));
    let answers = members(&operation["responses"]).map(|(status, response)| answer(status, response));
    format!(
        "<details id=\"{id}\" class=\"operation\"><summary><b class=\"{0}\">{0}</b> <code>{1}</code> {2}</summary>\n\
<p>Caller: {3}.</p>\n{4}{5}<h4>Answers</h4>\n<table><tr><th>status</th><th>content</th></tr>\n{6}</table>\n</details>\n",
        escaped(method),
        escaped(path),
        escaped(text(&operation["summary"])),
        caller(document, operation),
        parameters(operation),
        body(operation),
        answers.collect::<String>(),
    )
}

fn caller(document: &Value, operation: &Value) -> String {
    let schemes = list(&operation["security"]).iter().flat_map(members).map(|(name, _)| {
        let scheme = &document["components"]["securitySchemes"][name];
        let place = match text(&scheme["in"]) {
            "" => "`Authorization: Bearer`".to_owned(),
            "query" => format!("`?{}=`", text(&scheme["name"])),
            _ => format!("`{}`", text(&scheme["name"])),
        };
        format!("<code>{}</code> ({})", escaped(name), escaped(&place))
    });
    let schemes: Vec<_> = schemes.collect();
    if schemes.is_empty() { "anyone".to_owned() } else { schemes.join(" or ") }
}

fn parameters(operation: &Value) -> String {
    let rows = list(&operation["parameters"]).iter().map(|parameter| {
        let is_required = parameter["required"] == true;
        let place = text(&parameter["in"]);
        let note = if is_required { format!("{place}, required") } else { format!("{place}, optional") };
        let mut schema = parameter["schema"].clone();
        if let Some(description) = parameter.get("description") {
            schema["description"] = description.clone();
        }
        row(text(&parameter["name"]), &note, &schema)
    });
    let rows: String = rows.collect();
    if rows.is_empty() {
        return rows;
    }
    format!("<h4>Parameters</h4>\n<table><tr><th>name</th><th></th><th>type</th></tr>\n{rows}</table>\n")
}

fn body(operation: &Value) -> String {
    let contents = members(&operation["requestBody"]["content"]);
    let contents = contents.map(|(kind, media)| {
        format!("<h4>Body: <code>{}</code></h4>\n{}", escaped(kind), fields(&media["schema"]))
    });
    contents.collect()
}

fn answer(status: &str, response: &Value) -> String {
    let description = text(&response["description"]).split("\n\n").map(escaped).collect::<Vec<_>>();
    let contents = members(&response["content"]).map(|(kind, media)| {
        let data = media.get("x-event-data").or(media.get("schema"));
        let shown = data.map(fields).unwrap_or_default();
        format!("<p><code>{}</code></p>{shown}", escaped(kind))
    });
    let contents: String = contents.collect();
    let headers: Vec<_> =
        members(&response["headers"]).map(|(name, _)| format!("<code>{}</code>", escaped(name))).collect();
    let headers =
        if headers.is_empty() { String::new() } else { format!("<p>Headers: {}</p>", headers.join(", ")) };
    format!("<tr><td>{}</td><td>{}{contents}{headers}</td></tr>\n", escaped(status), description.join("<br>"))
}
