//! Messages: their content, and their form in responses and live events.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::{
    id::{EventId, MatrixUserId, NotificationId, RoomId},
    matrix_ids::MatrixIds,
    media::File,
    name,
    user::User,
};

/// The largest length in characters of the line that represents a message in a list of rooms.
const SUMMARY_MAX: usize = 200;

/// The content of a message: of `m.room.message`, a sticker or a poll, as far as this service uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageContent {
    /// The text; of a file, its caption or name.
    pub body: String,
    /// `m.text`, `m.notice`, `m.emote`, `m.image`, …
    pub msg_type: String,
    /// The file, if it is one.
    pub file: Option<File>,
}

/// A message in responses and live events.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The id of the Matrix event.
    pub event_id: EventId,
    /// The room.
    pub room_id: RoomId,
    /// The sender.
    pub sender: MatrixUserId,
    /// The display name of the sender.
    pub sender_display_name: String,
    /// The text; of a file, its caption or name.
    pub body: String,
    /// `m.text`, `m.notice`, `m.emote`, `m.image`, …
    pub msg_type: String,
    /// The time of the event, according to the homeserver (`origin_server_ts`).
    pub timestamp: Timestamp,
    /// The file, if it is one.
    pub file: Option<File>,
    /// The notification, if it is the message of one.
    pub notification: Option<NotificationId>,
}

/// A page of a room's history.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The messages, newest first.
    pub messages: Vec<Message>,
    /// The token of the next page; `None` if this is the last page.
    pub end_token: Option<String>,
    /// Whether there may be older messages. `false` is certain, `true` is not.
    pub has_more: bool,
}

/// Users of this service, by their Matrix id.
#[derive(Debug, Clone)]
pub(crate) struct People {
    /// The users by the localpart of their Matrix account.
    users: HashMap<String, User>,
    ids: Arc<MatrixIds>,
}

impl MessageContent {
    /// Returns plain text with this message type.
    pub fn text(body: impl Into<String>, msg_type: &str) -> Self {
        Self { body: body.into(), msg_type: msg_type.to_owned(), file: None }
    }

    /// Returns the content of `m.room.message` for sending.
    pub fn content(&self) -> Value {
        let mut content = json!({ "msgtype": self.msg_type, "body": self.body });
        if let Some(file) = &self.file {
            content["url"] = file.mxc.to_string().into();
            content["filename"] = file.filename.as_str().into();
            content["info"] = json!({ "mimetype": file.mimetype, "size": file.file_size });
        }
        content
    }

    /// Returns one line that represents the message: the name of the file, or the beginning of the text.
    pub fn summary(&self) -> String {
        let text = self.file.as_ref().map_or(self.body.as_str(), |file| &file.filename);
        text.chars().take(SUMMARY_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

impl People {
    /// Creates the set from these users, by the localpart of their account.
    pub(crate) fn new(users: Vec<User>, ids: Arc<MatrixIds>) -> Self {
        Self { users: users.into_iter().map(|user| (user.localpart.clone(), user)).collect(), ids }
    }

    /// Returns the users.
    pub(crate) fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// Returns the user with this Matrix id; `None` if it belongs to none of these users.
    pub(crate) fn get(&self, id: &MatrixUserId) -> Option<&User> {
        self.ids.localpart(id).and_then(|localpart| self.users.get(localpart))
    }

    /// Returns the display name of a user or of the bot; for any other Matrix id, the id itself.
    pub(crate) fn name(&self, id: &MatrixUserId) -> String {
        if *id == self.ids.bot() {
            return self.ids.bot_display_name().to_owned();
        }
        self.get(id).map_or_else(|| name::legible(id.as_str()), |user| user.display_name.clone())
    }
}
