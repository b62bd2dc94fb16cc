//! The stored form of the content of an edit (`message_edits.content`). An edit does not change to what its
//! message replies.

use messenger_core::{
    id::MatrixUserId,
    media::{File, Mxc},
    message::{Mentions, MessageContent},
};
use serde_json::{Value, json};

/// Returns the content as it is stored.
pub(super) fn to_json(content: &MessageContent) -> Value {
    let mut json = json!({ "msgtype": content.msg_type, "body": content.body });
    if let Some(file) = &content.file {
        json["url"] = file.mxc.to_string().into();
        json["filename"] = file.filename.as_str().into();
        json["info"] = json!({ "mimetype": file.mimetype, "size": file.file_size });
    }
    if let Some(html) = &content.formatted_body {
        json["formatted_body"] = html.as_str().into();
    }
    if content.mentions != Mentions::default() {
        json["m.mentions"] = json!({ "user_ids": content.mentions.users, "room": content.mentions.room });
    }
    json
}

/// Returns the stored content. Returns `None` if it is not of that form.
pub(super) fn from_json(json: &Value) -> Option<MessageContent> {
    let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let body = text("/body")?;
    let mxc = text("/url").as_deref().and_then(Mxc::parse);
    let file = mxc.map(|mxc| File {
        mxc,
        filename: text("/filename").unwrap_or_else(|| body.clone()),
        file_size: json.pointer("/info/size").and_then(Value::as_u64),
        mimetype: text("/info/mimetype"),
    });
    Some(MessageContent {
        file,
        formatted_body: text("/formatted_body"),
        mentions: mentions(json),
        ..MessageContent::text(body, &text("/msgtype")?)
    })
}

fn mentions(json: &Value) -> Mentions<MatrixUserId> {
    let users = json.pointer("/m.mentions/user_ids").and_then(Value::as_array).into_iter().flatten();
    Mentions {
        users: users.filter_map(Value::as_str).map(MatrixUserId::new).collect(),
        room: json.pointer("/m.mentions/room").and_then(Value::as_bool).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_content_is_read_as_it_was_written() {
        let file = |file_size, mimetype: Option<&str>| File {
            mxc: Mxc::parse("mxc://hub.local/abc").unwrap(),
            filename: "plan.pdf".to_owned(),
            file_size,
            mimetype: mimetype.map(str::to_owned),
        };
        for file in [None, Some(file(Some(7), Some("application/pdf"))), Some(file(None, None))] {
            let content = MessageContent { file, ..MessageContent::text("Plan", "m.file") };
            assert_eq!(from_json(&to_json(&content)), Some(content));
        }
        let content = MessageContent {
            formatted_body: Some("<b>Plan</b>".to_owned()),
            mentions: Mentions { users: vec![MatrixUserId::new("@a:b")], room: true },
            ..MessageContent::text("Plan", "m.text")
        };
        assert_eq!(from_json(&to_json(&content)), Some(content));
        assert_eq!(from_json(&json!({ "msgtype": "m.text" })), None);
        assert_eq!(from_json(&json!({ "body": "Plan" })), None);
    }
}
