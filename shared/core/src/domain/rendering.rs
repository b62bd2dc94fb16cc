//! The form of a notification as a Matrix message.

pub mod alarm;

use serde_json::{Value, json};

use crate::domain::{
    id::{MatrixUserId, NotificationId},
    message::HTML,
    name,
    notification::{Draft, Priority},
};

/// The largest size of the content in bytes. A whole event may have 65 536 bytes (Matrix specification, "Size
/// limits"), of which escapes and signatures need a part.
const CONTENT_MAX: usize = 56_000;

/// The field of the content with the notification's id, source, type and priority.
pub const MARKER: &str = "com.aesystek.notification";

/// The mark of a message that needs attention, in any language.
const MARK: &str = "❗ ";

/// Returns the content of `m.room.message`: `[source_app] title`, then the body, as plain text and as HTML.
/// Its texts are those that readers see ([`Draft::shown_title`]).
///
/// From [`Priority::High`] on it mentions its readers (`m.mentions`), any other mentions nobody. Phones ring because
/// of a push rule of each account, which matches the `priority` below [`MARKER`]: a mention of the room makes
/// no sound, and a list of all members does not fit into an event.
///
/// `recipient` is the only reader of a direct message. Content that is too long for an event is sent without
/// HTML; if that does not suffice, the end of its body is cut.
pub fn content(id: NotificationId, draft: &Draft, recipient: Option<&MatrixUserId>) -> Value {
    let mark = if draft.priority == Priority::Urgent { MARK } else { "" };
    let heading = format!("{mark}{}", title(draft));
    let mut marker = marker(draft);
    marker["id"] = json!(id);
    fitted(draft.shown_body().as_deref(), |body, has_html| {
        let mut content = text(msg_type(draft.priority), &heading, body, has_html);
        content[MARKER] = marker.clone();
        content["m.mentions"] = mentions(draft.priority, recipient);
        content
    })
}

/// Returns the content with as much of the body as fits into an event. `build` gets the body, and whether the
/// content has HTML.
fn fitted(body: Option<&str>, build: impl Fn(Option<&str>, bool) -> Value) -> Value {
    let full = build(body, true);
    if size(&full) <= CONTENT_MAX {
        return full;
    }
    let plain = build(body, false);
    let excess = size(&plain).saturating_sub(CONTENT_MAX);
    let Some(body) = body.filter(|_| excess > 0) else { return plain };
    // JSON is never shorter than its text, so it suffices to cut the excess.
    let keep = body.len().saturating_sub(excess + '…'.len_utf8());
    let cut = format!("{}…", &body[..body.floor_char_boundary(keep)]);
    let cut = build(Some(&cut), false);
    if size(&cut) <= CONTENT_MAX { cut } else { build(None, false) }
}

/// Returns a text message with a heading, which is strong in HTML.
fn text(msg_type: &str, heading: &str, body: Option<&str>, has_html: bool) -> Value {
    let body = body.filter(|body| !body.is_empty());
    let mut content = json!({
        "msgtype": msg_type,
        "body": body.map_or_else(|| heading.to_owned(), |body| format!("{heading}\n{body}")),
    });
    if has_html {
        let heading = format!("<strong>{}</strong>", escape(heading));
        content["format"] = HTML.into();
        content["formatted_body"] =
            body.map_or_else(|| heading.clone(), |body| format!("{heading}<br>{}", escape(body))).into();
    }
    content
}

/// Returns `msgtype`. Clients show an `m.notice` without a sound.
fn msg_type(priority: Priority) -> &'static str {
    if priority == Priority::Low { "m.notice" } else { "m.text" }
}

/// Returns `[source_app] title`.
fn title(draft: &Draft) -> String {
    format!("[{}] {}", name::legible(&draft.source_app), draft.shown_title())
}

/// Returns the fields below [`MARKER`], without an id.
fn marker(draft: &Draft) -> Value {
    json!({
        "source_app": draft.source_app, "event_type": draft.event_type, "priority": draft.priority,
    })
}

/// Returns `m.mentions`: the readers from [`Priority::High`] on, else nobody. Without this field the push
/// rules of before Matrix 1.7 ring for `@room` and for names in the text.
fn mentions(priority: Priority, recipient: Option<&MatrixUserId>) -> Value {
    match recipient {
        _ if priority < Priority::High => json!({}),
        Some(user) => json!({ "user_ids": [user] }),
        None => json!({ "room": true }),
    }
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
