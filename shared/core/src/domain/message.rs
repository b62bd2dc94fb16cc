//! Messages: their content, and their form in responses and live events.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::{
    alarm::EpisodeId,
    id::{EventId, HubUserId, MatrixUserId, NotificationId, RoomId, TenantId},
    markdown,
    matrix_ids::MatrixIds,
    media::{File, clean},
    name,
    search::TEXT_MAX,
    user::User,
};

/// The largest length in characters of the line that represents a message in a list of rooms.
const SUMMARY_MAX: usize = 200;

/// The `format` of a message with HTML.
pub const HTML: &str = "org.matrix.custom.html";

/// The most users that a message mentions. Further ones are dropped.
pub const MENTIONS_MAX: usize = 50;

/// The most bytes of a `formatted_body`. A longer one is dropped, and readers show the plain text.
pub const FORMATTED_MAX: usize = 40_000;

/// The most characters of the key of a reaction.
pub const REACTION_KEY_MAX: usize = 64;

/// The types of messages that are texts; the first is the default.
pub const TEXT_TYPES: [&str; 3] = ["m.text", "m.notice", "m.emote"];

/// The field of the content with the `txn_id` of the client that sent the message through this service.
pub const TXN_ID: &str = "com.aesystek.txn_id";

/// The most characters of a `txn_id`.
pub const TXN_ID_MAX: usize = 255;

/// The content of a message: of `m.room.message`, a sticker or a poll, as far as this service uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageContent {
    /// The text; of a file, its caption or name.
    pub body: String,
    /// `m.text`, `m.notice`, `m.emote`, `m.image`, …
    pub msg_type: String,
    /// The file, if it is one.
    pub file: Option<File>,
    /// The text as HTML (`org.matrix.custom.html`), as its sender wrote it: it may contain anything.
    pub formatted_body: Option<String>,
    /// The users whom it mentions.
    pub mentions: Mentions<MatrixUserId>,
    /// The message that it replies to.
    pub reply_to: Option<EventId>,
    /// The `txn_id` of the client that sent it through this service.
    pub txn_id: Option<String>,
}

/// The users whom a message mentions (Matrix specification, "User and room mentions").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mentions<Id> {
    /// The mentioned users.
    pub users: Vec<Id>,
    /// Whether it mentions all members of the room.
    pub room: bool,
}

/// The form of a text that a user sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Plain text.
    #[default]
    Plain,
    /// `CommonMark`, in which HTML is text.
    Markdown,
}

/// A text message that a user sends, or the new content of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The text.
    pub body: String,
    /// `m.text`, `m.notice` or `m.emote`.
    pub msg_type: String,
    /// The form of the text.
    pub format: Format,
    /// The members whom it mentions.
    pub mentions: Mentions<HubUserId>,
    /// The message of the room that it replies to.
    pub reply_to: Option<EventId>,
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
    /// The episode of an alarm, if it is one of its messages.
    pub alarm: Option<EpisodeId>,
    /// The text as HTML (`org.matrix.custom.html`), as its sender wrote it: it may contain anything.
    pub formatted_body: Option<String>,
    /// The users of the tenant whom it mentions.
    pub mentions: Mentions<HubUserId>,
    /// The message that it replies to.
    pub reply_to: Option<EventId>,
    /// The `txn_id` of the client that sent it through this service.
    pub txn_id: Option<String>,
    /// Whether it has another content than it was sent with.
    pub is_edited: bool,
    /// The reactions to it, the most frequent ones first.
    pub reactions: Vec<ReactionCount>,
}

/// The users who reacted to a message with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReactionCount {
    /// The emoji or text.
    pub key: String,
    /// The number of users.
    pub count: i64,
    /// Whether the reader is one of them.
    pub is_own: bool,
}

