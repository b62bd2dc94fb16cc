//! The content of `m.room.message` and of events with the same fields.

use messenger_core::{
    id::{EventId, MatrixUserId},
    media::{File, Mxc, clean},
    message::{FORMATTED_MAX, HTML, MENTIONS_MAX, Mentions, MessageContent, TXN_ID, TXN_ID_MAX},
};
use serde_json::Value;

use super::{has_nul, reply_fallback, string};

/// The place of the id of the message that a message replies to.
const REPLIED: &str = "/m.relates_to/m.in_reply_to/event_id";

/// Parses the content of `m.room.message`. Returns `None` if it has no body or no type, as after a redaction.
pub(super) fn parse_content(content: &Value) -> Option<MessageContent> {
    parse_content_as(&string(content.get("msgtype"))?, content)
}

/// Parses content with a body, and perhaps a file, as a message of the type `msg_type`. Returns `None`
/// without a body.
pub(super) fn parse_content_as(msg_type: &str, content: &Value) -> Option<MessageContent> {
    let body = string(content.get("body"))?;
    let is_reply = content.pointer(REPLIED).is_some();
    let body = if is_reply { reply_fallback::strip_text(&body).to_owned() } else { body };
    let mxc = content.get("url").and_then(Value::as_str).and_then(Mxc::parse);
    let file = mxc.map(|mxc| File {
        mxc,
        filename: clean(&string(content.get("filename")).unwrap_or_else(|| body.clone())),
        file_size: content.pointer("/info/size").and_then(Value::as_u64),
        mimetype: string(content.pointer("/info/mimetype")),
    });
    Some(MessageContent {
        body,
        msg_type: msg_type.to_owned(),
        file,
        formatted_body: parse_html(content, is_reply),
        mentions: parse_mentions(content),
        reply_to: parse_reply(content).filter(|id| !has_nul(id.as_str())),
        txn_id: string(content.get(TXN_ID)).filter(|id| id.chars().count() <= TXN_ID_MAX),
    })
}

/// Returns the text as HTML. Returns `None` if there is none or if it is too long.
fn parse_html(content: &Value, is_reply: bool) -> Option<String> {
    let html = string(content.get("formatted_body")).filter(|_| is_html(content))?;
    let html = if is_reply { reply_fallback::strip_html(&html)?.to_owned() } else { html };
    (html.len() <= FORMATTED_MAX).then_some(html)
}

fn is_html(content: &Value) -> bool {
    content.get("format").and_then(Value::as_str) == Some(HTML)
}

/// Returns the mentioned users, at most [`MENTIONS_MAX`].
fn parse_mentions(content: &Value) -> Mentions<MatrixUserId> {
    let mentions = content.get("m.mentions");
    let users = mentions.and_then(|mentions| mentions.get("user_ids")?.as_array());
    let users = users.into_iter().flatten().filter_map(Value::as_str).filter(|id| !has_nul(id));
    let room = mentions.and_then(|mentions| mentions.get("room")?.as_bool());
    Mentions {
        users: users.take(MENTIONS_MAX).map(MatrixUserId::new).collect(),
        room: room.unwrap_or_default(),
    }
}

/// Returns the message that this one replies to. In a thread a client may name the last message only for
/// clients without threads (Matrix specification, "Fallback for unthreaded clients").
fn parse_reply(content: &Value) -> Option<EventId> {
    let relation = content.get("m.relates_to")?;
    if relation.get("is_falling_back").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    content.pointer(REPLIED)?.as_str().map(EventId::new)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_with_html_and_mentions_is_parsed() {
        let content = json!({
            "msgtype": "m.text", "body": "**ja**", "format": HTML, "formatted_body": "<strong>ja</strong>",
            "m.mentions": { "user_ids": ["@a:b", 7, "@\0"], "room": true },
            "m.relates_to": { "m.in_reply_to": { "event_id": "$1" } }, TXN_ID: "t1",
        });
        let expected = MessageContent {
            formatted_body: Some("<strong>ja</strong>".to_owned()),
            mentions: Mentions { users: vec![MatrixUserId::new("@a:b")], room: true },
            reply_to: Some(EventId::new("$1")),
            txn_id: Some("t1".to_owned()),
            ..MessageContent::text("**ja**", "m.text")
        };
        assert_eq!(parse_content(&content), Some(expected.clone()));
        assert_eq!(parse_content(&expected.content()), Some(expected), "it is parsed as it is sent");
    }

    #[test]
    fn a_reply_of_an_older_client_has_its_own_text_only() {
        let content = |relation| {
            json!({
                "msgtype": "m.text", "body": "> <@a:b> Wer?\n\nIch", "format": HTML,
                "formatted_body": "<mx-reply><blockquote>Wer?</blockquote></mx-reply><b>Ich</b>",
                "m.relates_to": relation,
            })
        };
        let reply = parse_content(&content(json!({ "m.in_reply_to": { "event_id": "$1" } }))).unwrap();
        assert_eq!((reply.body.as_str(), reply.formatted_body.as_deref()), ("Ich", Some("<b>Ich</b>")));
        let other = parse_content(&content(json!({}))).unwrap();
        assert_eq!(other.body, "> <@a:b> Wer?\n\nIch", "it is no reply");
        assert!(other.formatted_body.unwrap().starts_with("<mx-reply>"));
    }

    #[test]
    fn fields_of_another_form_are_dropped_and_the_text_is_kept() {
        let plain = || Some(MessageContent::text("x", "m.text"));
        let many: Vec<_> = (0..=MENTIONS_MAX).map(|n| format!("@{n}:b")).collect();
        for fields in [
            json!({ "formatted_body": "<b>x</b>" }),
            json!({ "format": "text/rtf", "formatted_body": "<b>x</b>" }),
            json!({ "format": HTML, "formatted_body": "x".repeat(FORMATTED_MAX + 1) }),
            json!({ "format": HTML, "formatted_body": 7 }),
            json!({ "m.mentions": { "user_ids": "@a:b", "room": "yes" } }),
            json!({ "m.mentions": [] }),
            json!({ "m.relates_to": { "m.in_reply_to": { "event_id": 1 } } }),
            json!({ "m.relates_to": {
                "rel_type": "m.thread", "event_id": "$0", "is_falling_back": true,
                "m.in_reply_to": { "event_id": "$1" },
            } }),
            json!({ TXN_ID: "x".repeat(TXN_ID_MAX + 1) }),
        ] {
            let mut content = json!({ "msgtype": "m.text", "body": "x" });
            content.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            assert_eq!(parse_content(&content), plain(), "{fields}");
        }
        let content = json!({ "msgtype": "m.text", "body": "x", "m.mentions": { "user_ids": many } });
        assert_eq!(parse_content(&content).unwrap().mentions.users.len(), MENTIONS_MAX);
    }
}
