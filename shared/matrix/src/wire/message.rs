//! The content of `m.room.message` and of events with the same fields.

use messenger_core::{
    media::{File, Mxc, clean},
    message::MessageContent,
};
use serde_json::Value;

use super::string;

/// Parses the content of `m.room.message`. Returns `None` if it has no body or no type, as after a redaction.
pub(super) fn parse_content(content: &Value) -> Option<MessageContent> {
    parse_content_as(&string(content.get("msgtype"))?, content)
}

/// Parses content with a body, and perhaps a file, as a message of the type `msg_type`. Returns `None`
/// without a body.
pub(super) fn parse_content_as(msg_type: &str, content: &Value) -> Option<MessageContent> {
    let body = string(content.get("body"))?;
    let mxc = content.get("url").and_then(Value::as_str).and_then(Mxc::parse);
    let file = mxc.map(|mxc| File {
        mxc,
        filename: clean(&string(content.get("filename")).unwrap_or_else(|| body.clone())),
        file_size: content.pointer("/info/size").and_then(Value::as_u64),
        mimetype: string(content.pointer("/info/mimetype")),
    });
    Some(MessageContent { body, msg_type: msg_type.to_owned(), file })
}