/// A page of a room's history.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The messages, newest first.
    pub messages: Vec<Message>,
    /// The token of the next older page; `None` if this is the last one, or if the page was read forward.
    pub end_token: Option<String>,
    /// The token of the next newer page; `None` if the page reaches to the end of the room, or if it was read
    /// backward.
    pub start_token: Option<String>,
    /// Whether there may be more messages in the direction of reading. `false` is certain, `true` is not.
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
        Self {
            body: body.into(),
            msg_type: msg_type.to_owned(),
            file: None,
            formatted_body: None,
            mentions: Mentions::default(),
            reply_to: None,
            txn_id: None,
        }
    }

    /// Returns the content of `m.room.message` for sending. It always says whom it mentions: without that,
    /// the push rules of before Matrix 1.7 ring for `@room` and for names in the text.
    pub fn content(&self) -> Value {
        let mut content = json!({
            "msgtype": self.msg_type, "body": self.body, "m.mentions": self.mentions.content(),
        });
        if let Some(html) = &self.formatted_body {
            content["format"] = HTML.into();
            content["formatted_body"] = html.as_str().into();
        }
        if let Some(message) = &self.reply_to {
            content["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": message } });
        }
        if let Some(txn_id) = &self.txn_id {
            content[TXN_ID] = txn_id.as_str().into();
        }
        if let Some(file) = &self.file {
            content["url"] = file.mxc.to_string().into();
            content["filename"] = file.filename.as_str().into();
            content["info"] = json!({ "mimetype": file.mimetype, "size": file.file_size });
        }
        content
    }

    /// Returns the content of the edit that gives a message this content.
    pub(crate) fn replacement(&self, of: &EventId) -> Value {
        replacement(&self.content(), &self.summary(), of)
    }

    /// Returns whether a retry has another content, as far as its sender chose it: text, type, mentions,
    /// `reply_to`, and name and size of the file.
    ///
    /// The retry uploaded its file again, so the address differs. A release may render Markdown in another way
    /// than the one before, so HTML is not compared. The homeserver's text of a reply comes without what looks
    /// like a quotation at its beginning.
    pub(crate) fn differs_from(&self, retry: &Self) -> bool {
        let is_same_text =
            self.body == retry.body || retry.reply_to.is_some() && retry.body.ends_with(&self.body);
        let file = |content: &Self| content.file.as_ref().map(|file| (clean(&file.filename), file.file_size));
        let users = |content: &Self| content.mentions.users.iter().cloned().collect::<HashSet<_>>();
        !is_same_text
            || self.msg_type != retry.msg_type
            || self.reply_to != retry.reply_to
            || self.mentions.room != retry.mentions.room
            || users(self) != users(retry)
            || file(self) != file(retry)
    }

    /// Returns the text that search finds: the body, and the name of a file, at most
    /// [`TEXT_MAX`](crate::domain::search::TEXT_MAX) characters.
    pub fn searched_text(&self) -> String {
        let name = self.file.as_ref().map(|file| file.filename.as_str()).filter(|name| *name != self.body);
        let name = name.into_iter().flat_map(|name| ["\n", name]).flat_map(str::chars);
        self.body.chars().chain(name).take(TEXT_MAX).collect()
    }

    /// Returns one line that represents the message: the name of the file, or the beginning of the text.
    pub fn summary(&self) -> String {
        let text = self.file.as_ref().map_or(self.body.as_str(), |file| &file.filename);
        text.chars().take(SUMMARY_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// Returns the content of the edit that gives a message this content (Matrix specification, "Event
/// replacements"). It mentions nobody anew: those of the new content make no phone ring.
pub(crate) fn replacement(content: &Value, summary: &str, of: &EventId) -> Value {
    json!({
        "msgtype": content["msgtype"], "body": format!("* {summary}"), "m.mentions": {},
        "m.new_content": content,
        "m.relates_to": { "rel_type": "m.replace", "event_id": of },
    })
}

impl<Id> Default for Mentions<Id> {
    fn default() -> Self {
        Self { users: Vec::new(), room: false }
    }
}

impl<Id: Serialize> Mentions<Id> {
    /// Returns `m.mentions`.
    fn content(&self) -> Value {
        let mut content = json!({});
        if !self.users.is_empty() {
            content["user_ids"] = json!(self.users);
        }
        if self.room {
            content["room"] = true.into();
        }
        content
    }
}

impl OutgoingMessage {
    /// Returns plain text with this message type.
    pub fn text(body: impl Into<String>, msg_type: &str) -> Self {
        Self {
            body: body.into(),
            msg_type: msg_type.to_owned(),
            format: Format::Plain,
            mentions: Mentions::default(),
            reply_to: None,
        }
    }

    /// Returns the content of the message. `mentioned` are the Matrix ids of the mentioned users.
    pub(crate) fn into_content(self, mentioned: Vec<MatrixUserId>, txn_id: Option<&str>) -> MessageContent {
        let formatted_body = match self.format {
            Format::Plain => None,
            Format::Markdown => markdown::render(&self.body).filter(|html| html.len() <= FORMATTED_MAX),
        };
        MessageContent {
            body: self.body,
            msg_type: self.msg_type,
            file: None,
            formatted_body,
            mentions: Mentions { users: mentioned, room: self.mentions.room },
            reply_to: self.reply_to,
            txn_id: txn_id.map(str::to_owned),
        }
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

    /// Returns the users of a tenant whom a message mentions.
    pub(crate) fn mentioned(
        &self,
        tenant: TenantId,
        mentions: &Mentions<MatrixUserId>,
    ) -> Mentions<HubUserId> {
        let users = mentions.users.iter().filter_map(|id| self.get(id));
        let users = users.filter(|user| user.tenant() == tenant).map(|user| user.id().clone());
        Mentions { users: users.collect(), room: mentions.room }
    }

    /// Returns the display name of a user or of the bot; for any other Matrix id, the id itself.
    pub(crate) fn name(&self, id: &MatrixUserId) -> String {
        if *id == self.ids.bot() {
            return self.ids.bot_display_name().to_owned();
        }
        self.get(id).map_or_else(|| name::legible(id.as_str()), |user| user.display_name.clone())
    }
}
