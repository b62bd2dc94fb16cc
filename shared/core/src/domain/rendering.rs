//! The form of a notification as a Matrix message.

use serde_json::{Value, json};

use crate::domain::{
    id::{MatrixUserId, NotificationId},
    name,
    notification::{Draft, Priority},
};

/// The largest size of the content in bytes. A whole event may have 65 536 bytes (Matrix specification, "Size
/// limits"), of which escapes and signatures need a part.
const CONTENT_MAX: usize = 56_000;

/// The field of the content with the notification's id, source, type and priority.
pub const MARKER: &str = "com.aesystek.notification";

/// The mark of an urgent notification, in any language.
const URGENT: &str = "❗ ";

/// Returns the content of `m.room.message`: `[source_app] title`, then the body, as plain text and as HTML.
/// Its texts are those that readers see ([`Draft::shown_title`]).
///
/// An urgent notification mentions its readers (`m.mentions`), any other mentions nobody. Phones ring because
/// of a push rule of each account, which matches the `priority` below [`MARKER`]: a mention of the room makes
/// no sound, and a list of all members does not fit into an event.
///
/// `recipient` is the only reader of a direct message. Content that is too long for an event is sent without
/// HTML; if that does not suffice, the end of its body is cut.
pub fn content(id: NotificationId, draft: &Draft, recipient: Option<&MatrixUserId>) -> Value {
    let body = draft.shown_body();
    let body = body.as_deref();
    let full = message(id, draft, recipient, body, true);
    if size(&full) <= CONTENT_MAX {
        return full;
    }
    let plain = message(id, draft, recipient, body, false);
    let excess = size(&plain).saturating_sub(CONTENT_MAX);
    let Some(body) = body.filter(|_| excess > 0) else { return plain };
    // JSON is never shorter than its text, so it suffices to cut the excess.
    let keep = body.len().saturating_sub(excess + '…'.len_utf8());
    let cut = format!("{}…", &body[..body.floor_char_boundary(keep)]);
    let cut = message(id, draft, recipient, Some(&cut), false);
    if size(&cut) <= CONTENT_MAX { cut } else { message(id, draft, recipient, None, false) }
}

fn message(
    id: NotificationId,
    draft: &Draft,
    recipient: Option<&MatrixUserId>,
    body: Option<&str>,
    html: bool,
) -> Value {
    let mark = if draft.priority == Priority::Urgent { URGENT } else { "" };
    let heading = format!("{mark}[{}] {}", name::legible(&draft.source_app), draft.shown_title());
    let body = body.filter(|body| !body.is_empty());
    let mut content = json!({
        "msgtype": "m.text",
        "body": body.map_or_else(|| heading.clone(), |body| format!("{heading}\n{body}")),
        MARKER: {
            "id": id,
            "source_app": draft.source_app,
            "event_type": draft.event_type,
            "priority": draft.priority,
        },
    });
    if html {
        let heading = format!("<strong>{}</strong>", escape(&heading));
        content["format"] = "org.matrix.custom.html".into();
        content["formatted_body"] =
            body.map_or_else(|| heading.clone(), |body| format!("{heading}<br>{}", escape(body))).into();
    }
    content["m.mentions"] = match recipient {
        _ if draft.priority != Priority::Urgent => no_mentions(),
        Some(user) => json!({ "user_ids": [user] }),
        None => json!({ "room": true }),
    };
    content
}

/// Returns `m.mentions` without any mention. Without this field the push rules of before Matrix 1.7 ring for
/// `@room` and for names in the text.
fn no_mentions() -> Value {
    json!({})
}

fn size(content: &Value) -> usize {
    content.to_string().len()
}

/// Escapes text for HTML, so that the sender cannot add markup.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' => html.push_str("<br>"),
            _ => html.push(c),
        }
        html
    })
}
