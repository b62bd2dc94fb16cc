//! Messages: said here in the name of a user, and read back page by page.

mod history;
mod sending;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Messenger, Result,
    id::{EventId, MatrixUserId, RoomId},
    inbound::{Content, RoomEvent},
    media::{File, Mxc, clean},
    name,
    room::encrypted,
    time::rfc3339,
    user::{Caller, User},
};

pub use history::History;
pub(crate) use sending::Attempt;

/// Most characters of the line that stands for a message in a list of rooms.
const SUMMARY_MAX: usize = 200;

/// What somebody said: the content of `m.room.message` and its like, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageContent {
    /// Its text; the caption of a file, or its name.
    pub body: String,
    /// `m.text`, `m.notice`, `m.emote`, `m.image`, …
    pub msg_type: String,
    /// The file, if it is one.
    pub file: Option<File>,
}

/// A message, as answers and events show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    /// The Matrix event.
    pub event_id: EventId,
    /// Where.
    pub room_id: RoomId,
    /// Who.
    pub sender: MatrixUserId,
    /// The name people see.
    pub sender_display_name: String,
    /// What.
    pub body: String,
    /// `m.text`, `m.notice`, `m.emote`, `m.image`, …
    pub msg_type: String,
    /// When it was said.
    #[serde(serialize_with = "rfc3339")]
    pub timestamp: Timestamp,
    /// The file, if it is one.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
}

/// Those who have to do with some events.
#[derive(Debug, Clone)]
pub(crate) struct People {
    /// By the localpart of their Matrix account.
    users: HashMap<String, User>,
    server_name: Arc<str>,
    bot: MatrixUserId,
    bot_display_name: String,
}

impl MessageContent {
    /// Plain text of a type.
    pub fn text(body: impl Into<String>, msg_type: &str) -> Self {
        Self { body: body.into(), msg_type: msg_type.to_owned(), file: None }
    }

    /// Reads the content of `m.room.message`; `None` if nothing is said in it, as when it was redacted.
    pub fn read(content: &Value) -> Option<Self> {
        Self::read_as(&legible(content.get("msgtype"))?, content)
    }

    /// Reads content that has a body, and perhaps a file, as a message of this type.
    pub(crate) fn read_as(msg_type: &str, content: &Value) -> Option<Self> {
        let text = |field: &str| legible(content.get(field));
        let body = text("body")?;
        let mxc = content.get("url").and_then(Value::as_str).and_then(Mxc::parse);
        let file = mxc.map(|mxc| File {
            mxc,
            filename: clean(&text("filename").unwrap_or_else(|| body.clone())),
            file_size: content.pointer("/info/size").and_then(Value::as_u64),
            mimetype: content.get("info").and_then(|info| legible(info.get("mimetype"))),
        });
        Some(Self { body, msg_type: msg_type.to_owned(), file })
    }

    /// The content of `m.room.message`.
    pub fn content(&self) -> Value {
        let mut content = json!({ "msgtype": self.msg_type, "body": self.body });
        if let Some(file) = &self.file {
            content["url"] = file.mxc.to_string().into();
            content["filename"] = file.filename.as_str().into();
            content["info"] = json!({ "mimetype": file.mimetype, "size": file.file_size });
        }
        content
    }

    /// One line that stands for it: the name of the file, or the beginning of the text.
    pub fn summary(&self) -> String {
        let text = self.file.as_ref().map_or(self.body.as_str(), |file| &file.filename);
        text.chars().take(SUMMARY_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// Text as a database takes it.
pub(crate) fn legible(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(|text| text.replace('\0', ""))
}

impl People {
    /// Who has this Matrix id.
    pub(crate) fn get(&self, id: &MatrixUserId) -> Option<&User> {
        id.localpart(&self.server_name).and_then(|localpart| self.users.get(localpart))
    }

    /// The name people see; the id of somebody whom we do not know.
    pub(crate) fn name(&self, id: &MatrixUserId) -> String {
        if *id == self.bot {
            return self.bot_display_name.clone();
        }
        self.get(id).map_or_else(|| name::legible(id.as_str()), |user| user.identity.display_name.clone())
    }
}

impl Messenger {
    /// Sends a message in the name of the caller, who must be a member of the room and may write.
    ///
    /// The same `transaction` of the same user in the same room sends once, for at least a day.
    pub async fn send(
        &self,
        caller: &Caller,
        room: &RoomId,
        said: MessageContent,
        transaction: Option<&str>,
    ) -> Result<Message> {
        self.check_may_write(caller, room).await?;
        self.send_content(caller, room, said, transaction).await
    }

    /// Whether the caller may write into the room: viewers read, who is no member knows of no room, and nobody writes
    /// into an encrypted one.
    pub async fn check_may_write(&self, caller: &Caller, room: &RoomId) -> Result<()> {
        let user = &caller.user;
        let access = self.room_records.access(user.tenant(), room, user.id()).await?;
        // As stored now: the role that was remembered may be a former one.
        access.as_ref().map_or(user.identity.role, |access| access.role).check_may_write()?;
        match access {
            Some(access) if access.marks.is_encrypted => Err(encrypted()),
            Some(_) => Ok(()),
            None => Err(self.no_member(caller, room).await),
        }
    }

    /// The names under which people see them. Those of users are remembered for a short while.
    async fn names<'a>(
        &self,
        ids: impl Iterator<Item = &'a MatrixUserId>,
    ) -> Result<HashMap<MatrixUserId, String>> {
        let ids: HashSet<_> = ids.collect();
        let known = ids.iter().filter_map(|id| Some(((*id).clone(), self.signed_in.name(id)?)));
        let mut names: HashMap<_, _> = known.collect();
        let unknown: Vec<_> = ids.into_iter().filter(|id| !names.contains_key(*id)).collect();
        let seen = self.signed_in.generation();
        let people = self.people(unknown.iter().copied()).await?;
        people.users.values().for_each(|user| self.signed_in.remember(user, seen));
        names.extend(unknown.into_iter().map(|id| (id.clone(), people.name(id))));
        Ok(names)
    }

    /// Those of them who are users of ours.
    pub(crate) async fn people(&self, ids: impl Iterator<Item = &MatrixUserId>) -> Result<People> {
        let server: Arc<str> = self.settings.server_name.as_str().into();
        let is_person = |localpart: &&str| *localpart != self.settings.bot_localpart;
        let localparts = ids.filter_map(|id| id.localpart(&server)).filter(is_person);
        let mut localparts: Vec<_> = localparts.map(str::to_owned).collect();
        localparts.sort_unstable();
        localparts.dedup();
        let users =
            if localparts.is_empty() { Vec::new() } else { self.messages.people(&localparts).await? };
        Ok(People {
            users: users.into_iter().map(|user| (user.localpart.clone(), user)).collect(),
            server_name: server,
            bot: self.bot(),
            bot_display_name: self.settings.bot_display_name.clone(),
        })
    }
}

impl RoomEvent {
    /// The message that it is; `None` if it is another event.
    pub(crate) fn message(self, sender_display_name: String) -> Option<Message> {
        let Content::Message(MessageContent { body, msg_type, file }) = self.content else { return None };
        Some(Message {
            event_id: self.event_id,
            room_id: self.room_id,
            sender: self.sender,
            sender_display_name,
            body,
            msg_type,
            timestamp: self.timestamp,
            file,
        })
    }
}
