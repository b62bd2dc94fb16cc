//! How a notification reads in its Matrix room.

use serde_json::{Value, json};

use crate::domain::{
    id::{MatrixUserId, NotificationId},
    name,
    notification::{Draft, Priority},
};

/// Most bytes of content: an event may have 65 536 bytes with everything around it (Matrix specification, "Size
/// limits"), and escapes and signatures need their share.
const CONTENT_MAX: usize = 56_000;

/// The field of the content that holds what is known of the notification.
pub const MARKER: &str = "com.aesystek.notification";

/// Marks what is urgent, in any language.
const URGENT: &str = "❗ ";

/// The content of `m.room.message`: `[source_app] title`, then the body; plain and as the Matrix HTML subset. An urgent
/// one mentions its readers (`m.mentions`), any other nobody. Phones ring by a push rule of each account, which matches the
/// `priority` below [`MARKER`]: a mention of the room makes no sound, and the list of all members has no room in an event.
///
/// `recipient` is the one reader of a direct message. What is too long for an event loses its HTML first, then its end.
pub fn content(id: NotificationId, draft: &Draft, recipient: Option<&MatrixUserId>) -> Value {
    let full = message(id, draft, recipient, draft.body.as_deref(), true);
    if size(&full) <= CONTENT_MAX {
        return full;
    }
    let plain = message(id, draft, recipient, draft.body.as_deref(), false);
    let excess = size(&plain).saturating_sub(CONTENT_MAX);
    let Some(body) = draft.body.as_deref().filter(|_| excess > 0) else { return plain };
    // Escapes make JSON longer than its text, never shorter: cutting the excess is enough.
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
    let heading = format!("{mark}[{}] {}", name::legible(&draft.source_app), draft.title);
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

/// Mentions nobody: without it the push rules of before Matrix 1.7 ring for `@room` and for names in the text.
pub(crate) fn no_mentions() -> Value {
    json!({})
}

fn size(content: &Value) -> usize {
    content.to_string().len()
}

/// Text as HTML: markup of the sender never becomes markup of the room.
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
